import { describe, expect, it } from "vitest";
import type { Run } from "../../api/shapes";
import { applied, byCause, causeOf, chosen, filtersOf, paramsOf, searchOf, toggled, viewOf, without } from "./filters";

const run = (rest: Partial<Run>): Run =>
  ({
    run_id: "r",
    status: "failed",
    why: "",
    error_code: null,
    reason: null,
    agent: "desk",
    release: "a",
    created_at: "",
    ...rest,
  }) as Run;

describe("filters in the URL", () => {
  it("come back as they were written", () => {
    const filters = filtersOf({ status: "failed,stopped", agent: "desk", q: "order 7", range: "24h", cause: "loop" });
    expect(filtersOf(searchOf(filters))).toEqual(filters);
    expect(searchOf(filters)).toEqual({
      status: "failed,stopped",
      agent: "desk",
      q: "order 7",
      range: "24h",
      cause: "loop",
    });
  });

  it("leave out what nobody knows, instead of breaking the page", () => {
    expect(filtersOf({ status: "failed,burning", range: "9y", q: "", user: 7, other: "x" })).toEqual({
      status: ["failed"],
      user: "7",
    });
    expect(filtersOf({ range: "toString" })).toEqual({});
  });
});

describe("filters as the API takes them", () => {
  it("round the time to the minute, so that the same view asks the same question", () => {
    const first = paramsOf({ range: "1h" }, Date.parse("2026-11-20T12:00:05Z"));
    const second = paramsOf({ range: "1h" }, Date.parse("2026-11-20T12:00:55Z"));
    expect(first.since).toBe("2026-11-20T11:00:00.000Z");
    expect(second).toEqual(first);
  });
});

describe("choosing", () => {
  it("puts a state in and takes it out again", () => {
    const one = toggled({}, "failed");
    expect(toggled(one, "stopped").status).toEqual(["failed", "stopped"]);
    expect(toggled(one, "failed")).toEqual({});
  });

  it("replaces an agent, and lets go of it", () => {
    expect(chosen({ agent: "a" }, "agent", "b")).toEqual({ agent: "b" });
    expect(chosen({ agent: "a" }, "agent", "a")).toEqual({});
  });

  it("knows which view the filters are", () => {
    expect(viewOf({})).toBe("All");
    expect(viewOf({ status: ["failed"] })).toBe("Failed");
    expect(viewOf({ status: ["failed", "stopped"] })).toBeNull();
    expect(viewOf({ status: ["waiting_for_outcome", "waiting_for_approval", "waiting_for_connection"] })).toBe(
      "Needs a person",
    );
  });

  it("says in words what is applied, and removes one of it", () => {
    const filters = filtersOf({ status: "failed", q: "tea", release: "a".repeat(64) });
    expect(applied(filters).map((each) => each.words)).toEqual(["failed", "release aaaaaaaaaaaa", "“tea”"]);
    expect(without(filters, "q")).toEqual(filtersOf({ status: "failed", release: "a".repeat(64) }));
  });
});

describe("runs by cause", () => {
  it("puts those together that differ only in their own numbers, ids and words", () => {
    const same = [
      "order 88121 not found after 3 tries",
      "order 90412 not found after 5 tries",
      "order 1 not found after 10 tries",
    ].map((why) => causeOf(run({ why })));
    expect(new Set(same).size).toBe(1);
    expect(causeOf(run({ why: 'no agent "a"' }))).toBe(causeOf(run({ why: 'no agent "b"' })));
    expect(causeOf(run({ why: "run 01a1f8a8-87bd-7a1f-9256-f9bac68e8064 is gone" }))).toBe("run … is gone");
  });

  it("keeps an HTTP status, which is the point of the sentence", () => {
    expect(causeOf(run({ why: "refund returned 409" }))).not.toBe(causeOf(run({ why: "refund returned 502" })));
  });

  it("has none for what went well or still goes on", () => {
    expect(
      (["succeeded", "running", "queued", "cancelled"] as const).map((status) => causeOf(run({ status, why: "x" }))),
    ).toEqual([null, null, null, null]);
  });

  it("falls back to the code, the reason, the state", () => {
    expect(causeOf(run({ error_code: "tool.timeout" }))).toBe("tool.timeout");
    expect(causeOf(run({ status: "stopped", reason: "steps" }))).toBe("steps");
    expect(causeOf(run({}))).toBe("Failed");
  });

  it("lists the largest group first, in its own words where they are all the same", () => {
    const groups = byCause([
      run({ why: "lonely" }),
      run({ why: "failed 3 times", release: "a", created_at: "2026-01-01" }),
      run({ why: "failed 3 times", release: "b", created_at: "2026-01-03" }),
    ]);
    expect(groups.map((group) => [group.cause, group.runs.length])).toEqual([
      ["failed 3 times", 2],
      ["lonely", 1],
    ]);
    expect(groups[0]).toMatchObject({ releases: ["a", "b"], latest: "2026-01-03" });
  });
});
