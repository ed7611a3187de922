import { describe, expect, it } from "vitest";
import type { Story } from "../../api/shapes";
import { wholeText } from "./facts";
import { fragmentsOf } from "./sentence";

const story = (sentence: string, ...clauses: [string, number | null][]): Story => ({
  sentence,
  clauses: clauses.map(([text, seq]) => ({ text, seq })),
  tone: "failed",
});
const said = (told: Story): string =>
  fragmentsOf(told)
    .map((fragment) => fragment.text)
    .join("");

describe("the sentence", () => {
  it("is said whole, with each clause leading to its event", () => {
    const told = story(
      "Failed: refund timed out. Nothing is known.",
      ["Failed: refund timed out.", 7],
      ["Nothing is known.", 9],
    );
    expect(said(told)).toBe(told.sentence);
    expect(fragmentsOf(told)).toEqual([
      { text: "Failed: refund timed out.", seq: 7 },
      { text: " ", seq: null },
      { text: "Nothing is known.", seq: 9 },
    ]);
  });

  it("keeps what lies between clauses and after them", () => {
    const told = story("Before a and then b after", ["a", 1], ["b", 2]);
    expect(said(told)).toBe(told.sentence);
  });

  it("loses no clause that is not in it", () => {
    expect(said(story("Failed.", ["Something else.", 3]))).toBe("Failed. Something else.");
  });

  it("finds the second of two equal clauses behind the first", () => {
    expect(fragmentsOf(story("x. x.", ["x.", 1], ["x.", 2])).filter((each) => each.seq !== null)).toHaveLength(2);
  });
});

describe("the whole of a text that was cut", () => {
  const event = {
    content: [
      { type: "text", text: "short" },
      { type: "text", text: "the long one, all of it" },
    ],
  };

  it("is found in its event by its beginning and length", () => {
    expect(wholeText(event, "the long…", 23)).toBe("the long one, all of it");
  });

  it("is not made up where the event has none", () => {
    expect(wholeText(event, "another…", 23)).toBeNull();
    expect(wholeText(event, "the long…", 999)).toBeNull();
  });
});
