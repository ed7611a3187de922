// @vitest-environment jsdom
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";
import { beginning, gist, reveal } from "./prose";
import { Prose } from "./Prose";
import { Told } from "./Told";

const shown = (text: string): string =>
  reveal(text)
    .map((piece) => (piece.hidden ? `[${piece.text}]` : piece.text))
    .join("");

describe("characters that can't be seen", () => {
  it("leaves honest text alone, in any script and with emoji made of several", () => {
    for (const text of ["plain\ntext\twith tab", "größer", "שלום", "日本語", "👩‍🚒 👍🏽 ❤️"])
      expect(shown(text)).toBe(text);
  });

  it("shows what reverses or hides words by its code", () => {
    expect(shown("pay \u202eyap\u202c now")).toBe("pay [U+202E]yap[U+202C] now");
    expect(shown("a\u200bb\u00adc\ufeffd")).toBe("a[U+200B]b[U+00AD]c[U+FEFF]d");
    expect(shown("bell\u0007")).toBe("bell[U+0007]");
  });

  it("shows instructions that are written in tag characters", () => {
    expect(shown("hi\u{E0041}\u{E0042}")).toBe("hi[U+E0041][U+E0042]");
  });

  it("drops the carriage return of a Windows line and nothing else of it", () => {
    expect(shown("one\r\ntwo")).toBe("one\ntwo");
  });

  it("marks a joiner that joins nothing", () => {
    expect(shown("a\u200db")).toBe("a[U+200D]b");
  });
});

describe("long texts", () => {
  it("shows a short one whole", () => {
    expect(beginning("a\nb", 10, 1000)).toEqual({ text: "a\nb", more: 0 });
  });

  it("shows the first lines of a long one and counts the rest", () => {
    const text = Array.from({ length: 100 }, (_, at) => `line ${at}`).join("\n");
    const start = beginning(text, 10, 10_000);
    expect(start.text.split("\n")).toHaveLength(10);
    expect(start.more).toBe(90);
  });

  it("does not hide two lines behind a button", () => {
    const text = Array.from({ length: 11 }, () => "word").join("\n");
    expect(beginning(text, 10, 10_000).more).toBe(0);
  });

  it("cuts one endless line too", () => {
    expect(beginning("x".repeat(9000), 10, 1000).text).toHaveLength(1000);
  });
});

describe("text that others wrote", () => {
  it("stays text: no element, no link and no image comes of it", () => {
    const hostile = `<img src=x onerror="alert(1)"><script>alert(1)</script> https://evil.example ![p](https://evil.example/p)`;
    const { container } = render(<Prose text={hostile} />);
    expect(container.querySelectorAll("img, script, a, iframe")).toHaveLength(0);
    expect(container.textContent).toBe(hostile);
  });

  it("opens and closes", async () => {
    render(<Prose text={Array.from({ length: 100 }, (_, at) => `line ${at}`).join("\n")} lines={5} />);
    expect(screen.queryByText(/line 99/)).toBeNull();
    await userEvent.click(screen.getByRole("button", { name: "Show 95 more lines" }));
    expect(screen.getByText(/line 99/)).toBeInTheDocument();
    await userEvent.click(screen.getByRole("button", { name: "Show less" }));
    expect(screen.queryByText(/line 99/)).toBeNull();
  });
});

describe("a call in one line", () => {
  it("names its arguments", () => {
    expect(gist({ order: 88121, reason: "late", deep: { a: [1] } })).toBe('order=88121, reason="late", deep={"a":[1]}');
  });

  it("ends in an ellipsis where it is too long", () => {
    expect(gist({ text: "x".repeat(300) }, 50)).toHaveLength(50);
  });
});

describe("a sentence with names in it", () => {
  it("sets what stands between backticks as code, and leaves one that is never closed", () => {
    const { container, rerender } = render(<Told text={"forbids `pay` when `what` is \u202ex"} />);
    expect([...container.querySelectorAll("code")].map((name) => name.textContent)).toEqual(["pay", "what"]);
    expect(container.textContent).toBe("forbids pay when what is U+202Ex");
    rerender(<Told text="5 ` of 6" />);
    expect(container.textContent).toBe("5 ` of 6");
  });
});
