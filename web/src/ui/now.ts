/** The present, shared: one timer for all that counts on, none while nothing does or nobody looks. */
import { useSyncExternalStore } from "react";

const listeners = new Set<() => void>();
let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  if (timer === undefined) {
    now = Date.now();
    timer = setInterval(tick, 1000);
  }
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

function tick(): void {
  if (document.hidden) return;
  now = Date.now();
  for (const listener of listeners) listener();
}

const still = (): (() => void) => () => undefined;

/** Milliseconds since 1970, anew each second; with `moving` false, whenever the component renders for another reason. */
export function useNow(moving = true): number {
  return useSyncExternalStore(moving ? subscribe : still, () => now);
}
