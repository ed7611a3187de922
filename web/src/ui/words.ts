/** How numbers, times and states are said. Pure, so that a table of examples can hold them. */
import type { Risk, Status } from "../api/shapes";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `380 ms`, `3.8 s`, `42 s`, `1m 37s`, `2h 05m`, `3d 4h`: never `2m 60s`. */
export function duration(ms: number): string {
  const whole = Math.round(ms);
  if (whole < SECOND) return `${Math.max(0, whole)} ms`;
  if (whole < 10 * SECOND - 50) return `${(whole / SECOND).toFixed(1)} s`;
  const seconds = Math.round(whole / SECOND);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${pad(seconds % 60)}s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)}h ${pad(minutes % 60)}m`;
  const hours = Math.round(minutes / 60);
  return `${Math.floor(hours / 24)}d ${hours % 24}h`;
}

/** A point on a time axis, in the unit of the step between two marks: `0`, `0.5 s`, `20 s`, `1m 30s`. */
export function mark(ms: number, step: number): string {
  if (ms === 0) return "0";
  if (step < SECOND && ms < SECOND) return `${Math.round(ms)} ms`;
  if (step < SECOND && ms < MINUTE) return `${(ms / SECOND).toFixed(step < 100 ? 2 : 1)} s`;
  return duration(Math.round(ms / SECOND) * SECOND)
    .replace(/\.0 s$/, " s")
    .replace(/ 00[sm]$/, "");
}

/** Micro-dollars as people write money: small sums keep the digits that matter. */
export function money(micro: number): string {
  const dollars = micro / 1e6;
  if (micro === 0) return "$0";
  if (dollars < 0.01) return `$${dollars.toFixed(micro < 100 ? 6 : 4)}`;
  if (dollars < 10) return `$${dollars.toFixed(3)}`;
  return `$${dollars.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
}

/** `22,580` */
export function count(n: number): string {
  return n.toLocaleString("en-US");
}

/** `1 run`, `14 runs` */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/** `1.2 KB` */
export function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(1)} KB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}

/** How long ago, for lists: `now`, `12 s ago`, `3 min ago`, `5 h ago`, `2 d ago`. */
export function ago(at: string | number, now: number): string {
  const ms = now - (typeof at === "number" ? at : Date.parse(at));
  if (ms < 2 * SECOND) return "now";
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s ago`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min ago`;
  if (ms < 2 * DAY) return `${Math.floor(ms / HOUR)} h ago`;
  return `${Math.floor(ms / DAY)} d ago`;
}

/** Local wall-clock time with seconds; the date too when it was not today. */
export function clock(at: string, now: number): string {
  const then = new Date(at);
  const time = `${pad(then.getHours())}:${pad(then.getMinutes())}:${pad(then.getSeconds())}`;
  if (then.toDateString() === new Date(now).toDateString()) return time;
  return `${then.getDate()} ${MONTHS[then.getMonth()] ?? ""} ${time}`;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** The last characters of a run's id: its beginning is a time and looks alike for all runs of an hour. */
export function shortId(id: string): string {
  return id.slice(-8);
}

export type Tone = "quiet" | "run" | "wait" | "stop" | "fail";

interface Standing {
  readonly word: string;
  readonly tone: Tone;
  /** Nothing more happens by itself. */
  readonly ended: boolean;
  /** A person has to do something. */
  readonly asks: boolean;
}

export const STANDINGS: Readonly<Record<Status, Standing>> = {
  queued: { word: "Queued", tone: "quiet", ended: false, asks: false },
  running: { word: "Running", tone: "run", ended: false, asks: false },
  waiting_for_approval: { word: "Needs approval", tone: "wait", ended: false, asks: true },
  waiting_for_connection: { word: "Needs sign-in", tone: "wait", ended: false, asks: true },
  waiting_for_outcome: { word: "Needs outcome", tone: "wait", ended: false, asks: true },
  waiting_for_retry: { word: "Retrying", tone: "run", ended: false, asks: false },
  cancelling: { word: "Cancelling", tone: "stop", ended: false, asks: false },
  succeeded: { word: "Succeeded", tone: "quiet", ended: true, asks: false },
  failed: { word: "Failed", tone: "fail", ended: true, asks: false },
  stopped: { word: "Stopped", tone: "stop", ended: true, asks: false },
  cancelled: { word: "Cancelled", tone: "quiet", ended: true, asks: false },
};

export const STATUSES = Object.keys(STANDINGS) as Status[];

export const RISKS: Readonly<Record<Risk, { word: string; tone: Tone }>> = {
  read: { word: "read", tone: "quiet" },
  write: { word: "write", tone: "run" },
  money: { word: "money", tone: "stop" },
  irreversible: { word: "irreversible", tone: "fail" },
};

/** How dangerous what a tool does is, from the effect that its author declared. */
export function riskOf(effect: string): Risk {
  if (effect === "read") return "read";
  if (effect === "payment") return "money";
  if (effect === "deletion" || effect === "access_change" || effect === "production_change") return "irreversible";
  return effect === "external_message" ? "irreversible" : "write";
}

/** `did_not_happen` → `did not happen` */
export function spaced(word: string): string {
  return word.replaceAll("_", " ");
}

function pad(n: number): string {
  return String(n).padStart(2, "0");
}
