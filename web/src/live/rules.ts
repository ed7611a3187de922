/** What an event of the log makes stale, how long to wait before asking again, and when a stream counts as lost. */

export type Stale = "trace" | "events" | "lists" | "approvals" | "escalations";

const TURNS_OF_A_LIST = new Set([
  "run.claimed",
  "run.parked",
  "run.resumed",
  "run.released",
  "run.retried",
  "run.finished",
  "run.cancel_requested",
]);

/** The parts of the cache that no longer hold after an event of this kind. */
export function staleAfter(kind: string): readonly Stale[] {
  if (kind.startsWith("approval.")) return ["trace", "events", "approvals"];
  if (kind === "run.escalated") return ["trace", "events", "escalations"];
  if (kind.startsWith("message.")) return kind === "message.added" ? ["trace", "events"] : [];
  return TURNS_OF_A_LIST.has(kind) ? ["trace", "events", "lists"] : ["trace", "events"];
}

/** A comment comes every 15 s; after this long without a byte the stream is taken for lost. */
export const SILENCE = 22_000;

/** Time until the next try to connect: doubling from half a second, at most 10 s. */
export function backoff(tries: number): number {
  return Math.min(10_000, 500 * 2 ** Math.min(tries, 5));
}

/** Time from an event to asking for the trace again: a big trace is asked for less often, so that it never queues up. */
export function settling(lastAnswerMs: number): number {
  return Math.min(3_000, Math.max(150, lastAnswerMs * 3));
}
