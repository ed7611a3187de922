/** Reads the facts of logged events, whose data is open: what is missing or of another type is left out, never guessed. */
import { isObject } from "../../api/problems";
import type { Part } from "../../api/shapes";

export type Bag = Readonly<Record<string, unknown>>;

export function words(bag: Bag, name: string): string | null {
  const value = bag[name];
  return typeof value === "string" && value !== "" ? value : null;
}

export function number(bag: Bag, name: string): number | null {
  const value = bag[name];
  return typeof value === "number" ? value : null;
}

export function bag(value: Bag, name: string): Bag | null {
  const found = value[name];
  return isObject(found) ? found : null;
}

export function list(value: Bag, name: string): readonly unknown[] {
  const found = value[name];
  return Array.isArray(found) ? (found as unknown[]) : [];
}

export function strings(value: Bag, name: string): string[] {
  return list(value, name).filter((each) => typeof each === "string");
}

const PARTS = new Set(["text", "stored", "thinking", "call"]);

/** The content of a message or a tool's answer; parts of kinds that this version doesn't know are shown as JSON text. */
export function parts(value: Bag, name: string): Part[] {
  return list(value, name)
    .filter(isObject)
    .map((part) =>
      PARTS.has(String(part.type)) ? (part as unknown as Part) : { type: "text", text: JSON.stringify(part) },
    );
}

/** The text of this length in an event that begins like this one, of which only the beginning is known. */
export function wholeText(value: unknown, beginning: string, length: number): string | null {
  const start = beginning.replace(/…$/, "").trimEnd();
  if (typeof value === "string") return value.length >= length && value.startsWith(start) ? value : null;
  if (typeof value !== "object" || value === null) return null;
  for (const each of Object.values(value)) {
    const found = wholeText(each, beginning, length);
    if (found !== null) return found;
  }
  return null;
}
