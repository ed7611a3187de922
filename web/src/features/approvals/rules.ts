/** What a reviewer has to see: what differs from the last time, where values come from, how much time is left. */
import { isObject } from "../../api/problems";
import type { Approval, Session } from "../../api/shapes";
import { duration } from "../../ui/words";

/** A value in the arguments, by the path that the gate names it with: `to`, `items[0].account`. */
export interface Leaf {
  readonly path: string;
  readonly value: unknown;
}

/** All values that hold no others, from top to bottom. An empty list or object counts as a value. */
export function leavesOf(value: unknown, path = ""): Leaf[] {
  if (Array.isArray(value) && value.length > 0)
    return (value as unknown[]).flatMap((each, at) => leavesOf(each, `${path}[${at}]`));
  if (isObject(value) && Object.keys(value).length > 0)
    return Object.entries(value).flatMap(([name, each]) => leavesOf(each, path === "" ? name : `${path}.${name}`));
  return path === "" ? [] : [{ path, value }];
}

export type Change = "same" | "changed" | "added" | "removed" | "alone";

export interface Line {
  readonly path: string;
  /** Undefined where it was there the last time and is not now. */
  readonly value: unknown;
  /** Undefined where it was not there, or there was no last time. */
  readonly before: unknown;
  readonly change: Change;
  readonly origin: string | null;
}

/** Arguments beside those that were approved last, in the order of the new ones; what is gone stands at the end. */
export function linesOf(
  now: Readonly<Record<string, unknown>>,
  before: Readonly<Record<string, unknown>> | null,
  origins: Readonly<Record<string, string>>,
): Line[] {
  const old = new Map(before === null ? [] : leavesOf(before).map((leaf) => [leaf.path, leaf.value]));
  const lines = leavesOf(now).map(({ path, value }): Line => {
    const origin = originAt(origins, path);
    if (before === null) return { path, value, before: undefined, change: "alone", origin };
    if (!old.has(path)) return { path, value, before: undefined, change: "added", origin };
    const last = old.get(path);
    const change = JSON.stringify(last) === JSON.stringify(value) ? "same" : "changed";
    return { path, value, before: last, change, origin };
  });
  const kept = new Set(lines.map((line) => line.path));
  for (const [path, last] of old) {
    if (!kept.has(path)) lines.push({ path, value: undefined, before: last, change: "removed", origin: null });
  }
  return lines;
}

/** From the cleanest to what outsiders can have written. */
export const ORIGINS = ["author", "user", "reviewer", "trusted", "endorsed", "model", "untrusted"] as const;
export type Origin = (typeof ORIGINS)[number];

/** Where a value can have come from: what is said of the path, else of what holds it, else the worst of what it holds. */
export function originAt(origins: Readonly<Record<string, string>>, path: string): string | null {
  for (let at = path; at !== ""; at = at.replace(/(\.[^.[\]]+|\[\d+\]|^[^.[\]]+)$/, "")) {
    const found = origins[at];
    if (found !== undefined) return found;
  }
  const within = Object.entries(origins).filter(([name]) => name.startsWith(`${path}.`) || name.startsWith(`${path}[`));
  return worst(within.map(([, origin]) => origin));
}

/** The least clean; a word that this version doesn't know is worse than all that it knows. */
export function worst(origins: readonly string[]): string | null {
  let found: string | null = null;
  for (const origin of origins) if (found === null || rank(origin) > rank(found)) found = origin;
  return found;
}

function rank(origin: string): number {
  const at = ORIGINS.indexOf(origin as Origin);
  return at === -1 ? ORIGINS.length : at;
}

export interface Countdown {
  readonly words: string;
  readonly urgent: boolean;
  readonly over: boolean;
}

const SOON = 15 * 60_000;

/** How long one can still answer. */
export function countdown(expiresAt: string, now: number): Countdown {
  const left = Date.parse(expiresAt) - now;
  if (left <= 0) return { words: "time is up", urgent: true, over: true };
  return { words: `${short(left)} left`, urgent: left < SOON, over: false };
}

/** `42 s`, `12 min`, `3 h`, `2 d`: a queue needs no more digits. */
export function short(ms: number): string {
  if (ms < 60_000) return `${Math.max(0, Math.floor(ms / 1000))} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min`;
  if (ms < 48 * 3_600_000) return `${Math.floor(ms / 3_600_000)} h`;
  return `${Math.floor(ms / 86_400_000)} d`;
}

/** Whether this one's answer may be one of many: reads and plain writes that one person may approve. */
export function mayBatch(approval: Approval): boolean {
  return (
    approval.state === "pending" &&
    approval.people === 1 &&
    (approval.effect === "read" || approval.effect === "write") &&
    approval.risk_level !== "irreversible"
  );
}

/** Whether a yes is typed out: what can't be undone is never approved by a slip of a finger. */
export function isTyped(approval: Pick<Approval, "risk_level">): boolean {
  return approval.risk_level === "irreversible";
}

/** Why this session may not answer; null where it may. Only a courtesy: the server decides. */
export function refusalOf(approval: Approval, session: Session | null | undefined): string | null {
  if (session == null) return "Nobody is signed in.";
  const wanted = approval.roles.length === 0 ? ["reviewer"] : approval.roles;
  if (session.roles.includes("owner") || session.roles.some((role) => wanted.includes(role))) return null;
  return `Your key may look, not answer: that takes the role ${wanted.join(" or ")}.`;
}

/** What has become of a question, in one sentence. */
export function verdictOf(approval: Approval): string {
  const by = approval.answered_by.length > 0 ? ` by ${approval.answered_by.join(" and ")}` : "";
  const after = approval.answered_at === null ? "" : ` after ${duration(approval.age_s * 1000)}`;
  switch (approval.state) {
    case "approved":
      return `Approved${by}${after}${approval.consumed_at === null ? "; the call has not been made yet" : ""}.`;
    case "denied":
      return `Denied${by}${after}.`;
    case "expired":
      return "Nobody answered in time. That is not a denial: the agent was told that nobody answered.";
    case "withdrawn":
      return "Withdrawn: its run ended before anybody answered.";
    case "pending":
      return approval.people > 1
        ? `${approval.votes.length} of ${approval.people} people have said yes.`
        : "Waits for an answer.";
  }
}

/** What has been edited in a text of JSON: the arguments, or what is wrong with it. */
export function editedOf(text: string): { readonly arguments?: Record<string, unknown>; readonly fault?: string } {
  try {
    const value: unknown = JSON.parse(text);
    if (!isObject(value)) return { fault: "Arguments are an object: { … }" };
    return { arguments: value };
  } catch (fault) {
    return { fault: fault instanceof Error ? fault.message : "This is not JSON." };
  }
}

/** The queue from what runs out first; ties in the order in which they were asked. */
export function byExpiry(approvals: readonly Approval[]): Approval[] {
  return [...approvals].sort(
    (a, b) => Date.parse(a.expires_at) - Date.parse(b.expires_at) || Date.parse(a.asked_at) - Date.parse(b.asked_at),
  );
}
