/** What fits together in a switch, and how it is said before it is thrown. The server decides; this asks for no nonsense. */
import { isObject } from "../../api/problems";
import type { Action, Reach, Scope, Switch } from "../../api/shapes";
import { plural } from "../../ui/words";

const CALLS: readonly Scope[] = ["tool", "server", "model", "route"];
const RUNS: readonly Scope[] = ["agent", "tenant", "everything"];
const TOOLS: readonly Scope[] = ["tool", "server", ...RUNS];

/** Which scopes an action fits. */
export const FITS: Readonly<Record<Action, readonly Scope[]>> = {
  disable: [...CALLS, ...RUNS],
  read_only: ["server", ...RUNS],
  force_review: TOOLS,
  lower_autonomy: TOOLS,
  cap_steps: RUNS,
  cap_budget: RUNS,
  switch_model: ["model", "route", "agent", "tenant"],
  stop_background: RUNS,
  pause_new: RUNS,
};

export const ACTIONS: Readonly<Record<Action, string>> = {
  disable: "Stop it",
  read_only: "Only reads",
  force_review: "A person is asked about every call",
  lower_autonomy: "Lower its autonomy",
  cap_steps: "At most so many steps a run",
  cap_budget: "At most so much money a run",
  switch_model: "Ask another model instead",
  stop_background: "Stop background runs",
  pause_new: "Admit no new runs",
};

export const SCOPES: Readonly<Record<Scope, string>> = {
  tool: "A tool",
  server: "A tool server",
  model: "A model",
  route: "A route",
  agent: "An agent",
  tenant: "The whole tenant",
  everything: "Everything, in every tenant",
};

/** What can be done at a scope, the plainest first. */
export function fitting(scope: Scope): Action[] {
  return (Object.keys(FITS) as Action[]).filter((action) => FITS[action].includes(scope));
}

/** Whether a switch of this scope can be kept to one agent. */
export function isPerAgent(scope: Scope): boolean {
  return CALLS.includes(scope);
}

/** Whether calls under way can become forbidden by it. */
export function hitsFlights(action: Action): boolean {
  return action === "disable" || action === "read_only";
}

/** What a person has put into the form so far. */
export interface Draft {
  readonly scope: Scope;
  readonly target: string;
  readonly agent: string;
  readonly action: Action;
  readonly steps: string;
  /** USD. */
  readonly budget: string;
  readonly level: string;
  readonly provider: string;
  readonly model: string;
  readonly cancel: boolean;
  /** Seconds; empty = until somebody lifts it. */
  readonly lasts: string;
}

export const DRAFT: Draft = {
  scope: "tool",
  target: "",
  agent: "",
  action: "disable",
  steps: "10",
  budget: "1.00",
  level: "ask_always",
  provider: "",
  model: "",
  cancel: false,
  lasts: "",
};

/** The draft with a field changed and whatever no longer fits it put right. */
export function drafted(draft: Draft, change: Partial<Draft>): Draft {
  const next = { ...draft, ...change };
  const scoped =
    next.scope === draft.scope ? next : { ...next, target: change.target ?? "", agent: change.agent ?? "" };
  return FITS[scoped.action].includes(scoped.scope) ? scoped : { ...scoped, action: "disable" };
}

/** What the server is asked for; null while something is missing. `here` is the slug of the tenant one acts in. */
export function bodyOf(draft: Draft, here: string | null): Record<string, unknown> | null {
  const target = targetOf(draft, here);
  const value = valueOf(draft);
  if ((target === "" && draft.scope !== "everything") || value === undefined) return null;
  return {
    scope: draft.scope,
    action: draft.action,
    ...(target === "" ? {} : { target }),
    ...(isPerAgent(draft.scope) && draft.agent !== "" ? { agent: draft.agent } : {}),
    ...(value === null ? {} : { value }),
    ...(hitsFlights(draft.action) && draft.cancel ? { in_flight: "cancel" } : {}),
    ...(draft.lasts === "" ? {} : { for_s: Number(draft.lasts) }),
  };
}

function targetOf(draft: Draft, here: string | null): string {
  if (draft.scope === "everything") return "";
  return draft.scope === "tenant" ? (here ?? "") : draft.target.trim();
}

/** Null where the action takes none, undefined while it is not given. */
function valueOf(draft: Draft): unknown {
  switch (draft.action) {
    case "cap_steps":
      return /^\d{1,6}$/.test(draft.steps.trim()) ? Number(draft.steps) : undefined;
    case "cap_budget":
      return /^\d{1,6}(\.\d{1,6})?$/.test(draft.budget.trim()) ? Number(draft.budget) : undefined;
    case "lower_autonomy":
      return draft.level;
    case "switch_model":
      if (draft.provider.trim() === "" || draft.model.trim() === "") return undefined;
      return { provider: draft.provider.trim(), id: draft.model.trim() };
    default:
      return null;
  }
}

/** What it would hit, in one sentence for people who decide in a hurry. */
export function reachInWords(reach: Reach): string {
  const runs = [
    reach.running_runs > 0 ? `${plural(reach.running_runs, "run")} under way` : "",
    reach.waiting_runs > 0 ? `${plural(reach.waiting_runs, "run")} that wait` : "",
    reach.queued_runs > 0 ? `${plural(reach.queued_runs, "run")} in the queue` : "",
    reach.calls_in_flight > 0 ? `${plural(reach.calls_in_flight, "call")} in flight` : "",
  ].filter((each) => each !== "");
  if (reach.agents.length === 0 && runs.length === 0) return "Nothing here has this today: it would hit nothing.";
  const agents = reach.agents.length === 0 ? "No agent" : plural(reach.agents.length, "agent");
  return `${agents}; ${runs.length === 0 ? "no run at this moment" : runs.join(", ")}.`;
}

/** What a switch is about, in a few words. */
export function aboutOf({ scope, target, agent }: Pick<Switch, "scope" | "target" | "agent">): string {
  const what = scope === "everything" ? "everything" : scope === "tenant" ? `tenant ${target}` : `${scope} ${target}`;
  return agent === null ? what : `${what} of ${agent}`;
}

/** The value of a switch as text; empty where it has none. */
export function valueInWords(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (isObject(value)) return `${String(value.provider)}/${String(value.id)}`;
  return typeof value === "string" ? value.replaceAll("_", " ") : JSON.stringify(value);
}
