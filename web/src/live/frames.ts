/** Server-sent events, read from bytes: the browser's own EventSource hides heartbeats, statuses and headers. */

export interface Frame {
  /** Sequence number in the run's log; null for what is not kept, such as token deltas. */
  readonly seq: number | null;
  readonly event: string;
  readonly data: string;
}

/** Turns pieces of a stream, cut anywhere, into frames. Comments give no frame: that bytes came is all that they say. */
export class FrameReader {
  #rest = "";
  #seq: number | null = null;
  #event = "message";
  #data: string[] = [];

  push(piece: string): Frame[] {
    const frames: Frame[] = [];
    const text = this.#rest + piece;
    // A lone \r at the very end may be the first half of \r\n: it waits for what follows.
    const end = text.endsWith("\r") ? text.length - 1 : text.length;
    const lines = text.slice(0, end).split(/\r\n|\n|\r/);
    this.#rest = (lines.pop() ?? "") + text.slice(end);
    for (const line of lines) {
      if (line === "") {
        if (this.#data.length > 0) frames.push({ seq: this.#seq, event: this.#event, data: this.#data.join("\n") });
        this.#seq = null;
        this.#event = "message";
        this.#data = [];
      } else {
        this.#field(line);
      }
    }
    return frames;
  }

  #field(line: string): void {
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
    if (name === "data") this.#data.push(value);
    else if (name === "event") this.#event = value;
    else if (name === "id" && /^\d+$/.test(value)) this.#seq = Number(value);
  }
}
