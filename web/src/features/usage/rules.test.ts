import { describe, expect, test } from "vitest";
import type { UsageLine, UsageReport } from "../../api/shapes";
import { exportParams, keyOf, lookedOf, reportParams } from "./filters";
import { REST, seriesOf, share, signed, stretchesOf, stretchInWords, tickInWords, ticksOf } from "./rules";

const SUMS = {
  calls: 1,
  input_tokens: 10,
  output_tokens: 5,
  cache_read_tokens: 4,
  cache_write_tokens: 0,
  reasoning_tokens: 0,
  cost_micro_usd: 100,
  estimated_cost_usd: 0,
  presumed_micro_usd: 0,
  presumed_calls: 0,
  unpriced_calls: 0,
  saved_cache_micro_usd: -3,
  saved_route_micro_usd: 1,
  saved_trim_micro_usd: 0,
  trimmed_tokens: 0,
};
const DAY = 86_400_000;
const FIRST = new Date(2026, 10, 2).getTime();

function line(day: number, agent: string | null, cost: number, rest: Partial<UsageLine> = {}): UsageLine {
  const at = new Date(FIRST + day * DAY).toISOString();
  return { ...SUMS, at, keys: { agent }, rest: false, groups: 1, cost_micro_usd: cost, ...rest };
}

function report(...lines: UsageLine[]): UsageReport {
  const [since, until] = [FIRST + 3_600_000, FIRST + 4 * DAY].map((ms) => new Date(ms).toISOString());
  return { since: since ?? "", until: until ?? "", by: ["agent"], every: "day", tz: "UTC", lines, total: SUMS };
}

describe("series", () => {
  test("stretches go from the first to the last without a gap", () => {
    expect(stretchesOf(FIRST + 5, FIRST + 3 * DAY + 1, "day")).toHaveLength(4);
    expect(stretchesOf(FIRST, FIRST + 3_600_000 * 3, "hour")).toHaveLength(3);
    expect(stretchesOf(FIRST, FIRST + 90 * DAY, "month")).toHaveLength(3);
    expect(stretchesOf(FIRST, FIRST, "day")).toEqual([]);
  });

  test("a day without calls is a day that cost nothing", () => {
    const series = seriesOf(report(line(0, "a", 100), line(2, "a", 50)), "agent", "day");
    expect(series.costs).toEqual([100, 0, 50, 0]);
    expect(series.groups[0]?.costs).toEqual([100, 0, 50, 0]);
  });

  test("the dearest group is first, the rest last, and those without a name are told apart from both", () => {
    const others = line(1, null, 900, { rest: true, groups: 17 });
    const { groups } = seriesOf(report(line(0, "a", 10), line(0, null, 20), others, line(1, "b", 30)), "agent", "day");
    expect(groups.map((group) => group.name)).toEqual(["b", null, "a", null]);
    expect(groups.at(-1)).toMatchObject({ id: REST, groups: 17, rest: true });
    expect(groups[1]?.rest).toBe(false);
  });

  test("what caching cost more than it saved counts against the rest", () => {
    expect(seriesOf(report(line(0, "a", 10), line(1, "a", 10)), "agent", "day").groups[0]?.saved).toBe(-4);
  });
});

describe("words", () => {
  test("axes have round marks that reach above the largest", () => {
    expect(ticksOf(0)).toEqual([0, 1]);
    expect(ticksOf(2_570_000)).toEqual([0, 1_000_000, 2_000_000, 3_000_000]);
    expect(ticksOf(7).at(-1)).toBeGreaterThanOrEqual(7);
    expect([0, 2_500_000, 12_000_000_000, 500].map(tickInWords)).toEqual(["$0", "$2.5", "$12k", "$0.0005"]);
  });

  test("shares are never nought for what is something", () => {
    expect([0, 0.0004, 0.004, 0.0999, 0.41].map(share)).toEqual(["0 %", "< 0.1 %", "0.4 %", "10 %", "41 %"]);
    expect(signed(-1_500_000)).toBe("−$1.500");
  });

  test("a stretch is called by its length", () => {
    const at = new Date(2026, 10, 2, 14).getTime();
    expect([stretchInWords(at, "hour"), stretchInWords(at, "day"), stretchInWords(at, "month", true)]).toEqual([
      "14:00",
      "2 Nov",
      "Nov 2026",
    ]);
  });
});

describe("what is asked for", () => {
  test("unknown words of a URL are left out", () => {
    expect(lookedOf({ by: "toString", range: "9d", among: "x", tag: "a,b" })).toEqual({});
    expect(lookedOf({ by: "tag", tag: "plan", range: "7d" })).toEqual({ by: "tag", tag: "plan", range: "7d" });
  });

  test("by a tag nothing is asked before it is named", () => {
    expect(keyOf({ by: "tag" })).toBeNull();
    expect(keyOf({ by: "tag", tag: "plan" })).toBe("tag:plan");
    expect(keyOf({})).toBe("agent");
  });

  test("equal views ask equal questions within a minute", () => {
    const now = Math.floor(Date.now() / 60_000) * 60_000;
    expect(reportParams({}, now + 1)).toEqual(reportParams({}, now + 59_000));
    expect(exportParams({ range: "24h" }, now)).toMatchObject({ every: "hour", format: "csv" });
  });
});
