import { describe, expect, it } from "vitest";
import { ago, clock, duration, mark, money, plural, riskOf, shortId, size, STANDINGS, STATUSES } from "./words";

describe("durations", () => {
  it.each([
    [0, "0 ms"],
    [-5, "0 ms"],
    [380, "380 ms"],
    [999.4, "999 ms"],
    [1000, "1.0 s"],
    [9940, "9.9 s"],
    [9990, "10 s"],
    [59_400, "59 s"],
    [59_600, "1m 00s"],
    [97_000, "1m 37s"],
    [119_700, "2m 00s"],
    [3_599_000, "59m 59s"],
    [3_600_000, "1h 00m"],
    [7_500_000, "2h 05m"],
    [86_400_000, "1d 0h"],
    [273_600_000, "3d 4h"],
  ])("%d ms is said as %s, and never as 2m 60s", (ms, words) => {
    expect(duration(ms)).toBe(words);
  });

  it.each([
    [0, 5000, "0"],
    [250, 50, "250 ms"],
    [1500, 500, "1.5 s"],
    [1250, 50, "1.25 s"],
    [5000, 5000, "5 s"],
    [60_000, 20_000, "1m"],
    [80_000, 20_000, "1m 20s"],
    [7_200_000, 3_600_000, "2h"],
  ])("%d ms on an axis with steps of %d is %s", (ms, step, words) => {
    expect(mark(ms, step)).toBe(words);
  });
});

describe("money", () => {
  it.each([
    [0, "$0"],
    [42, "$0.000042"],
    [7500, "$0.0075"],
    [74_000, "$0.074"],
    [1_240_000, "$1.240"],
    [12_345_678_900, "$12,345.68"],
  ])("%d micro-dollars are %s", (micro, words) => {
    expect(money(micro)).toBe(words);
  });
});

describe("times", () => {
  const now = Date.parse("2026-11-20T12:00:00Z");

  it("says how long ago in one unit", () => {
    const before = (ms: number): string => ago(new Date(now - ms).toISOString(), now);
    expect([before(400), before(12_000), before(185_000), before(18_100_000), before(200_000_000)]).toEqual([
      "now",
      "12 s ago",
      "3 min ago",
      "5 h ago",
      "2 d ago",
    ]);
  });

  it("leaves the date out of a time of the same day and says it for another", () => {
    const at = new Date(now);
    expect(clock(at.toISOString(), now)).toMatch(/^\d\d:\d\d:\d\d$/);
    expect(clock(at.toISOString(), now + 3 * 86_400_000)).toMatch(/^\d+ Nov \d\d:\d\d:\d\d$/);
  });
});

describe("small words", () => {
  it("counts one and many", () => {
    expect([plural(1, "run"), plural(1400, "run"), plural(2, "try", "tries")]).toEqual([
      "1 run",
      "1,400 runs",
      "2 tries",
    ]);
  });

  it("shows sizes in the unit that fits", () => {
    expect([size(512), size(2048), size(3_670_016)]).toEqual(["512 B", "2.0 KB", "3.5 MB"]);
  });

  it("shortens a run's id to its end, because its beginning is a time", () => {
    expect(shortId("01a1f8a8-87bd-7a1f-9256-f9bac68e8064")).toBe("c68e8064");
  });

  it("gives every state words and marks those in which a person must act", () => {
    expect(STATUSES).toHaveLength(11);
    expect(STATUSES.filter((status) => STANDINGS[status].asks)).toEqual([
      "waiting_for_approval",
      "waiting_for_connection",
      "waiting_for_outcome",
    ]);
  });

  it("takes an effect that it doesn't know for a write, never for a read", () => {
    expect([riskOf("read"), riskOf("payment"), riskOf("deletion"), riskOf("something_new")]).toEqual([
      "read",
      "money",
      "irreversible",
      "write",
    ]);
  });
});
