/** What a budget says and how it stands, in words; and what may be set, as the API will judge it. Pure. */
import type {
  Account,
  Budget,
  BudgetBody,
  BudgetScope,
  NearRun,
  Severity,
  Spending,
  Suggestion,
} from "../../api/shapes";
import { count, money, plural, type Tone } from "../../ui/words";

/** A unit of accounts, as the API names them. */
export type Unit = Account["unit"];

export function amount(n: number, unit: Unit): string {
  return unit === "micro_usd" ? money(n) : plural(n, "token");
}

const PER: Readonly<Record<string, string>> = { "1h": "an hour", "1d": "a day", month: "a month", total: "in total" };

export const DURATIONS: readonly (readonly [string, string])[] = [
  ["1h", "an hour"],
  ["1d", "a day"],
  ["month", "a month"],
  ["total", "for ever"],
];

export const SCOPES: Readonly<Record<BudgetScope, string>> = {
  request: "each request",
  run: "each run",
  thread: "each thread",
  user: "users",
  agent: "agents",
  tenant: "the tenant",
  everything: "all tenants together",
};

/** Scopes whose budget can name one of them. */
export function isNamed(scope: BudgetScope, deployment: boolean): boolean {
  return deployment ? scope === "tenant" : scope === "user" || scope === "agent";
}

/** A request and a run have one window: their own life. */
export function durationsOf(scope: BudgetScope): readonly (readonly [string, string])[] {
  return scope === "request" || scope === "run" ? [["total", "for its whole life"]] : DURATIONS;
}

/** `each user`, `user maria`, `the tenant` */
export function whoInWords({ scope, target }: Pick<Budget, "scope" | "target">): string {
  if (target !== "*") return `${scope} ${target}`;
  if (scope === "tenant") return "the tenant";
  return scope === "everything" ? "all tenants together" : `each ${scope}`;
}

/** `$10.00 a day`, `60 calls a minute` */
export function limitsInWords(budget: Budget): string[] {
  const per = budget.scope === "request" || budget.scope === "run" ? "" : ` ${PER[budget.budget_duration] ?? ""}`;
  const found: string[] = [];
  if (budget.max_budget !== null) found.push(`${dollars(budget.max_budget)}${per}`);
  if (budget.max_tokens !== null) found.push(`${plural(budget.max_tokens, "token")}${per}`);
  if (budget.rpm_limit !== null) found.push(`${plural(budget.rpm_limit, "call")} a minute`);
  if (budget.tpm_limit !== null) found.push(`${plural(budget.tpm_limit, "token")} a minute`);
  return found;
}

/** A limit as somebody wrote it: `$12.50`, `$0.0005`, never rounded. */
export function dollars(usd: number): string {
  const exact = (Math.round(usd * 1e6) / 1e6).toFixed(6).replace(/0{1,4}$/, "");
  const [whole = "0", part = "00"] = exact.split(".");
  return `$${Number(whole).toLocaleString("en-US")}.${part}`;
}

export interface Standing {
  readonly word: string;
  readonly tone: Tone;
  /** The more the worse, to sort by. */
  readonly rank: number;
}

const CALM: Standing = { word: "within", tone: "quiet", rank: 0 };
const NEAR = 80;

/** How an account stands. Near is the level at which its budget warns, four fifths where it says none. */
export function standingOf(account: Account, alertAt: readonly number[] = []): Standing {
  if (account.uncovered > 0 && account.spent + account.uncovered > account.limit)
    return { word: "overspent", tone: "fail", rank: 4 };
  if (account.left <= 0) return { word: "used up", tone: "fail", rank: 3 };
  const warns = alertAt.filter((level) => level < 100 && level > 50);
  if (account.used_percent >= Math.min(NEAR, ...warns)) return { word: "near its limit", tone: "stop", rank: 2 };
  if (account.projected_at !== null) return { word: "runs out early", tone: "stop", rank: 1 };
  return CALM;
}

/** The worst of what a budget limits; null while nothing was spent. */
export function worstOf(budget: Budget): { readonly spending: Spending; readonly standing: Standing } | null {
  const all = budget.spending.map((spending) => ({ spending, standing: standingOf(spending, budget.alert_at) }));
  return (
    all.sort((a, b) => b.standing.rank - a.standing.rank || b.spending.used_percent - a.spending.used_percent)[0] ??
    null
  );
}

/** The parts of a bar, each from 0 to 1, which never add up to more. */
export function partsOf(account: Account): {
  readonly spent: number;
  readonly uncovered: number;
  readonly reserved: number;
} {
  const whole = Math.max(account.limit, account.spent + account.uncovered + account.reserved, 1);
  return {
    spent: account.spent / whole,
    uncovered: account.uncovered / whole,
    reserved: account.reserved / whole,
  };
}

/** `in 3 h`, `in 12 min`: when something comes. */
export function until(at: string, now: number): string {
  const seconds = Math.max(0, Math.round((Date.parse(at) - now) / 1000));
  if (seconds < 90) return `in ${seconds} s`;
  if (seconds < 90 * 60) return `in ${Math.round(seconds / 60)} min`;
  if (seconds < 36 * 3600) return `in ${Math.round(seconds / 3600)} h`;
  return `in ${Math.round(seconds / 86_400)} days`;
}

