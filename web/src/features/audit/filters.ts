/** What the audit shows, as it stands in the URL. */
import type { Params } from "../../api/client";
import { type Range, RANGES } from "../runs/filters";

const WORDS = ["kind", "actor", "tool", "run", "verdict"] as const;
type Word = (typeof WORDS)[number];

export type Sought = Readonly<Partial<Record<Word, string>>> & { readonly range?: Range };

/** The filters that a URL's search asks for. */
export function soughtOf(search: Readonly<Record<string, unknown>>): Sought {
  const found: Partial<Record<Word, string>> & { range?: Range } = {};
  for (const name of WORDS) {
    const value = search[name];
    if (typeof value === "string" && value.trim() !== "") found[name] = value.trim();
  }
  if (typeof search.range === "string" && Object.hasOwn(RANGES, search.range)) found.range = search.range as Range;
  return found;
}

/** The same as the API takes it; `now` is rounded to the minute so that equal views ask equal questions. */
export function soughtParams({ range, ...words }: Sought, now: number): Params {
  if (range === undefined) return words;
  const since = Math.floor((now - RANGES[range].ms) / 60_000) * 60_000;
  return { ...words, since: new Date(since).toISOString() };
}

/** What is looked for, in words. */
export function soughtInWords({ range, ...words }: Sought): string[] {
  const found = Object.entries(words).map(([name, value]) => `${name} ${name === "run" ? value.slice(-8) : value}`);
  return range === undefined ? found : [...found, RANGES[range].word.toLowerCase()];
}
