import { describe, expect, it } from "vitest";
import { BEGAN, span } from "../../test-spans";
import { marksOf, place, sharesOf, timelineOf, union, waitsOf } from "./timeline";

const now = BEGAN + 200_000;
const at = (seconds: number): number => BEGAN + seconds * 1000;

// 10 s of work, 100 s of waiting, 10 s of work.
const spans = [
  span("run", 0, 120, { kind: "run" }),
  span("model", 0, 10, { kind: "model" }),
  span("approval", 10, 110, { kind: "wait", status: "waiting" }),
  span("tool", 110, 120),
];

describe("the axis", () => {
  it("runs from the first beginning to the last end", () => {
    const line = timelineOf(spans, now, false);
    expect([place(line, at(0)), place(line, at(60)), place(line, at(120))]).toEqual([0, 0.5, 1]);
  });

  it("goes on until now where a span is open", () => {
    expect(timelineOf([span("open", 0, null)], now, false).to).toBe(now);
  });

  it("draws waiting short when it is cut, and the work in proportion", () => {
    const line = timelineOf(spans, now, true);
    const work = place(line, at(10));
    expect(work).toBeGreaterThan(0.45);
    expect(place(line, at(110)) - work).toBeCloseTo(0.035);
    expect(1 - place(line, at(110))).toBeCloseTo(work);
  });

  it("keeps every moment in order, cut or not", () => {
    for (const cutting of [false, true]) {
      const line = timelineOf(spans, now, cutting);
      const places = Array.from({ length: 121 }, (_, second) => place(line, at(second)));
      expect([...places].sort((a, b) => a - b)).toEqual(places);
      expect([places[0], places[120]]).toEqual([0, 1]);
    }
  });

  it("holds what lies outside at its ends", () => {
    const line = timelineOf(spans, now, true);
    expect([place(line, at(-50)), place(line, at(900))]).toEqual([0, 1]);
  });

  it("cuts nothing where there would be nothing but cuts", () => {
    const waits = [span("a", 0, 50, { kind: "wait" })];
    expect(timelineOf(waits, now, true).pieces).toHaveLength(1);
  });

  it("has a width even where nothing took any time", () => {
    const line = timelineOf([span("a", 3, 3)], now, false);
    expect(line.to - line.from).toBe(1);
    expect(timelineOf([], now, false).to).toBeGreaterThan(timelineOf([], now, false).from);
  });
});

describe("marks", () => {
  it("are round, begin at nought and keep their distance", () => {
    const marks = marksOf(timelineOf(spans, now, false), 7);
    expect(marks[0]).toEqual({ at: 0, words: "0" });
    expect(marks.map((mark) => mark.words)).toEqual(["0", "20 s", "40 s", "1m", "1m 20s", "1m 40s"]);
    for (const [n, mark] of marks.entries()) if (n > 0) expect(mark.at - (marks[n - 1]?.at ?? 0)).toBeGreaterThan(0.06);
  });

  it("count from the beginning of the run where only a part of it is drawn", () => {
    const near = timelineOf([span("tool", 110, 120)], now, false, BEGAN);
    expect(marksOf(near, 5).map((mark) => mark.words)).toContain("1m 52s");
  });

  it("leave out what lies in a cut", () => {
    const marks = marksOf(timelineOf(spans, now, true), 7).map((mark) => mark.words);
    expect(marks).toContain("5 s");
    expect(marks).not.toContain("40 s");
  });
});

describe("where the time went", () => {
  const shares = (of: typeof spans): Record<string, number> =>
    Object.fromEntries(sharesOf(of, now).map((share) => [share.kind, share.ms / 1000]));

  it("adds up to the whole, with waiting for people set apart", () => {
    expect(shares(spans)).toEqual({ wait: 100, model: 10, tool: 10 });
  });

  it("counts parallel calls once", () => {
    expect(shares([span("a", 0, 10), span("b", 2, 6), span("c", 5, 12)])).toEqual({ tool: 12 });
  });

  it("tells waiting for a time from waiting for people", () => {
    const retry = span("retry", 0, 30, { kind: "wait", attributes: { until: at(30) } });
    expect(shares([retry, span("tool", 30, 40)])).toEqual({ timer: 30, tool: 10 });
  });

  it("says what is left", () => {
    expect(shares([span("run", 0, 10, { kind: "run" }), span("tool", 2, 4)])).toEqual({ tool: 2, rest: 8 });
  });
});

describe("intervals", () => {
  it("that touch or overlap become one", () => {
    const of = (...pairs: [number, number][]) => union(pairs.map(([from, to]) => ({ from, to })));
    expect(of([5, 6], [1, 3], [3, 4], [2, 2])).toEqual([
      { from: 1, to: 4 },
      { from: 5, to: 6 },
    ]);
    expect(waitsOf(spans, now)).toEqual([{ from: at(10), to: at(110) }]);
  });
});