export const SEVERITIES: Readonly<Record<Severity, { readonly word: string; readonly tone: Tone }>> = {
  critical: { word: "critical", tone: "fail" },
  warning: { word: "warning", tone: "stop" },
  notice: { word: "notice", tone: "quiet" },
};

export const CAUSES: Readonly<Record<NearRun["cause"], string>> = {
  looping_tool: "goes round in circles",
  failing_tool: "a tool fails",
  growing_context: "grows too long",
  dear_step: "one dear step",
  busy_tool: "one busy tool",
  many_steps: "many steps",
};

/** `$0.41 of $0.50`, `47 of 50 steps` */
export function usedInWords({ limit, used, most }: NearRun["limits"][number]): string {
  if (limit === "budget") return `${money(used)} of ${money(most)}`;
  return `${count(used)} of ${count(most)} ${limit === "tool_calls" ? "tool calls" : limit}`;
}

/** What stands in the form, as it was typed. */
export interface Draft {
  readonly name: string;
  readonly scope: BudgetScope;
  readonly target: string;
  readonly duration: string;
  readonly usd: string;
  readonly tokens: string;
  readonly rpm: string;
  readonly tpm: string;
  readonly alertAt: string;
  readonly why: string;
}

export type Field = keyof Draft | "limits";

export const DRAFT: Draft = {
  name: "",
  scope: "user",
  target: "",
  duration: "1d",
  usd: "",
  tokens: "",
  rpm: "",
  tpm: "",
  alertAt: "50, 80, 100",
  why: "",
};

export function draftOf(budget: BudgetBody & { readonly name: string }): Draft {
  const typed = (n: number | string | null | undefined): string => (n == null ? "" : String(n));
  const { max_budget: usd } = budget;
  return {
    name: budget.name,
    scope: budget.scope,
    target: budget.target === "*" ? "" : budget.target,
    duration: budget.budget_duration,
    usd: typeof usd === "number" ? dollars(usd).replace(/[$,]/g, "") : typed(usd),
    tokens: typed(budget.max_tokens),
    rpm: typed(budget.rpm_limit),
    tpm: typed(budget.tpm_limit),
    alertAt: budget.alert_at.join(", "),
    why: budget.why,
  };
}

/** With another scope, what does not fit it any longer is put right. */
export function drafted(draft: Draft, part: Partial<Draft>): Draft {
  const next = { ...draft, ...part };
  if (part.scope === undefined || part.scope === draft.scope) return next;
  const fits = durationsOf(next.scope).some(([duration]) => duration === next.duration);
  return {
    ...next,
    target: "",
    duration: fits ? next.duration : "total",
    ...(next.scope === "request" ? { rpm: "", tpm: "" } : {}),
  };
}

/** The limits of a suggestion in the form that is open; its name and who it is for stay as they are. */
export function suggested(draft: Draft, found: Suggestion): Draft {
  const { name, target, rpm, tpm, alertAt } = draft;
  return { ...draftOf({ ...found.budget, name }), target, rpm, tpm, alertAt };
}

const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
const DOLLARS = /^[0-9]{1,9}(?:\.[0-9]{1,6})?$/;
const WHOLE = /^[0-9]{1,16}$/;
const LARGEST = 10 ** 15;

/** What is wrong, field by field; empty where it can be set. What nobody has typed yet is not called wrong. */
export function faultsOf(draft: Draft): Partial<Record<Field, string>> {
  const found: Partial<Record<Field, string>> = {};
  if (!NAME.test(draft.name.trim())) found.name = "Small letters, digits and dashes, at most 63.";
  if (draft.usd.trim() !== "" && !DOLLARS.test(draft.usd.trim()))
    found.usd = "Dollars such as 12.50, with at most six decimals.";
  for (const name of ["tokens", "rpm", "tpm"] as const)
    if (draft[name].trim() !== "" && wholeOf(draft[name]) === null) found[name] = "A whole number.";
  if (levelsOf(draft.alertAt) === null) found.alertAt = "At most ten numbers from 1 to 100, with commas.";
  if (limited(draft) === 0) found.limits = "Say at least one limit.";
  return found;
}

function limited(draft: Draft): number {
  return [draft.usd, draft.tokens, draft.rpm, draft.tpm].filter((typed) => typed.trim() !== "").length;
}

function wholeOf(typed: string): number | null {
  const bare = typed.trim().replace(/[ ,_]/g, "");
  return WHOLE.test(bare) && Number(bare) <= LARGEST ? Number(bare) : null;
}

function levelsOf(typed: string): number[] | null {
  const parts = typed.split(/[,\s]+/).filter((part) => part !== "");
  const levels = parts.map(Number);
  if (levels.length > 10 || levels.some((level) => !Number.isInteger(level) || level < 1 || level > 100)) return null;
  return [...new Set(levels)].sort((a, b) => a - b);
}

/** The budget as the API takes it. Dollars go as text: exactly what was typed. */
export function bodyOf(draft: Draft): BudgetBody {
  return {
    scope: draft.scope,
    target: draft.target.trim() === "" ? "*" : draft.target.trim(),
    budget_duration: draft.duration,
    max_budget: draft.usd.trim() === "" ? null : draft.usd.trim(),
    max_tokens: wholeOf(draft.tokens),
    rpm_limit: wholeOf(draft.rpm),
    tpm_limit: wholeOf(draft.tpm),
    alert_at: levelsOf(draft.alertAt) ?? [50, 80, 100],
    why: draft.why.trim(),
  };
}
