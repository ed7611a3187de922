import { describe, expect, it } from "vitest";
import type { Verification } from "../../api/shapes";
import { soughtInWords, soughtOf, soughtParams } from "./filters";
import { chainInWords, faultInWords, reportOf } from "./rules";

const head = { position: 243, hash: "ab", at: "", signer: "", signature: "" };
const whole = {
  valid: true,
  head,
  floor: null,
  unsealed: 2,
  oldest_unsealed: null,
  public_key: "",
  first: 1,
  sealed: 243,
  kept: 200,
  erased: 4,
  faults: 0,
  findings: [],
  ms: 38,
} as Verification;

describe("a look along the chain", () => {
  it("tells sealed, erased and not yet sealed apart", () => {
    const { tone, sentence, facts } = reportOf(whole);
    expect([tone, sentence]).toEqual(["quiet", "Whole: 243 sealed rows, each as it was sealed."]);
    expect(facts).toEqual([
      "200 payloads as sealed",
      "4 erased on purpose",
      "2 rows not sealed yet",
      "looked at in 38 ms",
    ]);
  });

  it("says that it is broken, and where", () => {
    const found = reportOf({ ...whole, valid: false, faults: 2 });
    expect([found.tone, found.sentence]).toEqual(["fail", "Broken: 2 faults in 243 rows."]);
    expect(faultInWords({ fault: "changed", first: 1170, last: 1170 })).toContain("at position 1,170");
    expect(faultInWords({ fault: "missing", first: 3, last: 9 })).toBe("rows are missing, between positions 3 and 9");
  });

  it("says where the chain stands", () => {
    expect(chainInWords(whole)).toBe("Sealed up to position 243, 2 rows to come");
    expect(chainInWords({ ...whole, head: null, unsealed: 0 })).toBe("Nothing is sealed yet");
  });
});

describe("the filters of the audit", () => {
  it("are read from the URL and asked of the API", () => {
    const sought = soughtOf({ kind: "tool.called", actor: " ", range: "1h", row: "x", verdict: undefined });
    expect(sought).toEqual({ kind: "tool.called", range: "1h" });
    expect(soughtParams(sought, Date.parse("2026-11-20T10:00:59Z"))).toEqual({
      kind: "tool.called",
      since: "2026-11-20T09:00:00.000Z",
    });
    expect(soughtInWords({ run: "0190-abcdefgh", range: "1h" })).toEqual(["run abcdefgh", "last hour"]);
  });
});
