/** Spans for tests: only what a test speaks of is said, all else is quiet. */
import type { Span } from "./api/shapes";

export const BEGAN = Date.parse("2026-11-20T12:00:00.000Z");

/** A span from `from` to `to`, in seconds after the beginning; `to` null: it goes on. */
export function span(id: string, from: number, to: number | null, rest: Partial<Span> = {}): Span {
  const at = (seconds: number): string => new Date(BEGAN + seconds * 1000).toISOString();
  return {
    id,
    parent: null,
    seq: 1,
    end_seq: null,
    kind: "tool",
    name: id,
    status: to === null ? "running" : "ok",
    start: at(from),
    end: to === null ? null : at(to),
    ms: to === null ? 0 : (to - from) * 1000,
    risk: null,
    attributes: {},
    ...rest,
  };
}
