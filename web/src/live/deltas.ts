/** Words of the model while they come: kept beside the log, thrown away once the log has the whole answer. */

export interface Delta {
  readonly step: number;
  readonly attempt: number;
  readonly offset: number;
  readonly kind: string;
  readonly text: string;
}

export interface Draft {
  readonly step: number;
  readonly attempt: number;
  readonly text: string;
  readonly thinking: string;
  /** Sequence number of the answer that replaces the draft, once it is in the log. */
  readonly replacedBy: number | null;
}

/** The draft with one more piece. Pieces may be lost, doubled or belong to an attempt that died: the offset tells. */
export function withDelta(draft: Draft | null, delta: Delta): Draft {
  const same = draft !== null && draft.step === delta.step && draft.attempt === delta.attempt;
  if (!same && draft !== null && isOlder(delta, draft)) return draft;
  const base = same ? draft : { step: delta.step, attempt: delta.attempt, text: "", thinking: "", replacedBy: null };
  const field = delta.kind === "thinking" ? "thinking" : "text";
  return { ...base, replacedBy: null, [field]: joined(base[field], delta.offset, delta.text) };
}

function joined(text: string, offset: number, piece: string): string {
  if (offset === text.length) return text + piece;
  if (offset < text.length) return text.slice(0, offset) + piece;
  return `${text}${" ".repeat(Math.max(0, offset - text.length - 1))}…${piece}`;
}

function isOlder(delta: Delta, draft: Draft): boolean {
  return delta.attempt < draft.attempt || (delta.attempt === draft.attempt && delta.step < draft.step);
}

type Listener = () => void;

/** The drafts of the runs that are being watched. */
export class Drafts {
  readonly #drafts = new Map<string, Draft>();
  readonly #listeners = new Set<Listener>();

  of(run: string): Draft | null {
    return this.#drafts.get(run) ?? null;
  }

  add(run: string, delta: Delta): void {
    this.#set(run, withDelta(this.of(run), delta));
  }

  /** The log has the whole answer now; the draft goes when a view has shown that one. */
  replace(run: string, seq: number): void {
    const draft = this.of(run);
    if (draft !== null) this.#set(run, { ...draft, replacedBy: seq });
  }

  drop(run: string): void {
    if (this.#drafts.delete(run)) this.#tell();
  }

  readonly subscribe = (listener: Listener): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  #set(run: string, draft: Draft): void {
    this.#drafts.set(run, draft);
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

export const drafts = new Drafts();
