import { describe, expect, test } from "vitest";
import type { Account, Budget, Suggestion } from "../../api/shapes";
import {
  amount,
  bodyOf,
  dollars,
  DRAFT,
  drafted,
  draftOf,
  faultsOf,
  limitsInWords,
  partsOf,
  standingOf,
  suggested,
  until,
  whoInWords,
  worstOf,
} from "./rules";

const ACCOUNT: Account = {
  account: "maria",
  tenant: null,
  unit: "micro_usd",
  limit: 2_000_000,
  spent: 500_000,
  reserved: 0,
  uncovered: 0,
  presumed: 0,
  left: 1_500_000,
  used_percent: 25,
  began_at: "2026-11-20T00:00:00Z",
  renews_at: "2026-11-21T00:00:00Z",
  projected_at: null,
};

const BUDGET: Budget = {
  name: "each-user",
  source: "tenant",
  agent: null,
  release: null,
  scope: "user",
  target: "*",
  budget_duration: "1d",
  max_budget: 2,
  max_tokens: null,
  rpm_limit: null,
  tpm_limit: null,
  alert_at: [50, 80, 100],
  why: "",
  set_by: "owner",
  created_at: null,
  updated_at: null,
  spending: [],
};

describe("how an account stands", () => {
  test("an account far from its limit is quiet", () => {
    expect(standingOf(ACCOUNT).tone).toBe("quiet");
  });

  test("one that will run out before it renews is said early", () => {
    expect(standingOf({ ...ACCOUNT, projected_at: "2026-11-20T20:00:00Z" }).word).toBe("runs out early");
  });

  test.each([
    [79.9, [50, 80, 100], "within"],
    [80, [50, 80, 100], "near its limit"],
    [71, [50, 70, 100], "near its limit"],
    [81, [], "near its limit"],
  ])("at %d %% with alerts at %j it is %s", (used_percent, levels, word) => {
    expect(standingOf({ ...ACCOUNT, used_percent }, levels).word).toBe(word);
  });

  test("one with nothing left is used up, and one that went beyond is overspent", () => {
    expect(standingOf({ ...ACCOUNT, left: 0 }).word).toBe("used up");
    const beyond = { ...ACCOUNT, spent: 2_000_000, uncovered: 1, left: 0 };
    expect(standingOf(beyond)).toMatchObject({ word: "overspent", tone: "fail" });
  });

  test("of money and tokens the worse one is shown", () => {
    const calm = { ...ACCOUNT, accounts: 1 };
    const spent = { ...calm, unit: "tokens" as const, left: 0, used_percent: 100 };
    expect(worstOf({ ...BUDGET, spending: [calm, spent] })?.spending.unit).toBe("tokens");
    expect(worstOf(BUDGET)).toBeNull();
  });

  test("the parts of a bar never add up to more than all of it", () => {
    const parts = partsOf({ ...ACCOUNT, limit: 0, spent: 3, uncovered: 2, reserved: 5 });
    expect(parts.spent + parts.uncovered + parts.reserved).toBe(1);
    expect(partsOf({ ...ACCOUNT, limit: 0, spent: 0 }).spent).toBe(0);
  });
});

