import { describe, expect, it } from "vitest";
import {
  byLine,
  conditionInWords,
  grantedOf,
  levelInWords,
  policyTextOf,
  rateInWords,
  sampleOf,
  toneOf,
  upTo,
} from "./rules";
import { NOTHING, together } from "./simulating";

const BASE =
  '@id("granted")\npermit (principal, action, resource);\n\n@id("ask")\nforbid (principal,\n  action, resource);\n';
const TEXTS = [{ name: "base", text: BASE, says: [] }];
const OWN = [{ name: "night", text: "// why\nforbid (principal, action, resource);" }];

describe("a policy behind its id", () => {
  it("is found by its own name or by its line, to the semicolon that ends it", () => {
    expect(policyTextOf("base/ask", TEXTS, OWN)?.text).toBe('@id("ask")\nforbid (principal,\n  action, resource);');
    expect(policyTextOf("night:2", TEXTS, OWN)).toEqual({
      name: "night",
      text: "forbid (principal, action, resource);",
      tenant: true,
    });
  });

  it("that is in no text is not made up", () => {
    expect(policyTextOf("other/ask", TEXTS, OWN)).toBeNull();
    expect(policyTextOf("base/unknown", TEXTS, OWN)?.text).toBe("");
    expect(policyTextOf("base:99", TEXTS, OWN)?.text).toBe("");
  });
});

describe("what a release grants", () => {
  it("is read from its manifest, and what is missing is left out", () => {
    const manifest = {
      tools: [
        {
          name: "pay",
          effect: "payment",
          destinations: ["card", 7],
          rates: [{ calls: 10, seconds: 60, per: "user" }],
          concurrency: 2,
        },
        "nonsense",
      ],
    };
    const [pay, ...rest] = grantedOf({ manifest });
    expect(rest).toEqual([]);
    expect(pay).toMatchObject({
      name: "pay",
      destinations: ["card"],
      rates: ["10 a minute per user", "2 at once"],
      trust: "",
    });
    expect(grantedOf({ manifest: {} })).toEqual([]);
  });

  it("goes up to its ceiling", () => {
    expect(upTo("ask_always")).toEqual(["suggest", "ask_always"]);
    expect(levelInWords("free")).toBe("acts freely");
    expect(levelInWords("new_level")).toBe("new level");
    expect(rateInWords({ calls: 3, seconds: 7 })).toBe("3 in 7 s");
  });

  it("begins an explanation with what is required", () => {
    const schema = {
      properties: { a: { type: "string" }, b: { type: "integer" }, c: { enum: ["x"] }, d: { type: "string" } },
      required: ["a", "b", "c"],
    };
    expect(sampleOf(schema)).toEqual({ a: "", b: 1, c: "x" });
    expect(sampleOf(null)).toEqual({});
  });
});

describe("what policies say", () => {
  it("is coloured only where somebody is asked or refused", () => {
    expect([toneOf("allow"), toneOf("depends"), toneOf("ask"), toneOf("deny")]).toEqual([
      "quiet",
      "quiet",
      "wait",
      "stop",
    ]);
  });

  it("is told with its conditions", () => {
    const condition = { verb: "forbid", when: ["a > 1", "b"], policy: "p", by: "tenant", reason: "" };
    expect(conditionInWords(condition)).toBe("denied if a > 1 and b");
    expect(conditionInWords({ ...condition, verb: "ask", when: [] })).toBe("asked always");
  });

  it("has its faults beside the line, and those of no line before all", () => {
    const finding = { file: "p", line: 2, column: 1, problem: "", fix: "", warning: false };
    const found = byLine([finding, { ...finding, line: 9 }], 3);
    expect(found.get(2)).toHaveLength(1);
    expect(found.get(0)).toHaveLength(1);
  });
});

describe("a simulation in parts", () => {
  it("adds up", () => {
    const part = { runs: 2, calls: 5, unread: 1, changed: [{ call: "c" }] as never[] };
    expect(together(together(NOTHING, part), part)).toMatchObject({
      runs: 4,
      calls: 10,
      unread: 2,
      changed: [{ call: "c" }, { call: "c" }],
    });
  });
});
