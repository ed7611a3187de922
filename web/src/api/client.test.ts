import { afterEach, describe, expect, it, vi } from "vitest";
import { actIn, ask, onSignedOut, query } from "./client";
import { isProblem, Problem, worthAnotherTry } from "./problems";

afterEach(() => {
  vi.unstubAllGlobals();
  actIn(null);
});

function answering(status: number, body: string, headers: Record<string, string> = {}): ReturnType<typeof vi.fn> {
  const fetched = vi
    .fn()
    .mockImplementation(() => Promise.resolve(new Response(status === 204 ? null : body, { status, headers })));
  vi.stubGlobal("fetch", fetched);
  return fetched;
}

async function problem(asking: Promise<unknown>): Promise<Problem> {
  const fault: unknown = await asking.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isProblem(fault)) throw new Error("it did not fail as a problem");
  return fault;
}

describe("asking the server", () => {
  it("says in whose name a deployment admin looks", async () => {
    const fetched = answering(200, "{}");
    await ask("/v1/runs");
    actIn("acme");
    await ask("/v1/runs");
    const sent = fetched.mock.calls.map(([, request]) =>
      (request as { headers: Headers }).headers.get("quarterdeck-tenant"),
    );
    expect(sent).toEqual([null, "acme"]);
  });

  it("takes 204 for an answer without a body", async () => {
    answering(204, "");
    expect(await ask("/v1/sessions/current", { method: "DELETE" })).toBeUndefined();
  });

  it("writes what is asked for, and leaves out what is not", () => {
    expect(query({ status: ["failed", "stopped"], q: "a b&c", agent: undefined, user: "", limit: 5 })).toBe(
      "?status=failed&status=stopped&q=a+b%26c&limit=5",
    );
    expect(query({})).toBe("");
  });
});

describe("what goes wrong", () => {
  it("is said in the server's words, with the fields that it names", async () => {
    answering(
      422,
      JSON.stringify({
        title: "Some values are not acceptable.",
        detail: "name: too long",
        code: "request.invalid",
        errors: [{ place: "body.name", problem: "too long", fix: "shorten it" }],
      }),
      { "x-request-id": "r-1" },
    );
    const { facts } = await problem(ask("/v1/keys"));
    expect(facts).toMatchObject({ status: 422, code: "request.invalid", detail: "name: too long", request: "r-1" });
    expect(facts.fields).toEqual([{ place: "name", message: "too long; shorten it" }]);
  });

  it("is said by its status where a proxy sends a page of its own", async () => {
    answering(502, "<html>Bad gateway</html>");
    expect((await problem(ask("/v1/runs"))).facts).toMatchObject({
      status: 502,
      code: "http.502",
      title: "The server answered 502",
    });
  });

  it("is said in our words where nobody answers", async () => {
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
    expect((await problem(ask("/v1/runs"))).facts.code).toBe("network");
  });

  it("signs out where the session is over, and nowhere else", async () => {
    const left = vi.fn();
    onSignedOut(left);
    answering(403, "{}");
    await problem(ask("/v1/runs"));
    expect(left).not.toHaveBeenCalled();
    answering(401, "{}");
    await problem(ask("/v1/runs"));
    expect(left).toHaveBeenCalledTimes(1);
  });

  it("is worth another try where the server did not refuse", () => {
    const of = (status: number): Problem =>
      new Problem({ status, code: "", title: "", detail: "", request: null, fields: [] });
    expect([0, 429, 500, 503].map((status) => worthAnotherTry(of(status)))).toEqual([true, true, true, true]);
    expect([400, 401, 403, 404, 409, 422].map((status) => worthAnotherTry(of(status)))).toEqual(Array(6).fill(false));
  });
});

describe("what was asked for early", () => {
  const ahead = (answer: Promise<Response>): void => {
    vi.stubGlobal("window", { quarterdeckEarly: { "/v1/runs": answer } });
  };

  it("is used once", async () => {
    const fetched = answering(200, '"later"');
    ahead(Promise.resolve(new Response('"early"')));
    expect([await ask("/v1/runs"), await ask("/v1/runs")]).toEqual(["early", "later"]);
    expect(fetched).toHaveBeenCalledTimes(1);
  });

  it("is asked for again where it was refused before somebody signed in", async () => {
    answering(200, '"later"');
    ahead(Promise.resolve(new Response("{}", { status: 401 })));
    expect(await ask("/v1/runs")).toBe("later");
  });

  it("is asked for again where it broke", async () => {
    answering(200, '"later"');
    ahead(Promise.reject(new TypeError("cut")));
    expect(await ask("/v1/runs")).toBe("later");
  });
});
