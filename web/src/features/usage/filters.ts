/** What the usage page looks at, as it stands in the URL, and as the API is asked for it. */
import type { Params } from "../../api/client";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** Times that one can choose, with the stretches that the chart tells apart. */
export const PERIODS = {
  "24h": { word: "Last 24 hours", ms: DAY, every: "hour" },
  "7d": { word: "Last 7 days", ms: 7 * DAY, every: "day" },
  "30d": { word: "Last 30 days", ms: 30 * DAY, every: "day" },
  "90d": { word: "Last 90 days", ms: 90 * DAY, every: "day" },
  "365d": { word: "Last 12 months", ms: 365 * DAY, every: "month" },
} as const;

export type Period = keyof typeof PERIODS;
export type Every = (typeof PERIODS)[Period]["every"];

/** What cost can be told apart by. */
export const DIMENSIONS = {
  agent: "Agent",
  user: "User",
  model: "Model",
  tool: "Tool",
  route: "Route",
  purpose: "Purpose",
  release: "Release",
  run: "Run",
  tag: "Tag",
} as const;

export type Dimension = keyof typeof DIMENSIONS;

export const AMONG = { user: "users", agent: "agents", thread: "threads" } as const;
export type Among = keyof typeof AMONG;

export interface Looked {
  readonly by?: Dimension | undefined;
  /** Which tag, where one looks by tag. */
  readonly tag?: string | undefined;
  readonly range?: Period | undefined;
  readonly among?: Among | undefined;
}

const NAMED_TAG = /^[^\s,]{1,64}$/;

/** What a URL's search asks for; what is unknown is left out rather than refused. */
export function lookedOf(search: Readonly<Record<string, unknown>>): Looked {
  return {
    ...(isOf(DIMENSIONS, search.by) ? { by: search.by } : {}),
    ...(typeof search.tag === "string" && NAMED_TAG.test(search.tag) ? { tag: search.tag } : {}),
    ...(isOf(PERIODS, search.range) ? { range: search.range } : {}),
    ...(isOf(AMONG, search.among) ? { among: search.among } : {}),
  };
}

function isOf<Table extends object>(table: Table, name: unknown): name is keyof Table {
  return typeof name === "string" && Object.hasOwn(table, name);
}

export const USUAL: Period = "30d";
export const SHOWN = 20;

/** How the API is told by what; null where a tag is meant and none is named. */
export function keyOf({ by = "agent", tag }: Looked): string | null {
  if (by !== "tag") return by;
  return tag === undefined ? null : `tag:${tag}`;
}

/** The time that is looked at. `now` is rounded to the minute, so that equal views ask equal questions. */
export function sinceOf({ range = USUAL }: Looked, now: number): Params {
  return { since: new Date(Math.floor((now - PERIODS[range].ms) / 60_000) * 60_000).toISOString() };
}

/** The question behind the chart and the table below it. */
export function reportParams(looked: Looked, now: number): Params {
  return {
    ...sinceOf(looked, now),
    by: keyOf(looked) ?? "",
    every: PERIODS[looked.range ?? USUAL].every,
    tz: zone(),
    top: SHOWN,
  };
}

/** The same as a file: all groups that fit, still told apart in time. */
export function exportParams(looked: Looked, now: number): Params {
  return { ...reportParams(looked, now), top: 250, format: "csv" };
}

/** Days begin where the reader is; a browser that does not say where gets UTC. */
function zone(): string {
  const name = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return name === "" || name === "Etc/Unknown" ? "UTC" : name;
}
