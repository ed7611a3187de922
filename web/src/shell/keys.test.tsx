// @vitest-environment jsdom
import { act, fireEvent, render } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Binding, listen, nameOf, useKeys } from "./keys";

let stop: () => void;
beforeEach(() => {
  stop = listen(document);
});
afterEach(() => stop());

function Bound({ keys, children }: { readonly keys: readonly Binding[]; readonly children?: React.ReactNode }) {
  useKeys(keys);
  return <>{children}</>;
}

const binding = (keys: string, act: () => void): Binding => ({ keys, words: keys, group: "Test", act });
const press = (key: string, target: Element = document.body, rest: KeyboardEventInit = {}): void => {
  act(() => void fireEvent.keyDown(target, { key, ...rest }));
};

describe("keys", () => {
  it("act while their component is there, and no longer", () => {
    const went = vi.fn();
    const { unmount } = render(<Bound keys={[binding("j", went)]} />);
    press("j");
    unmount();
    press("j");
    expect(went).toHaveBeenCalledTimes(1);
  });

  it("call the latest function, not the one of the first render", () => {
    const calls: string[] = [];
    const { rerender } = render(<Bound keys={[binding("j", () => calls.push("old"))]} />);
    rerender(<Bound keys={[binding("j", () => calls.push("new"))]} />);
    press("j");
    expect(calls).toEqual(["new"]);
  });

  it("go in sequence, and a broken sequence is none", () => {
    const [runs, plain] = [vi.fn(), vi.fn()];
    render(<Bound keys={[binding("g r", runs), binding("r", plain)]} />);
    press("g");
    press("r");
    expect([runs.mock.calls.length, plain.mock.calls.length]).toEqual([1, 0]);
    press("g");
    press("x");
    press("r");
    expect([runs.mock.calls.length, plain.mock.calls.length]).toEqual([1, 1]);
  });

  it("leave a person alone who types", () => {
    const went = vi.fn();
    const { container } = render(
      <Bound keys={[binding("j", went)]}>
        <input />
      </Bound>,
    );
    press("j", container.querySelector("input") ?? document.body);
    expect(went).not.toHaveBeenCalled();
  });

  it("do nothing behind an open dialog", () => {
    const went = vi.fn();
    render(
      <Bound keys={[binding("j", went)]}>
        <div role="dialog" />
      </Bound>,
    );
    press("j");
    expect(went).not.toHaveBeenCalled();
  });

  it("leave Enter to a button that has the focus", () => {
    const went = vi.fn();
    const { container } = render(
      <Bound keys={[binding("Enter", went)]}>
        <button />
      </Bound>,
    );
    press("Enter", container.querySelector("button") ?? document.body);
    expect(went).not.toHaveBeenCalled();
    press("Enter");
    expect(went).toHaveBeenCalledTimes(1);
  });

  it("never take what belongs to the browser", () => {
    const key = (key: string, rest: Partial<KeyboardEvent> = {}) =>
      nameOf({ key, metaKey: false, ctrlKey: false, altKey: false, ...rest });
    expect([key("c", { ctrlKey: true }), key("c", { metaKey: true }), key("j", { altKey: true })]).toEqual([
      null,
      null,
      null,
    ]);
    expect([key("k", { metaKey: true }), key("K", { ctrlKey: true }), key("?")]).toEqual(["mod+k", "mod+k", "?"]);
  });
});
