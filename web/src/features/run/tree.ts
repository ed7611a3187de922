/** Spans as rows: who stands under whom, in which order, what is folded away, what the text filter leaves. */
import type { Span } from "../../api/shapes";

export interface Row {
  readonly span: Span;
  readonly depth: number;
  /** Spans beneath it, at any depth. */
  readonly beneath: number;
  readonly folded: boolean;
  /** Its own failure, or that of a span that is folded away beneath it. */
  readonly failed: boolean;
}

export interface Tree {
  readonly roots: readonly Span[];
  readonly children: ReadonlyMap<string, readonly Span[]>;
}

/** Spans under their parents, in the order of the log. A parent that is not there makes its child a root. */
export function plant(spans: readonly Span[]): Tree {
  const known = new Set(spans.map((span) => span.id));
  const roots: Span[] = [];
  const children = new Map<string, Span[]>();
  for (const span of spans) {
    if (span.parent === null || span.parent === span.id || !known.has(span.parent)) {
      roots.push(span);
      continue;
    }
    const siblings = children.get(span.parent);
    if (siblings === undefined) children.set(span.parent, [span]);
    else siblings.push(span);
  }
  const inOrder = (a: Span, b: Span): number => Date.parse(a.start) - Date.parse(b.start) || a.seq - b.seq;
  roots.sort(inOrder);
  for (const siblings of children.values()) siblings.sort(inOrder);
  return { roots, children };
}

export interface Shown {
  /** Ids of spans whose children are folded away. */
  readonly folded: ReadonlySet<string>;
  /** Only spans whose name, kind or status holds these words, and what stands above them. */
  readonly words: string;
}

/** The rows from top to bottom. Never loops, whatever the parents say. */
export function rowsOf(tree: Tree, shown: Shown): Row[] {
  const words = shown.words.trim().toLowerCase();
  const walk = new Walk(tree, words === "" ? shown.folded : new Set(), words);
  for (const span of tree.roots) walk.visit(span, 0, false);
  return walk.rows;
}

interface Beneath {
  readonly count: number;
  readonly failed: boolean;
  readonly fits: boolean;
}

class Walk {
  readonly rows: Row[] = [];
  readonly #seen = new Set<string>();
  readonly #tree: Tree;
  readonly #folded: ReadonlySet<string>;
  readonly #words: string;

  constructor(tree: Tree, folded: ReadonlySet<string>, words: string) {
    this.#tree = tree;
    this.#folded = folded;
    this.#words = words;
  }

  /** Put a span and all beneath it into the rows; `hidden` where something above it is folded. */
  visit(span: Span, depth: number, hidden: boolean): Beneath {
    this.#seen.add(span.id);
    const at = this.rows.length;
    const folded = this.#folded.has(span.id);
    if (!hidden) this.rows.push({ span, depth, beneath: 0, folded, failed: false });
    const under = this.#beneath(span, depth + 1, hidden || folded);
    const own = isFault(span);
    const fits = under.fits || matches(span, this.#words);
    if (!hidden && fits) {
      this.rows[at] = { span, depth, beneath: under.count, folded, failed: own || (folded && under.failed) };
    } else if (!hidden) {
      this.rows.length = at;
    }
    return { count: under.count, failed: under.failed || own, fits };
  }

  #beneath(span: Span, depth: number, hidden: boolean): Beneath {
    let [count, failed, fits] = [0, false, false];
    for (const child of this.#tree.children.get(span.id) ?? []) {
      if (this.#seen.has(child.id)) continue;
      const found = this.visit(child, depth, hidden);
      count += 1 + found.count;
      failed ||= found.failed;
      fits ||= found.fits;
    }
    return { count, failed, fits };
  }
}

function matches(span: Span, words: string): boolean {
  if (words === "") return true;
  return `${span.name} ${span.kind} ${span.status} ${span.risk ?? ""}`.toLowerCase().includes(words);
}

/** What `e` stops at: what failed, was refused, or is unknown. */
export function isFault(span: Span): boolean {
  if (isClosing(span)) return false;
  return span.kind !== "run" && span.kind !== "attempt" && ["error", "denied", "unknown"].includes(span.status);
}

/** Where a run is brought to its end by a limit: a control, not an error. */
export function isClosing(span: Span): boolean {
  return span.kind === "message" && span.name.startsWith("closing: ");
}

/** The next fault below `from`, from the top again after the last; -1 where there is none. */
export function nextFault(rows: readonly Row[], from: number): number {
  for (let step = 1; step <= rows.length; step += 1) {
    const at = (from + step) % rows.length;
    if (rows[at]?.failed === true) return at;
  }
  return -1;
}

/** The span that an event belongs to: the one that it begins or ends, else the closest one around it. */
export function spanAt(spans: readonly Span[], seq: number): Span | undefined {
  let best: Span | undefined;
  for (const span of spans) {
    if (span.kind === "run" || span.kind === "attempt") continue;
    if (span.seq === seq || span.end_seq === seq) return span;
    if (span.seq < seq && (span.end_seq === null || span.end_seq > seq) && (best === undefined || span.seq > best.seq))
      best = span;
  }
  return best ?? spans.find((span) => span.seq === seq || span.end_seq === seq);
}

/** Everything above a span, so that it can be unfolded into sight. */
export function above(spans: readonly Span[], id: string): string[] {
  const byId = new Map(spans.map((span) => [span.id, span]));
  const found: string[] = [];
  let parent = byId.get(id)?.parent ?? null;
  while (parent !== null && !found.includes(parent)) {
    found.push(parent);
    parent = byId.get(parent)?.parent ?? null;
  }
  return found;
}

/** What the ledger calls the call of a span: some providers number the calls of each answer from zero. */
export function ledgerName(span: Span): string | null {
  const { step, call } = span.attributes;
  return span.kind === "tool" && typeof call === "string" ? `${String(step)}/${call}` : null;
}
