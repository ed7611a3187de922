import { describe, expect, it } from "vitest";
import type { Approval, Session } from "../../api/shapes";
import { askedInWords, askedOf, askedParams } from "./filters";
import {
  byExpiry,
  countdown,
  editedOf,
  isTyped,
  leavesOf,
  linesOf,
  mayBatch,
  originAt,
  refusalOf,
  short,
  verdictOf,
  worst,
} from "./rules";

const approval = {
  approval_id: "a1",
  effect: "write",
  risk_level: "write",
  people: 1,
  roles: ["reviewer"],
  votes: [],
  state: "pending",
  asked_at: "2026-11-20T10:00:00Z",
  expires_at: "2026-11-21T10:00:00Z",
  answered_at: null,
  answered_by: [],
  age_s: 95,
  consumed_at: null,
} as unknown as Approval;
const reviewer = { admin: false, roles: ["reviewer"] } as unknown as Session;

describe("arguments", () => {
  it("are named by their paths, as the gate names them", () => {
    const value = { to: "a@b.c", items: [{ account: 1, tags: [] }], note: { text: null } };
    expect(leavesOf(value)).toEqual([
      { path: "to", value: "a@b.c" },
      { path: "items[0].account", value: 1 },
      { path: "items[0].tags", value: [] },
      { path: "note.text", value: null },
    ]);
  });

  it("stand beside those approved last: same, changed, new and gone", () => {
    const lines = linesOf(
      { order: 2, card: "b", note: "x" },
      { order: 2, card: "a", reason: "r" },
      { card: "untrusted" },
    );
    expect(lines.map(({ path, change, before, origin }) => [path, change, before, origin])).toEqual([
      ["order", "same", 2, null],
      ["card", "changed", "a", "untrusted"],
      ["note", "added", undefined, null],
      ["reason", "removed", "r", null],
    ]);
    expect(linesOf({ a: 1 }, null, {})[0]?.change).toBe("alone");
  });

  it("come from where the gate says, the nearest word first, and the worst of what they hold", () => {
    const origins = { to: "user", "items[0].account": "untrusted", "items[1].account": "user", body: "model" };
    expect(originAt(origins, "to")).toBe("user");
    expect(originAt(origins, "items[0].account")).toBe("untrusted");
    expect(originAt(origins, "items")).toBe("untrusted");
    expect(originAt(origins, "body.lines[3]")).toBe("model");
    expect(originAt(origins, "nothing")).toBeNull();
    expect(originAt(origins, "to2")).toBeNull();
  });

  it("of an origin that nobody knows are taken for the worst", () => {
    expect(worst(["author", "model", "user"])).toBe("model");
    expect(worst(["untrusted", "of another version"])).toBe("of another version");
    expect(worst([])).toBeNull();
  });

  it("that were edited are an object, or it is said what they are", () => {
    expect(editedOf('{"amount": 5}')).toEqual({ arguments: { amount: 5 } });
    expect(editedOf("[1]").fault).toContain("object");
    expect(editedOf("{").fault).toBeTruthy();
  });
});

describe("the time that is left", () => {
  const now = Date.parse("2026-11-21T09:50:00Z");

  it("counts down, urgent near its end, and is over at it", () => {
    expect(countdown(approval.expires_at, now)).toEqual({ words: "10 min left", urgent: true, over: false });
    expect(countdown(approval.expires_at, now - 7_200_000)).toEqual({ words: "2 h left", urgent: false, over: false });
    expect(countdown(approval.expires_at, now + 600_000).over).toBe(true);
  });

  it("is said in one unit", () => {
    expect([short(42_400), short(12.5 * 60_000), short(26 * 3_600_000), short(50 * 3_600_000)]).toEqual([
      "42 s",
      "12 min",
      "26 h",
      "2 d",
    ]);
  });

  it("orders the queue", () => {
    const later = { ...approval, approval_id: "a2", expires_at: "2026-11-22T10:00:00Z" };
    expect(byExpiry([later, approval]).map((one) => one.approval_id)).toEqual(["a1", "a2"]);
  });
});

describe("an answer", () => {
  it("to many at once is for low risks that one person may approve", () => {
    expect(mayBatch(approval)).toBe(true);
    expect(mayBatch({ ...approval, people: 2 })).toBe(false);
    expect(mayBatch({ ...approval, state: "denied" })).toBe(false);
    expect(mayBatch({ ...approval, effect: "payment", risk_level: "money" })).toBe(false);
    expect(mayBatch({ ...approval, effect: "deletion", risk_level: "irreversible" })).toBe(false);
  });

  it("is typed out where it can't be undone", () => {
    expect(isTyped({ risk_level: "irreversible" })).toBe(true);
    expect(isTyped({ risk_level: "money" })).toBe(false);
  });

  it("is given by reviewers, by the roles that the tool names, and by owners", () => {
    expect(refusalOf(approval, reviewer)).toBeNull();
    expect(refusalOf({ ...approval, roles: ["finance"] }, reviewer)).toContain("finance");
    expect(refusalOf({ ...approval, roles: ["finance"] }, { ...reviewer, roles: ["owner"] })).toBeNull();
    expect(refusalOf(approval, { ...reviewer, roles: ["auditor"] })).toContain("reviewer");
    expect(refusalOf(approval, null)).toBeTruthy();
  });

  it("is told apart: expired is no denial, withdrawn is neither", () => {
    const by = { answered_by: ["lukas"], answered_at: "2026-11-20T10:02:00Z" };
    expect(verdictOf({ ...approval, people: 2, votes: [{ by: "chen", at: "" }] })).toBe("1 of 2 people have said yes.");
    expect(verdictOf({ ...approval, ...by, state: "denied" })).toBe("Denied by lukas after 1m 35s.");
    expect(verdictOf({ ...approval, ...by, state: "approved" })).toContain("has not been made yet");
    expect(verdictOf({ ...approval, state: "expired" })).toContain("not a denial");
    expect(verdictOf({ ...approval, state: "withdrawn" })).toContain("its run ended");
  });
});

describe("the filters of the inbox", () => {
  it("are read from the URL, and what is unknown is left out", () => {
    const search = { state: "denied", risk: "huge", agent: "desk", tool: "", run: undefined, id: "x" };
    expect(askedOf(search)).toEqual({ state: "denied", agent: "desk" });
    expect(askedOf({ state: "pending" })).toEqual({});
  });

  it("ask the API for what waits, unless another state is wanted", () => {
    expect(askedParams({})).toEqual({ state: "pending" });
    expect(askedParams({ state: "all", tool: "pay" })).toEqual({ state: undefined, tool: "pay" });
    expect(askedInWords({ agent: "desk", risk: "money" })).toEqual(["agent desk", "risk money"]);
  });
});
