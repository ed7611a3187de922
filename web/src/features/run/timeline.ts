/** Time on the page: where a moment stands, with long waits for people drawn short, and where the time went. */
import type { Span } from "../../api/shapes";
import { mark } from "../../ui/words";

interface Piece {
  readonly from: number;
  readonly to: number;
  /** Where the piece begins, and how wide it is, as parts of the whole. */
  readonly at: number;
  readonly width: number;
  readonly cut: boolean;
}

export interface Timeline {
  readonly from: number;
  readonly to: number;
  /** The moment that the marks count from: the beginning of the run, also where only a part of it is drawn. */
  readonly origin: number;
  readonly pieces: readonly Piece[];
}

export interface Interval {
  readonly from: number;
  readonly to: number;
}

/** How wide a wait is drawn when it is cut. */
const CUT = 0.035;

/** The axis that holds these spans. `cutting` draws each wait for a person as a narrow gap, so that the work can be seen. */
export function timelineOf(spans: readonly Span[], now: number, cutting: boolean, origin?: number): Timeline {
  const { from, to } = reach(spans, now);
  const zero = origin ?? from;
  const cuts = cutting ? waitsOf(spans, now).filter((wait) => wait.to - wait.from > (to - from) * CUT) : [];
  const free = to - from - cuts.reduce((sum, cut) => sum + cut.to - cut.from, 0);
  const room = 1 - CUT * cuts.length;
  if (cuts.length === 0 || free <= 0 || room <= 0.2) {
    return { from, to, origin: zero, pieces: [{ from, to, at: 0, width: 1, cut: false }] };
  }
  const pieces: Piece[] = [];
  let at = 0;
  let time = from;
  const add = (until: number, width: number, cut: boolean): void => {
    if (until <= time) return;
    pieces.push({ from: time, to: until, at, width, cut });
    at += width;
    time = until;
  };
  for (const cut of cuts) {
    add(cut.from, ((cut.from - time) / free) * room, false);
    add(cut.to, CUT, true);
  }
  add(to, 1 - at, false);
  return { from, to, origin: zero, pieces };
}

function reach(spans: readonly Span[], now: number): Interval {
  let from = Infinity;
  let to = -Infinity;
  for (const span of spans) {
    from = Math.min(from, Date.parse(span.start));
    to = Math.max(to, endOf(span, now));
  }
  if (from === Infinity) return { from: now, to: now + 1 };
  return { from, to: Math.max(to, from + 1) };
}

/** When it ended; a span that is open goes on until now. */
export function endOf(span: Span, now: number): number {
  if (span.end !== null) return Date.parse(span.end);
  return Math.max(now, Date.parse(span.start));
}

/** Where a moment stands, from 0 to 1. */
export function place(line: Timeline, moment: number): number {
  for (const piece of line.pieces) {
    if (moment > piece.to) continue;
    const inside = Math.max(0, moment - piece.from) / (piece.to - piece.from);
    return piece.at + Math.min(1, inside) * piece.width;
  }
  return 1;
}

export interface Mark {
  readonly at: number;
  readonly words: string;
}

const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500].concat(
  [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200, 86400, 172800, 604800].map(
    (s) => s * 1000,
  ),
);

/** Round marks along the axis, about `wanted` of them; none inside a cut, and none that would touch its neighbour. */
export function marksOf(line: Timeline, wanted: number): Mark[] {
  const drawn = line.pieces.reduce((sum, piece) => (piece.cut ? sum : sum + piece.to - piece.from), 0);
  const step = STEPS.find((each) => drawn / each <= wanted) ?? 604_800_000;
  const marks: Mark[] = [];
  let lastAt = -1;
  for (const piece of line.pieces) {
    if (piece.cut) continue;
    const first = Math.ceil((piece.from - line.origin) / step);
    for (let n = first; line.origin + n * step <= piece.to; n += 1) {
      const at = place(line, line.origin + n * step);
      if (at - lastAt < 0.45 / wanted || piece.at + piece.width - at < 0.4 / wanted) continue;
      marks.push({ at, words: mark(n * step, step) });
      lastAt = at;
    }
  }
  return marks;
}

/** Waits, as intervals that don't overlap. */
export function waitsOf(spans: readonly Span[], now: number): Interval[] {
  return union(spans.filter((span) => span.kind === "wait").map((span) => intervalOf(span, now)));
}

function intervalOf(span: Span, now: number): Interval {
  return { from: Date.parse(span.start), to: endOf(span, now) };
}

/** The same moments, each once. */
export function union(intervals: readonly Interval[]): Interval[] {
  const merged: { from: number; to: number }[] = [];
  for (const each of [...intervals].sort((a, b) => a.from - b.from)) {
    const last = merged.at(-1);
    if (last !== undefined && each.from <= last.to) last.to = Math.max(last.to, each.to);
    else merged.push({ ...each });
  }
  return merged;
}

function total(intervals: readonly Interval[]): number {
  return intervals.reduce((sum, each) => sum + each.to - each.from, 0);
}

export interface Share {
  readonly kind: "model" | "tool" | "queue" | "timer" | "wait" | "rest";
  readonly words: string;
  readonly ms: number;
}

const SHARES: readonly (Omit<Share, "ms"> & { readonly holds: (span: Span) => boolean })[] = [
  { kind: "wait", words: "waiting for people", holds: isForPeople },
  { kind: "queue", words: "queued", holds: (span) => span.kind === "queue" },
  { kind: "timer", words: "waiting for its time", holds: (span) => span.kind === "wait" },
  { kind: "tool", words: "tools", holds: (span) => span.kind === "tool" },
  { kind: "model", words: "model", holds: (span) => span.kind === "model" },
];

/** A wait that somebody ends; one that knows its own end is a timer. */
export function isForPeople(span: Span): boolean {
  return span.kind === "wait" && span.attributes.until == null;
}

/** Where the time went. Each moment counts once: parallel calls are not added up, and what overlaps goes to the first kind. */
export function sharesOf(spans: readonly Span[], now: number): Share[] {
  const { from, to } = reach(spans, now);
  let taken: Interval[] = [];
  const shares: Share[] = [];
  for (const { kind, words, holds } of SHARES) {
    const before = total(taken);
    taken = union([...taken, ...spans.filter(holds).map((span) => intervalOf(span, now))]);
    shares.push({ kind, words, ms: total(taken) - before });
  }
  shares.push({ kind: "rest", words: "everything else", ms: Math.max(0, to - from - total(taken)) });
  return shares.filter((share) => share.ms > 0);
}
