/** Follows one run: a single stream, resumed by sequence number, that says itself when it is lost. */
import { openStream } from "../api/client";
import { isProblem } from "../api/problems";
import { type Frame, FrameReader } from "./frames";
import { backoff, SILENCE } from "./rules";

export type Link =
  | { readonly state: "connecting" }
  | { readonly state: "live" }
  | { readonly state: "lost"; readonly since: number }
  | { readonly state: "ended" }
  | { readonly state: "refused" };

export interface Watch {
  readonly path: string;
  readonly after: number;
  readonly onFrame: (frame: Frame) => void;
  readonly onLink: (link: Link) => void;
}

/** Runs until the run's log is complete, the server refuses or `signal` aborts; never throws. */
export async function follow(watch: Watch, signal: AbortSignal): Promise<void> {
  let { after } = watch;
  let lost: number | null = null;
  let tries = 0;
  watch.onLink({ state: "connecting" });
  while (!signal.aborted) {
    const seen = { end: false };
    try {
      await read(watch.path, after, signal, {
        onOpen: () => {
          lost = null;
          tries = 0;
          watch.onLink({ state: "live" });
        },
        onEnd: () => {
          seen.end = true;
        },
        onFrame: (frame) => {
          if (frame.seq !== null) {
            if (frame.seq <= after) return;
            after = frame.seq;
          }
          // What follows the end, such as being sent back, makes it go on.
          if (frame.seq !== null) seen.end = frame.event === "run.finished";
          watch.onFrame(frame);
        },
      });
    } catch (fault) {
      if (isProblem(fault, 401, 403, 404)) {
        watch.onLink({ state: "refused" });
        return;
      }
    }
    if (isOver(signal)) return;
    if (seen.end) {
      watch.onLink({ state: "ended" });
      return;
    }
    lost ??= Date.now();
    watch.onLink({ state: "lost", since: lost });
    await pause(backoff(tries), signal);
    tries += 1;
  }
}

/** Asked anew each time: an abort can come while one waits. */
function isOver(signal: AbortSignal): boolean {
  return signal.aborted;
}

interface Ears {
  readonly onOpen: () => void;
  readonly onFrame: (frame: Frame) => void;
  /** The server says that nothing more will come. */
  readonly onEnd: () => void;
}

/** One connection, until it ends, breaks or falls silent. */
async function read(path: string, after: number, signal: AbortSignal, ears: Ears): Promise<void> {
  const own = new AbortController();
  const giveUp = (): void => own.abort();
  signal.addEventListener("abort", giveUp, { once: true });
  let watchdog = setTimeout(giveUp, SILENCE);
  try {
    const stream = await openStream(path, after, own.signal);
    ears.onOpen();
    if (stream === null) {
      ears.onEnd();
      return;
    }
    const reader = stream.getReader();
    own.signal.addEventListener("abort", () => void reader.cancel().catch(() => undefined), { once: true });
    const decoder = new TextDecoder();
    const frames = new FrameReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(watchdog);
      watchdog = setTimeout(giveUp, SILENCE);
      for (const frame of frames.push(decoder.decode(value, { stream: true }))) ears.onFrame(frame);
    }
  } finally {
    clearTimeout(watchdog);
    signal.removeEventListener("abort", giveUp);
    own.abort();
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
  });
}
