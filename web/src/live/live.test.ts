import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Delta, Drafts, withDelta } from "./deltas";
import { follow, type Link } from "./follow";
import { FrameReader } from "./frames";
import { backoff, settling, staleAfter } from "./rules";

describe("a stream of events", () => {
  const whole =
    'id: 7\nevent: tool.called\ndata: {"a":1}\n\n: still here\n\nevent: message.delta\ndata: x\ndata: y\n\n';
  const frames = [
    { seq: 7, event: "tool.called", data: '{"a":1}' },
    { seq: null, event: "message.delta", data: "x\ny" },
  ];

  it("is read the same wherever it is cut", () => {
    for (let cut = 0; cut <= whole.length; cut += 1) {
      const reader = new FrameReader();
      expect([...reader.push(whole.slice(0, cut)), ...reader.push(whole.slice(cut))]).toEqual(frames);
    }
  });

  it("is read with any kind of line end", () => {
    for (const end of ["\r\n", "\r"]) {
      const reader = new FrameReader();
      const found = Array.from(whole.replaceAll("\n", end)).flatMap((character) => reader.push(character));
      expect([...found, ...reader.push("\n")]).toEqual(frames);
    }
  });

  it("keeps no number from one event to the next", () => {
    expect(new FrameReader().push("id: 3\ndata: a\n\ndata: b\n\n").map((frame) => frame.seq)).toEqual([3, null]);
  });
});

describe("words of the model while they come", () => {
  const delta = (text: string, offset: number, rest: Partial<Delta> = {}): Delta => ({
    step: 1,
    attempt: 1,
    kind: "text",
    text,
    offset,
    ...rest,
  });

  it("are put together in order", () => {
    expect(withDelta(withDelta(null, delta("Hel", 0)), delta("lo", 3)).text).toBe("Hello");
  });

  it("are the same when a piece comes twice", () => {
    const once = withDelta(withDelta(null, delta("Hel", 0)), delta("lo", 3));
    expect(withDelta(once, delta("lo", 3)).text).toBe("Hello");
  });

  it("say where one was lost", () => {
    expect(withDelta(withDelta(null, delta("Hel", 0)), delta("world", 6)).text).toBe("Hel  …world");
  });

  it("begin anew with a new step or attempt, and ignore one that died", () => {
    const second = withDelta(withDelta(null, delta("old", 0)), delta("new", 0, { attempt: 2 }));
    expect(second.text).toBe("new");
    expect(withDelta(second, delta("ghost", 0))).toBe(second);
  });

  it("keep reasoning apart", () => {
    const draft = withDelta(withDelta(null, delta("hm", 0, { kind: "thinking" })), delta("yes", 0));
    expect([draft.thinking, draft.text]).toEqual(["hm", "yes"]);
  });

  it("stay until the answer itself is shown", () => {
    const drafts = new Drafts();
    const heard = vi.fn();
    drafts.subscribe(heard);
    drafts.add("run", delta("Hello", 0));
    drafts.replace("run", 9);
    expect(drafts.of("run")).toMatchObject({ text: "Hello", replacedBy: 9 });
    drafts.drop("run");
    drafts.drop("run");
    expect(drafts.of("run")).toBeNull();
    expect(heard).toHaveBeenCalledTimes(3);
  });
});

describe("what an event makes stale", () => {
  it("is nothing for tokens, the run for most, the lists too where the state changes", () => {
    expect(staleAfter("message.delta")).toEqual([]);
    expect(staleAfter("message.added")).toEqual(["trace", "events"]);
    expect(staleAfter("tool.answered")).toEqual(["trace", "events"]);
    expect(staleAfter("run.finished")).toContain("lists");
    expect(staleAfter("approval.asked")).toEqual(["trace", "events", "approvals"]);
    expect(staleAfter("run.escalated")).toContain("escalations");
  });

  it("is asked for less often where the answer is slow", () => {
    expect([settling(0), settling(200), settling(9000)]).toEqual([150, 600, 3000]);
    expect([backoff(0), backoff(2), backoff(40)]).toEqual([500, 2000, 10_000]);
  });
});

describe("following a run", () => {
  const encoder = new TextEncoder();
  let answers: (() => Response)[] = [];
  const asked: string[] = [];

  beforeEach(() => {
    vi.useFakeTimers();
    asked.length = 0;
    vi.stubGlobal("fetch", (_: string, request: RequestInit) => {
      asked.push(new Headers(request.headers).get("last-event-id") ?? "");
      const answer = answers.shift();
      return answer === undefined ? Promise.reject(new TypeError("no network")) : Promise.resolve(answer());
    });
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  const stream =
    (...pieces: string[]) =>
    () =>
      new Response(
        new ReadableStream({
          start(controller) {
            for (const piece of pieces) controller.enqueue(encoder.encode(piece));
            controller.close();
          },
        }),
      );
  const event = (seq: number, kind: string): string => `id: ${seq}\nevent: ${kind}\ndata: {}\n\n`;

  async function followed(): Promise<{ seqs: number[]; links: Link[] }> {
    const seqs: number[] = [];
    const links: Link[] = [];
    const stop = new AbortController();
    const ended = follow(
      { path: "/events", after: 2, onFrame: (frame) => seqs.push(frame.seq ?? -1), onLink: (link) => links.push(link) },
      stop.signal,
    );
    await vi.advanceTimersByTimeAsync(60_000);
    stop.abort();
    await ended;
    return { seqs, links };
  }

  it("resumes where it was cut, sees nothing twice, and ends with the run", async () => {
    answers = [stream(event(3, "a"), event(4, "b")), stream(event(4, "b"), event(5, "run.finished"))];
    const { seqs, links } = await followed();
    expect(seqs).toEqual([3, 4, 5]);
    expect(asked).toEqual(["2", "4"]);
    expect(links.map((link) => link.state)).toEqual(["connecting", "live", "lost", "live", "ended"]);
  });

  it("goes on after the end where the run was sent back", async () => {
    answers = [stream(event(3, "run.finished"), event(4, "run.retried")), stream(event(5, "run.finished"))];
    expect((await followed()).seqs).toEqual([3, 4, 5]);
  });

  it("says since when it is lost, not since the last try", async () => {
    answers = [stream(event(3, "a"))];
    const { links } = await followed();
    const lost = links.filter((link) => link.state === "lost");
    expect(lost.length).toBeGreaterThan(3);
    expect(new Set(lost.map((link) => link.since)).size).toBe(1);
  });

  it("does not knock again where it is refused", async () => {
    answers = [() => new Response("{}", { status: 404 })];
    const { links } = await followed();
    expect(links.at(-1)).toEqual({ state: "refused" });
    expect(asked).toHaveLength(1);
  });

  it("ends where the server says that nothing more will come", async () => {
    answers = [() => new Response(null, { status: 204 })];
    const { links } = await followed();
    expect(links.map((link) => link.state)).toEqual(["connecting", "live", "ended"]);
    expect(asked).toHaveLength(1);
  });

  it("takes a silent stream for lost", async () => {
    answers = [
      () => new Response(new ReadableStream({ start: (controller) => controller.enqueue(encoder.encode(": hi\n\n")) })),
    ];
    const { links } = await followed();
    expect(links.map((link) => link.state)).toContain("lost");
  });
});
