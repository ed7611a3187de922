/** Keyboard: one listener for the page, short sequences such as `g r`, and a listing for the help that is always true. */
import { useEffect, useRef, useSyncExternalStore } from "react";

export interface Binding {
  /** `j`, `?`, `g r`, `mod+k`, `Enter`. */
  readonly keys: string;
  readonly words: string;
  readonly group: string;
  readonly act: () => void;
}

const SEQUENCE_MS = 900;

const bindings = new Set<Binding>();
const listeners = new Set<() => void>();
let listing: readonly Binding[] = [];
let begun = "";
let begunAt = 0;

/** Bind while the component is there. The functions may change at every render; the listing only with the keys. */
export function useKeys(wanted: readonly Binding[]): void {
  const latest = useRef(wanted);
  useEffect(() => {
    latest.current = wanted;
  });
  const signature = wanted.map((binding) => `${binding.keys}\u0000${binding.words}`).join("\u0001");
  useEffect(() => {
    const own = latest.current.map((binding, at) => ({ ...binding, act: () => latest.current[at]?.act() }));
    for (const binding of own) bindings.add(binding);
    tell();
    return () => {
      for (const binding of own) bindings.delete(binding);
      tell();
    };
  }, [signature]);
}

/** What can be pressed right now. */
export function useListing(): readonly Binding[] {
  return useSyncExternalStore(subscribe, () => listing);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tell(): void {
  listing = [...bindings];
  for (const listener of listeners) listener();
}

/** Install the one listener. Returns a function that takes it away again. */
export function listen(target: Document): () => void {
  target.addEventListener("keydown", onKeyDown);
  return () => target.removeEventListener("keydown", onKeyDown);
}

function onKeyDown(event: KeyboardEvent): void {
  const key = nameOf(event);
  if (key === null || event.defaultPrevented) return;
  if (!key.startsWith("mod+") && (isTyping(event.target) || isDialogOpen())) return;
  const found = take(key, event.timeStamp);
  // A focused button or link keeps its own Enter.
  if (found === undefined || (key === "Enter" && isControl(event.target))) return;
  event.preventDefault();
  found.act();
}

/** The binding that this key completes; otherwise remembers it as the possible beginning of a sequence. */
function take(key: string, at: number): Binding | undefined {
  const sequence = begun !== "" && at - begunAt < SEQUENCE_MS ? `${begun} ${key}` : key;
  const found = find(sequence) ?? find(key);
  begun = found === undefined && [...bindings].some((binding) => binding.keys.startsWith(`${key} `)) ? key : "";
  begunAt = at;
  return found;
}

/** The latest binding wins: a page's over the shell's. */
function find(keys: string): Binding | undefined {
  return [...bindings].reverse().find((binding) => binding.keys === keys);
}

/** How a key is written in a binding; null for what is never bound (Ctrl+C, Alt+Tab and the like). */
export function nameOf(event: Pick<KeyboardEvent, "key" | "metaKey" | "ctrlKey" | "altKey">): string | null {
  if (event.altKey) return null;
  if (event.metaKey || event.ctrlKey) return event.key.toLowerCase() === "k" ? "mod+k" : null;
  return event.key;
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName);
}

function isControl(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest("a, button, summary, [role=menuitem]") !== null;
}

function isDialogOpen(): boolean {
  return document.querySelector("[role=dialog], [role=menu]") !== null;
}
