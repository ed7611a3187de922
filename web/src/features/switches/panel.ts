/** The switches' panel, which opens over any page: from the header, by keyboard, or from what one wants to stop. */
import { useSyncExternalStore } from "react";
import type { Draft } from "./rules";

/** `throwing`: begin with the form, filled in this far. */
export type Panel = { readonly throwing: Partial<Draft> | null } | null;

let panel: Panel = null;
const listeners = new Set<() => void>();

export function openSwitches(throwing: Partial<Draft> | null = null): void {
  panel = { throwing };
  for (const listener of listeners) listener();
}

export function closeSwitches(): void {
  panel = null;
  for (const listener of listeners) listener();
}

export function usePanel(): Panel {
  return useSyncExternalStore(subscribe, () => panel);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
