import { describe, expect, it } from "vitest";
import { aboutOf, bodyOf, DRAFT, drafted, fitting, reachInWords, valueInWords } from "./rules";

const REACH = { agents: [], tools: [], running_runs: 0, queued_runs: 0, waiting_runs: 0, calls_in_flight: 0 };

describe("a switch that is being made", () => {
  it("offers only what fits its scope", () => {
    expect(fitting("model")).toEqual(["disable", "switch_model"]);
    expect(fitting("agent")).toContain("cap_steps");
    expect(fitting("tool")).not.toContain("read_only");
  });

  it("forgets what no longer fits when the scope changes", () => {
    const capped = { ...DRAFT, scope: "agent" as const, action: "cap_steps" as const, target: "desk" };
    expect(drafted(capped, { scope: "tool" })).toMatchObject({ scope: "tool", action: "disable", target: "" });
    expect(drafted(capped, { steps: "4" })).toMatchObject({ action: "cap_steps", target: "desk", steps: "4" });
  });

  it("is complete only with a target and the value that its action needs", () => {
    expect(bodyOf(DRAFT, "acme")).toBeNull();
    expect(bodyOf({ ...DRAFT, target: "pay" }, "acme")).toEqual({ scope: "tool", action: "disable", target: "pay" });
    const cap = { ...DRAFT, scope: "agent" as const, target: "desk", action: "cap_steps" as const };
    expect(bodyOf({ ...cap, steps: "many" }, "acme")).toBeNull();
    expect(bodyOf({ ...cap, steps: "5" }, "acme")).toMatchObject({ value: 5 });
    const money = { ...cap, action: "cap_budget" as const };
    expect(bodyOf({ ...money, budget: "a lot" }, "acme")).toBeNull();
    expect(bodyOf({ ...money, budget: "0.25" }, "acme")).toMatchObject({ action: "cap_budget", value: 0.25 });
    const other = { ...DRAFT, scope: "model" as const, target: "gpt", action: "switch_model" as const };
    expect(bodyOf({ ...other, provider: "p" }, "acme")).toBeNull();
    expect(bodyOf({ ...other, provider: "p", model: "m" }, "acme")).toMatchObject({
      value: { provider: "p", id: "m" },
    });
  });

  it("says what becomes of calls under way only where that can matter", () => {
    const draft = { ...DRAFT, target: "pay", cancel: true, lasts: "900", agent: "desk" };
    expect(bodyOf(draft, "acme")).toEqual({
      scope: "tool",
      action: "disable",
      target: "pay",
      agent: "desk",
      in_flight: "cancel",
      for_s: 900,
    });
    expect(bodyOf({ ...draft, action: "force_review" }, "acme")).not.toHaveProperty("in_flight");
  });

  it("for a whole tenant names the one that one acts in, for everything nobody", () => {
    expect(bodyOf({ ...DRAFT, scope: "tenant" }, "acme")).toMatchObject({ target: "acme" });
    expect(bodyOf({ ...DRAFT, scope: "tenant" }, null)).toBeNull();
    expect(bodyOf({ ...DRAFT, scope: "everything" }, null)).toEqual({ scope: "everything", action: "disable" });
  });
});

describe("what it would hit", () => {
  it("is said in one sentence", () => {
    expect(reachInWords(REACH)).toContain("nothing");
    expect(reachInWords({ ...REACH, agents: ["a"] })).toBe("1 agent; no run at this moment.");
    expect(reachInWords({ ...REACH, agents: ["a", "b"], running_runs: 1, calls_in_flight: 3 })).toBe(
      "2 agents; 1 run under way, 3 calls in flight.",
    );
  });
});

describe("a switch that stands", () => {
  it("says what it is about", () => {
    expect(aboutOf({ scope: "tool", target: "pay", agent: "desk" })).toBe("tool pay of desk");
    expect(aboutOf({ scope: "everything", target: "", agent: null })).toBe("everything");
    expect([valueInWords(null), valueInWords(5), valueInWords("ask_always")]).toEqual(["", "5", "ask always"]);
    expect(valueInWords({ provider: "p", id: "m" })).toBe("p/m");
  });
});
