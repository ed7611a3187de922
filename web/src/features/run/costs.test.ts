import { describe, expect, test } from "vitest";
import type { Budget, CostRow } from "../../api/shapes";
import { span } from "../../test-spans";
import { closingOf, limitOf, linesOf, totalsOf } from "./costs";
import { isFault } from "./tree";

const USAGE: CostRow["usage"] = { input: 1000, output: 50, cache_read: 400, cache_write: 0, reasoning: 7 };

function question(id: string, seq: number, attributes: Record<string, string | number>) {
  return span(id, seq, seq + 1, {
    kind: "model",
    seq,
    end_seq: seq + 1,
    attributes: { provider: "p", model: "m", ...attributes },
  });
}

describe("questions and what they cost", () => {
  const spans = [
    question("b", 10, {
      step: 2,
      route: "quick",
      route_why: "saves",
      degree: "cheaper",
      reserved_micro_usd: 90,
      notice: "little is left",
    }),
    question("a", 1, { step: 1, route: "main", reserved_micro_usd: 100 }),
    span("try", 11, 12, {
      kind: "model",
      parent: "b",
      seq: 11,
      status: "error",
      attributes: { try: 1, presumed_micro_usd: 30 },
    }),
    question("c", 20, { step: 3, purpose: "closing", uncovered_micro_usd: 4 }),
    span("tool", 3, 4),
  ];
  const cost: CostRow[] = [
    { step: 1, seq: 2, model: "m-served", usage: USAGE, cost: 60 },
    { step: 2, seq: 11, model: "m", usage: USAGE, cost: null },
    { step: 3, seq: 21, model: "m", usage: USAGE, cost: 12 },
  ];
  const lines = linesOf({ spans, cost });

  test("one line for each question, in the order of the log, with its tries", () => {
    expect(lines.map((line) => line.span.id)).toEqual(["a", "b", "c"]);
    expect(lines[1]).toMatchObject({
      lost: 1,
      presumed: 30,
      cost: null,
      route: "quick",
      why: "saves",
      notice: "little is left",
    });
    expect(lines[0]).toMatchObject({ model: "m-served", cost: 60, reserved: 100, lost: 0 });
  });

  test("what is not sure, and what has no price, is counted apart", () => {
    expect(totalsOf(lines)).toMatchObject({ presumed: 30, uncovered: 4, unpriced: 1, cached: 1200, reasoning: 21 });
    expect(totalsOf(lines).purposes).toEqual([
      ["", 90],
      ["closing", 12],
    ]);
  });

  test("a question that was never answered has no usage", () => {
    expect(linesOf({ spans: [question("a", 1, {})], cost: [] })[0]).toMatchObject({
      usage: null,
      cost: null,
      step: null,
    });
  });
});

describe("limits and ends", () => {
  const budget = (name: string, rest: Partial<Budget>): Budget => ({
    name,
    source: "tenant",
    agent: null,
    release: null,
    scope: "run",
    target: "*",
    budget_duration: "total",
    max_budget: 1,
    max_tokens: null,
    rpm_limit: null,
    tpm_limit: null,
    alert_at: [],
    why: "",
    set_by: "",
    created_at: null,
    updated_at: null,
    spending: [],
    ...rest,
  });

  test("the lowest limit of those that hold for this run counts", () => {
    const own = { source: "release", agent: "desk", max_budget: 0.5 } as const;
    const all = [
      budget("tenant", {}),
      budget("users", { scope: "user", max_budget: 0.1 }),
      budget("other", { ...own, release: "r2", max_budget: 0.01 }),
      budget("own", { ...own, release: "r1" }),
      budget("tokens", { max_budget: null, max_tokens: 1 }),
    ];
    expect(limitOf({ agent: "desk", release: "r1" }, all)?.name).toBe("own");
    expect(limitOf({ agent: "desk", release: "r3" }, all)?.name).toBe("tenant");
    expect(limitOf({ agent: "desk", release: "r3" }, [])).toBeNull();
  });

  test("a closing is found and is no error", () => {
    const closing = span("x", 1, 1, { kind: "message", name: "closing: out of steps", status: "denied" });
    expect(closingOf([span("y", 0, 1), closing])).toBe(closing);
    expect(isFault(closing)).toBe(false);
  });
});
