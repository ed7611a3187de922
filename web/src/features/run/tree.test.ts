import { describe, expect, it } from "vitest";
import { span } from "../../test-spans";
import { above, ledgerName, nextFault, plant, rowsOf, spanAt } from "./tree";

const none = { folded: new Set<string>(), words: "" };
const run = span("run", 0, 10, { kind: "run" });
const attempt = span("attempt", 0, 10, { kind: "attempt", parent: "run", seq: 2 });
const model = span("model", 0, 2, { kind: "model", parent: "attempt", seq: 3, end_seq: 4 });
const refund = span("refund", 2, 3, { parent: "attempt", seq: 5, end_seq: 6, status: "error", risk: "money" });
const late = span("late", 4, 5, { parent: "attempt", seq: 7, end_seq: 8, status: "unknown" });
const spans = [late, refund, run, model, attempt];

const names = (shown: Parameters<typeof rowsOf>[1]): string[] => rowsOf(plant(spans), shown).map((row) => row.span.id);

describe("rows", () => {
  it("stand under their parents in the order of time, however they came", () => {
    const rows = rowsOf(plant(spans), none);
    expect(rows.map((row) => [row.span.id, row.depth, row.beneath])).toEqual([
      ["run", 0, 4],
      ["attempt", 1, 3],
      ["model", 2, 0],
      ["refund", 2, 0],
      ["late", 2, 0],
    ]);
  });

  it("show what is beneath a folded one no longer, but that something failed there", () => {
    const rows = rowsOf(plant(spans), { folded: new Set(["attempt"]), words: "" });
    expect(rows.map((row) => [row.span.id, row.failed])).toEqual([
      ["run", false],
      ["attempt", true],
    ]);
  });

  it("keep what stands above a find, and find by name, kind, status and risk", () => {
    expect(names({ ...none, words: "refund" })).toEqual(["run", "attempt", "refund"]);
    expect(names({ ...none, words: " MONEY " })).toEqual(["run", "attempt", "refund"]);
    expect(names({ ...none, words: "unknown" })).toEqual(["run", "attempt", "late"]);
    expect(names({ ...none, words: "nothing of that kind" })).toEqual([]);
  });

  it("find inside what is folded", () => {
    expect(names({ folded: new Set(["run"]), words: "model" })).toContain("model");
  });

  it("come to an end where parents stand in a circle or are missing", () => {
    const odd = [
      span("a", 0, 1, { parent: "b" }),
      span("b", 0, 1, { parent: "a" }),
      span("c", 0, 1, { parent: "gone" }),
    ];
    expect(rowsOf(plant(odd), none).map((row) => row.span.id)).toEqual(["c"]);
    expect(above(odd, "a")).toEqual(["b", "a"]);
    const own = [span("self", 0, 1, { parent: "self" })];
    expect(rowsOf(plant(own), none)).toHaveLength(1);
  });

  it("are made of two thousand spans in a moment", () => {
    const many = [
      run,
      attempt,
      ...Array.from({ length: 2000 }, (_, at) => span(`s${at}`, at, at + 1, { parent: "attempt" })),
    ];
    const began = performance.now();
    expect(rowsOf(plant(many), none)).toHaveLength(2002);
    expect(performance.now() - began).toBeLessThan(200);
  });
});

describe("going from error to error", () => {
  const rows = rowsOf(plant(spans), none);

  it("goes to the next one and, after the last, to the first", () => {
    expect([nextFault(rows, -1), nextFault(rows, 3), nextFault(rows, 4)]).toEqual([3, 4, 3]);
  });

  it("says where there is none", () => {
    expect(nextFault(rowsOf(plant([run]), none), 0)).toBe(-1);
  });
});

describe("the span of an event", () => {
  it("is the one that it begins or ends", () => {
    expect([spanAt(spans, 5)?.id, spanAt(spans, 8)?.id]).toEqual(["refund", "late"]);
  });

  it("is the closest one around it where it does neither", () => {
    const open = span("open", 0, null, { seq: 3, end_seq: null });
    const closed = span("closed", 0, 1, { seq: 4, end_seq: 9 });
    expect(spanAt([open, closed], 6)?.id).toBe("closed");
    expect(spanAt([open, closed], 20)?.id).toBe("open");
  });

  it("is the run's own where nothing else holds it", () => {
    expect(spanAt([span("run", 0, 1, { kind: "run", seq: 1, end_seq: 9 })], 9)?.id).toBe("run");
    expect(spanAt([], 3)).toBeUndefined();
  });
});

describe("the ledger", () => {
  it("names a call by its step, because ids of calls come again", () => {
    expect(ledgerName(span("t", 0, 1, { attributes: { step: 2, call: "call_0" } }))).toBe("2/call_0");
    expect(ledgerName(span("t", 0, 1, { kind: "policy", attributes: { step: 2, call: "call_0" } }))).toBeNull();
    expect(ledgerName(span("t", 0, 1))).toBeNull();
  });
});
