/** What the Runs page shows, as it stands in the URL: every view is a link that one can send. */
import type { Params } from "../../api/client";
import type { Run, Status } from "../../api/shapes";
import { spaced, STANDINGS, STATUSES } from "../../ui/words";

export interface Filters {
  readonly status?: readonly Status[];
  readonly agent?: string;
  readonly cause?: string;
  readonly user?: string;
  readonly release?: string;
  readonly thread?: string;
  readonly q?: string;
  readonly range?: Range;
}

export type Range = keyof typeof RANGES;

const HOUR = 3_600_000;

/** Time ranges that one can choose; without one, all runs that are kept. */
export const RANGES = {
  "1h": { word: "Last hour", ms: HOUR },
  "24h": { word: "Last 24 hours", ms: 24 * HOUR },
  "7d": { word: "Last 7 days", ms: 7 * 24 * HOUR },
  "30d": { word: "Last 30 days", ms: 30 * 24 * HOUR },
} as const;

/** The filters that a URL's search asks for. What is unknown or empty is left out rather than refused. */
export function filtersOf(search: Readonly<Record<string, unknown>>): Filters {
  const range = text(search.range);
  return compact({
    status: list(search.status).filter((word): word is Status => STATUSES.includes(word as Status)),
    agent: text(search.agent),
    cause: text(search.cause),
    user: text(search.user),
    release: text(search.release),
    thread: text(search.thread),
    q: text(search.q),
    range: range !== undefined && Object.hasOwn(RANGES, range) ? (range as Range) : undefined,
  });
}

/** The same as the URL writes it: lists joined with commas. */
export function searchOf(filters: Filters): Record<string, string> {
  const search: Record<string, string> = {};
  for (const [name, value] of Object.entries(filters) as [string, string | readonly string[] | undefined][]) {
    if (value !== undefined && value.length > 0) search[name] = typeof value === "string" ? value : value.join(",");
  }
  return search;
}

/** The same as the API takes it. `now` is rounded to the minute so that equal views ask equal questions. */
export function paramsOf(filters: Filters, now: number): Params {
  const since =
    filters.range === undefined ? undefined : Math.floor((now - RANGES[filters.range].ms) / 60_000) * 60_000;
  return {
    status: filters.status,
    agent: filters.agent,
    cause: filters.cause,
    user_id: filters.user,
    release: filters.release,
    thread_id: filters.thread,
    q: filters.q,
    since: since === undefined ? undefined : new Date(since).toISOString(),
  };
}

/** With one state put in or taken out. */
export function toggled(filters: Filters, status: Status): Filters {
  const present = filters.status ?? [];
  const next = present.includes(status) ? present.filter((each) => each !== status) : [...present, status];
  return compact({ ...filters, status: next });
}

/** With one value chosen, or no longer chosen where it was. */
export function chosen(filters: Filters, name: "agent" | "cause", value: string): Filters {
  return compact({ ...filters, [name]: filters[name] === value ? undefined : value });
}

export function without(filters: Filters, name: keyof Filters): Filters {
  return compact({ ...filters, [name]: undefined });
}

export interface Applied {
  readonly name: keyof Filters;
  readonly words: string;
}

/** What is filtered, in words, for the chips above the list. */
export function applied(filters: Filters): Applied[] {
  const found: Applied[] = [];
  const add = (name: keyof Filters, words: string | undefined): void => {
    if (words !== undefined && words !== "") found.push({ name, words });
  };
  add("status", filters.status?.map((status) => STANDINGS[status].word.toLowerCase()).join(" or "));
  add("agent", filters.agent);
  add("cause", filters.cause && `cause ${spaced(filters.cause)}`);
  add("user", filters.user && `user ${filters.user}`);
  add("release", filters.release && `release ${filters.release.slice(0, 12)}`);
  add("thread", filters.thread && `thread ${filters.thread.slice(-8)}`);
  add("q", filters.q && `“${filters.q}”`);
  add("range", filters.range && RANGES[filters.range].word.toLowerCase());
  return found;
}

/** Views that a person on call wants at once. */
export const VIEWS: readonly { readonly word: string; readonly status: readonly Status[] }[] = [
  { word: "All", status: [] },
  { word: "Active", status: ["queued", "running", "waiting_for_retry", "cancelling"] },
  { word: "Needs a person", status: ["waiting_for_approval", "waiting_for_connection", "waiting_for_outcome"] },
  { word: "Failed", status: ["failed"] },
  { word: "Stopped", status: ["stopped"] },
];

/** Which of the views the filters are, if they are one of them. */
export function viewOf(filters: Filters): string | null {
  const wanted = [...(filters.status ?? [])].sort().join();
  return VIEWS.find((view) => [...view.status].sort().join() === wanted)?.word ?? null;
}

export interface Group {
  readonly cause: string;
  readonly runs: readonly Run[];
  readonly agents: readonly string[];
  readonly releases: readonly string[];
  readonly latest: string;
  readonly status: Status;
}

/** Runs that did not simply succeed, by what they have in common; the largest group first. */
export function byCause(runs: readonly Run[]): Group[] {
  const groups = new Map<string, Run[]>();
  for (const run of runs) {
    const cause = causeOf(run);
    if (cause === null) continue;
    const group = groups.get(cause);
    if (group === undefined) groups.set(cause, [run]);
    else group.push(run);
  }
  return [...groups]
    .map(([cause, members]) => ({
      cause: members.every((run) => run.why === members[0]?.why) ? (members[0]?.why ?? cause) || cause : cause,
      runs: members,
      agents: distinct(members.map((run) => run.agent)),
      releases: distinct(members.map((run) => run.release)),
      latest: members.reduce((latest, run) => (run.created_at > latest ? run.created_at : latest), ""),
      status: members[0]?.status ?? "failed",
    }))
    .sort((a, b) => b.runs.length - a.runs.length || (a.latest < b.latest ? 1 : -1));
}

/** What a run has in common with others of its kind: its sentence without the numbers and ids that are its own. */
export function causeOf(run: Run): string | null {
  const standing = STANDINGS[run.status];
  if (run.status === "succeeded" || run.status === "cancelled" || (!standing.ended && !standing.asks)) return null;
  const words = [run.why, run.error_code, run.reason].find((each) => each != null && each !== "") ?? standing.word;
  return words
    .replace(/\b[0-9a-f]{8}-[0-9a-f-]{27}\b/gi, "…")
    .replace(/\b[0-9a-f]{12,}\b/gi, "…")
    .replace(/"[^"]{1,200}"|“[^”]{1,200}”/g, "“…”")
    .replace(/\$?\d[\d,.]*/g, (number) => (/^\d{3}$/.test(number) ? number : "#"));
}

function distinct(words: readonly string[]): string[] {
  return [...new Set(words)].sort();
}

function list(value: unknown): string[] {
  return typeof value === "string" ? value.split(",").filter((word) => word !== "") : [];
}

function text(value: unknown): string | undefined {
  if (typeof value === "number") return String(value);
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** Without what is undefined or an empty list, so that equal filters are equal keys. */
function compact(filters: { readonly [Name in keyof Filters]: Filters[Name] | undefined }): Filters {
  return Object.fromEntries(
    Object.entries(filters).filter(
      ([, value]) => value !== undefined && (typeof value === "string" || value.length > 0),
    ),
  );
}
