/** What a run's questions to models cost, read from its spans: who took each, what was set aside, what is presumed. */
import type { Budget, CostRow, Span, Trace, WholeRun } from "../../api/shapes";
import { number, words } from "./facts";
import { isClosing } from "./tree";

export interface CostLine {
  readonly span: Span;
  readonly step: number | null;
  /** Empty = a step of the conversation, else `closing`, `summary` or `judge`. */
  readonly purpose: string;
  readonly model: string;
  readonly route: string;
  readonly why: string;
  /** How far the run saves by then. */
  readonly degree: string;
  /** What the model was told is left. */
  readonly notice: string;
  /** Null while nobody knows, and where it was never answered. */
  readonly usage: CostRow["usage"] | null;
  /** Null where no price is known. */
  readonly cost: number | null;
  readonly reserved: number;
  readonly presumed: number;
  readonly uncovered: number;
  /** Tries that came to nothing before the one that counts. */
  readonly lost: number;
}

/** One line for each question, in the order of the log. */
export function linesOf({ spans, cost }: Pick<Trace, "spans" | "cost">): CostLine[] {
  const answered = new Map(cost.map((row) => [row.seq, row]));
  const tries = new Map<string, Span[]>();
  const questions: Span[] = [];
  for (const span of spans) {
    if (span.kind !== "model") continue;
    // Tries stand beneath their question.
    if (span.attributes.try !== undefined && span.attributes.provider === undefined && span.parent !== null)
      tries.set(span.parent, [...(tries.get(span.parent) ?? []), span]);
    else questions.push(span);
  }
  questions.sort((a, b) => a.seq - b.seq);
  return questions.map((span) => lineOf(span, answered.get(span.end_seq ?? -1), tries.get(span.id) ?? []));
}

function lineOf(span: Span, row: CostRow | undefined, lost: readonly Span[]): CostLine {
  const { attributes } = span;
  const say = (name: string): string => words(attributes, name) ?? "";
  return {
    span,
    step: number(attributes, "step") ?? row?.step ?? null,
    purpose: say("purpose"),
    model: words(attributes, "served_model") ?? row?.model ?? say("model"),
    route: say("route"),
    why: say("route_why"),
    degree: say("degree"),
    notice: say("notice"),
    usage: row?.usage ?? null,
    cost: row?.cost ?? null,
    reserved: micro(span, "reserved_micro_usd"),
    presumed: [span, ...lost].reduce((total, each) => total + micro(each, "presumed_micro_usd"), 0),
    uncovered: micro(span, "uncovered_micro_usd"),
    lost: lost.length,
  };
}

function micro({ attributes }: Span, name: string): number {
  return number(attributes, name) ?? 0;
}

export interface Totals {
  readonly presumed: number;
  readonly uncovered: number;
  readonly unpriced: number;
  readonly cached: number;
  readonly reasoning: number;
  /** What each purpose came to, steps of the conversation first. */
  readonly purposes: readonly (readonly [purpose: string, cost: number])[];
}

export function totalsOf(lines: readonly CostLine[]): Totals {
  const purposes = new Map<string, number>([["", 0]]);
  let [presumed, uncovered, unpriced, cached, reasoning] = [0, 0, 0, 0, 0];
  for (const line of lines) {
    presumed += line.presumed;
    uncovered += line.uncovered;
    unpriced += Number(line.usage !== null && line.cost === null);
    cached += line.usage?.cache_read ?? 0;
    reasoning += line.usage?.reasoning ?? 0;
    purposes.set(line.purpose, (purposes.get(line.purpose) ?? 0) + (line.cost ?? 0) + line.presumed);
  }
  return { presumed, uncovered, unpriced, cached, reasoning, purposes: [...purposes] };
}

/** The lowest of the limits in money that hold for this run alone, whoever says so; null where none does. */
export function limitOf(run: Pick<WholeRun, "agent" | "release">, budgets: readonly Budget[]): Budget | null {
  const holding = budgets.filter(
    (budget) =>
      budget.scope === "run" &&
      budget.max_budget !== null &&
      (budget.source !== "release" || (budget.agent === run.agent && budget.release === run.release)),
  );
  return holding.sort((a, b) => (a.max_budget ?? 0) - (b.max_budget ?? 0))[0] ?? null;
}

const PURPOSES: Readonly<Record<string, string>> = {
  "": "steps",
  closing: "last answer",
  summary: "summaries",
  judge: "judges",
};

export function purposeInWords(purpose: string): string {
  return PURPOSES[purpose] ?? purpose;
}

const DEGREES: Readonly<Record<string, string>> = {
  cheaper: "cheaper route",
  shorter: "shorter context",
  no_tools: "no more tools",
  closing: "last answer",
};

export function degreeInWords(degree: string): string {
  return DEGREES[degree] ?? degree;
}

/** The span in which a run's closing stands, where it was closed. */
export function closingOf(spans: readonly Span[]): Span | undefined {
  return spans.findLast(isClosing);
}
