// @vitest-environment jsdom
import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Doubt, WholeRun } from "../../api/shapes";
import { show } from "../../test-page";
import ControlDialog from "./ControlDialog";
import ResolveDialog from "./ResolveDialog";

const run = { run_id: "r1", unknown_outcomes: [] as Doubt[] } as WholeRun;
const doubt: Doubt = {
  call: "call_2",
  tool: "orders.refund",
  arguments: { order: 90412 },
  ask_after: Date.now() - 1000,
};

afterEach(() => vi.unstubAllGlobals());

function answering(status: number, body: object): ReturnType<typeof vi.fn> {
  const fetched = vi.fn().mockImplementation(() => Promise.resolve(new Response(JSON.stringify(body), { status })));
  vi.stubGlobal("fetch", fetched);
  return fetched;
}

const sent = (fetched: ReturnType<typeof vi.fn>): unknown => {
  const [path, request] = fetched.mock.calls[0] as [string, { body: string }];
  return [path, JSON.parse(request.body)];
};

describe("saying what became of a call", () => {
  it("takes a choice and the tool's name, and sends both", async () => {
    const fetched = answering(200, {});
    const close = vi.fn();
    await show(<ResolveDialog run={run} doubts={[doubt]} close={close} />);
    const button = screen.getByRole("button", { name: "It took place" });
    expect(button).toBeDisabled();
    await userEvent.click(screen.getByRole("radio", { name: /^took place/ }));
    await userEvent.type(screen.getByLabelText(/Type orders.refund/), "orders.refun");
    expect(button).toBeDisabled();
    await userEvent.type(screen.getByLabelText(/Type orders.refund/), "d");
    await userEvent.type(screen.getByLabelText("Result"), "refunded");
    await userEvent.click(button);
    await waitFor(() => expect(close).toHaveBeenCalled());
    expect(sent(fetched)).toEqual(["/v1/runs/r1/outcome", { call: "call_2", outcome: "happened", result: "refunded" }]);
  });

  it("waits while the call could still be sent", async () => {
    answering(200, {});
    await show(<ResolveDialog run={run} doubts={[{ ...doubt, ask_after: Date.now() + 60_000 }]} close={vi.fn()} />);
    await userEvent.click(screen.getByRole("radio", { name: /^did not take place/ }));
    await userEvent.type(screen.getByLabelText(/Type orders.refund/), "orders.refund");
    expect(screen.getByRole("button", { name: "It did not take place" })).toBeDisabled();
    expect(screen.getByText(/nobody can know before then/)).toBeInTheDocument();
  });
});

describe("cancelling", () => {
  it("says why it did not work, and stays open", async () => {
    answering(409, { title: "No.", detail: "The run has ended already.", code: "run.ended" });
    const close = vi.fn();
    await show(<ControlDialog run={run} verb="cancel" close={close} />);
    await userEvent.click(screen.getByRole("button", { name: "Cancel the run" }));
    expect(await screen.findByRole("alert")).toHaveTextContent("The run has ended already.");
    expect(close).not.toHaveBeenCalled();
  });

  it("sends the reason along", async () => {
    const fetched = answering(202, {});
    const close = vi.fn();
    await show(<ControlDialog run={run} verb="cancel" close={close} />);
    await userEvent.type(screen.getByLabelText("Why"), "wrong customer{Enter}");
    await waitFor(() => expect(close).toHaveBeenCalled());
    expect(sent(fetched)).toEqual(["/v1/runs/r1/cancel", { why: "wrong customer" }]);
  });
});