describe("what a budget says", () => {
  test("all of its limits, exactly", () => {
    const all = { ...BUDGET, max_budget: 0.0005, max_tokens: 1000, rpm_limit: 1, tpm_limit: 2 };
    expect(limitsInWords(all)).toEqual(["$0.0005 a day", "1,000 tokens a day", "1 call a minute", "2 tokens a minute"]);
    expect(limitsInWords({ ...BUDGET, scope: "run", budget_duration: "total" })).toEqual(["$2.00"]);
  });

  test.each([
    ["user", "*", "each user"],
    ["user", "maria", "user maria"],
    ["tenant", "*", "the tenant"],
    ["everything", "*", "all tenants together"],
  ] as const)("%s %s is %s", (scope, target, words) => {
    expect(whoInWords({ scope, target })).toBe(words);
  });

  test("dollars are never rounded", () => {
    expect([0, 2, 12.5, 1234.567891, 0.000001].map(dollars)).toEqual([
      "$0.00",
      "$2.00",
      "$12.50",
      "$1,234.567891",
      "$0.000001",
    ]);
    expect(amount(1, "tokens")).toBe("1 token");
  });

  test("when something comes is said in the unit that fits", () => {
    const at = (ms: number): string => new Date(ms).toISOString();
    expect([1_000, 600_000, 7_200_000, 864_000_000].map((ms) => until(at(ms), 0))).toEqual([
      "in 1 s",
      "in 10 min",
      "in 2 h",
      "in 10 days",
    ]);
    expect(until(at(0), 5_000)).toBe("in 0 s");
  });
});

describe("setting one", () => {
  test("an empty form lacks a name and a limit", () => {
    expect(Object.keys(faultsOf(DRAFT))).toEqual(["name", "limits"]);
  });

  test.each([
    [{ name: "Each User" }, "name"],
    [{ usd: "1.2345678" }, "usd"],
    [{ usd: "1e3" }, "usd"],
    [{ usd: "-1" }, "usd"],
    [{ tokens: "1.5" }, "tokens"],
    [{ rpm: "99999999999999999" }, "rpm"],
    [{ alertAt: "0, 50" }, "alertAt"],
    [{ alertAt: "1 2 3 4 5 6 7 8 9 10 11" }, "alertAt"],
  ] as const)("%j is refused", (part, field) => {
    expect(faultsOf({ ...DRAFT, name: "a", usd: "1", ...part })).toHaveProperty(field);
  });

  test("what is typed goes to the API as it was, dollars as text", () => {
    const draft = { ...DRAFT, name: "a", usd: " 0.10 ", tokens: "200,000", alertAt: "100 80, 80", why: " night " };
    expect(faultsOf(draft)).toEqual({});
    expect(bodyOf(draft)).toEqual({
      scope: "user",
      target: "*",
      budget_duration: "1d",
      max_budget: "0.10",
      max_tokens: 200_000,
      rpm_limit: null,
      tpm_limit: null,
      alert_at: [80, 100],
      why: "night",
    });
  });

  test("a budget that is opened and saved again is the same", () => {
    const {
      name,
      source: _,
      agent: __,
      release: ___,
      set_by: ____,
      created_at: _____,
      updated_at: ______,
      spending,
      ...rest
    } = {
      ...BUDGET,
      target: "maria",
      max_tokens: 5,
      why: "because",
    };
    expect(spending).toEqual([]);
    expect(bodyOf(draftOf({ ...rest, name }))).toEqual({ ...rest, max_budget: "2.00" });
  });

  test("a request has no rate and no window but its own", () => {
    const draft = drafted({ ...DRAFT, target: "maria", rpm: "5" }, { scope: "request" });
    expect(draft).toMatchObject({ scope: "request", target: "", duration: "total", rpm: "" });
    expect(drafted(DRAFT, { scope: "agent" }).duration).toBe("1d");
  });

  test("a suggestion fills in the limits and leaves name, rates and alerts", () => {
    const spread = { p50: 1, p99: 2, max: 3, suggested: 4, over: 0 };
    const found: Suggestion = {
      scope: "user",
      target: "*",
      budget_duration: "1d",
      since: "",
      until: "",
      samples: 1,
      instances: 1,
      windows: 1,
      max_budget: spread,
      max_tokens: spread,
      words: "twice",
      warnings: [],
      budget: { ...bodyOf({ ...DRAFT, usd: "4", tokens: "9" }), max_budget: 4, why: "twice" },
    };
    const draft = suggested({ ...DRAFT, name: "mine", rpm: "7", alertAt: "90" }, found);
    expect(draft).toMatchObject({ name: "mine", rpm: "7", alertAt: "90", usd: "4.00", tokens: "9", why: "twice" });
  });
});
