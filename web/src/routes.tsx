/** The pages and their addresses. What a page shows (filters, tab, selection) stands in its search, in plain words. */
import type { QueryClient } from "@tanstack/react-query";
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
  retainSearchParams,
} from "@tanstack/react-router";
import { actIn } from "./api/client";
import type { Source } from "./api/money";
import { runsQuery, sessionQuery, traceQuery } from "./api/queries";
import { type Asked, askedOf } from "./features/approvals/filters";
import { type Sought, soughtOf } from "./features/audit/filters";
import { filtersOf, searchOf } from "./features/runs/filters";
import { type Looked, lookedOf } from "./features/usage/filters";
import { Shell } from "./shell/Shell";
import { Crash, NoPage } from "./shell/Wrong";

interface Context {
  readonly cache: QueryClient;
}

const root = createRootRouteWithContext<Context>()({
  component: Outlet,
  notFoundComponent: NoPage,
  validateSearch: (search: Record<string, unknown>): { tenant?: string | undefined } => ({
    tenant: text(search.tenant),
  }),
  search: { middlewares: [retainSearchParams(["tenant"])] },
});

// What is left out of a validated search would come through as it was sent: each name is said, if only as undefined.
interface SignInSearch {
  next?: string | undefined;
}

const signIn = createRoute({
  getParentRoute: () => root,
  path: "/sign-in",
  validateSearch: (search: Record<string, unknown>): SignInSearch => ({ next: ownPath(search.next) }),
  component: lazyRouteComponent(() => import("./features/sessions/SignIn")),
});

/** Everything that needs somebody to be signed in. */
const inside = createRoute({
  getParentRoute: () => root,
  id: "inside",
  beforeLoad: async ({ context, location, search }) => {
    const session = await context.cache.query({ ...sessionQuery, staleTime: "static" });
    if (session === null) throw redirect({ to: "/sign-in", search: { next: ownPath(location.href) } });
    actIn(session.admin ? (search.tenant ?? null) : null);
    return { session };
  },
  component: function Inside() {
    return <Shell session={inside.useRouteContext().session} />;
  },
});

const home = createRoute({
  getParentRoute: () => inside,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/runs" });
  },
});

const loadRuns = (): Promise<typeof import("./features/runs/RunsPage")> => import("./features/runs/RunsPage");
const loadRun = (): Promise<typeof import("./features/run/RunPage")> => import("./features/run/RunPage");

export interface RunsSearch {
  status?: string | undefined;
  agent?: string | undefined;
  cause?: string | undefined;
  user?: string | undefined;
  release?: string | undefined;
  thread?: string | undefined;
  q?: string | undefined;
  range?: string | undefined;
  /** `cause`: runs under what they have in common. */
  group?: "cause" | undefined;
  /** `cost`: the dearest of those that are loaded first. */
  sort?: "cost" | undefined;
}

const NO_RUNS_SEARCH: RunsSearch = {
  status: undefined,
  agent: undefined,
  cause: undefined,
  user: undefined,
  release: undefined,
  thread: undefined,
  q: undefined,
  range: undefined,
};

const runs = createRoute({
  getParentRoute: () => inside,
  path: "/runs",
  validateSearch: (search: Record<string, unknown>): RunsSearch => ({
    ...NO_RUNS_SEARCH,
    ...searchOf(filtersOf(search)),
    group: search.group === "cause" ? "cause" : undefined,
    sort: search.sort === "cost" ? "cost" : undefined,
  }),
  loaderDeps: ({ search }) => filtersOf({ ...search }),
  loader: ({ context, deps }) => early(context.cache.infiniteQuery(runsQuery(deps))),
  component: lazyRouteComponent(loadRuns),
});

export const TABS = ["waterfall", "conversation", "effects", "cost", "raw"] as const;
export type Tab = (typeof TABS)[number];

export interface RunSearch {
  tab?: Tab | undefined;
  /** Id of the span that is selected. */
  span?: string | undefined;
}

const run = createRoute({
  getParentRoute: () => inside,
  path: "/runs/$run",
  validateSearch: (search: Record<string, unknown>): RunSearch => ({
    tab: TABS.includes(search.tab as Tab) ? (search.tab as Tab) : undefined,
    span: text(search.span),
  }),
  loader: ({ context, params }) => early(context.cache.query(traceQuery(params.run))),
  component: lazyRouteComponent(loadRun),
});

const agents = createRoute({
  getParentRoute: () => inside,
  path: "/agents",
  component: lazyRouteComponent(() => import("./features/agents/AgentsPage")),
});

export type ApprovalsSearch = Asked & {
  /** The question that is open. */
  id?: string | undefined;
  tab?: "escalations" | undefined;
};

const approvals = createRoute({
  getParentRoute: () => inside,
  path: "/approvals",
  validateSearch: (search: Record<string, unknown>): ApprovalsSearch => ({
    ...named("state", "agent", "tool", "risk", "run"),
    ...askedOf(search),
    id: text(search.id),
    tab: search.tab === "escalations" ? "escalations" : undefined,
  }),
  component: lazyRouteComponent(() => import("./features/approvals/ApprovalsPage")),
});

export const POLICY_TABS = ["tools", "who", "explain", "policies", "advice"] as const;
export type PolicyTab = (typeof POLICY_TABS)[number];

export interface PolicySearch {
  tab?: PolicyTab | undefined;
  agent?: string | undefined;
  tool?: string | undefined;
  user?: string | undefined;
  /** The policy that is open. */
  name?: string | undefined;
  days?: string | undefined;
}

const policy = createRoute({
  getParentRoute: () => inside,
  path: "/policy",
  validateSearch: (search: Record<string, unknown>): PolicySearch => ({
    tab: POLICY_TABS.includes(search.tab as PolicyTab) ? (search.tab as PolicyTab) : undefined,
    agent: text(search.agent),
    tool: text(search.tool),
    user: text(search.user),
    name: text(search.name),
    days: text(search.days),
  }),
  component: lazyRouteComponent(() => import("./features/policy/PolicyPage")),
});

const SOURCES: readonly Source[] = ["tenant", "deployment", "release"];
export const BUDGET_TABS = ["budgets", "alerts", "near"] as const;
export type BudgetTab = (typeof BUDGET_TABS)[number];

export interface BudgetsSearch {
  tab?: BudgetTab | undefined;
  /** The budget that is open, and whose it is. */
  name?: string | undefined;
  source?: Source | undefined;
  /** Alerts that are over, or all of them. */
  state?: "resolved" | "all" | undefined;
}

const budgets = createRoute({
  getParentRoute: () => inside,
  path: "/budgets",
  validateSearch: (search: Record<string, unknown>): BudgetsSearch => ({
    tab: BUDGET_TABS.includes(search.tab as BudgetTab) ? (search.tab as BudgetTab) : undefined,
    name: text(search.name),
    source: SOURCES.includes(search.source as Source) ? (search.source as Source) : undefined,
    state: search.state === "resolved" || search.state === "all" ? search.state : undefined,
  }),
  component: lazyRouteComponent(() => import("./features/budgets/BudgetsPage")),
});

export const USAGE_TABS = ["report", "who", "outliers", "savings"] as const;
export type UsageTab = (typeof USAGE_TABS)[number];

export type UsageSearch = Looked & {
  tab?: UsageTab | undefined;
  /** The group that stands out in the chart. */
  pick?: string | undefined;
};

const usage = createRoute({
  getParentRoute: () => inside,
  path: "/usage",
  validateSearch: (search: Record<string, unknown>): UsageSearch => ({
    ...named("by", "tag", "range", "among"),
    ...lookedOf(search),
    tab: USAGE_TABS.includes(search.tab as UsageTab) ? (search.tab as UsageTab) : undefined,
    pick: typeof search.pick === "string" ? search.pick : undefined,
  }),
  component: lazyRouteComponent(() => import("./features/usage/UsagePage")),
});

const switches = createRoute({
  getParentRoute: () => inside,
  path: "/switches",
  component: lazyRouteComponent(() => import("./features/switches/SwitchesPage")),
});

export type AuditSearch = Sought & {
  /** The row that is open. */
  row?: string | undefined;
};

const audit = createRoute({
  getParentRoute: () => inside,
  path: "/audit",
  validateSearch: (search: Record<string, unknown>): AuditSearch => ({
    ...named("kind", "actor", "tool", "run", "verdict", "range"),
    ...soughtOf(search),
    row: text(search.row),
  }),
  component: lazyRouteComponent(() => import("./features/audit/AuditPage")),
});

const keys = createRoute({
  getParentRoute: () => inside,
  path: "/keys",
  component: lazyRouteComponent(() => import("./features/keys/KeysPage")),
});

const tree = root.addChildren([
  signIn,
  inside.addChildren([home, runs, run, approvals, agents, policy, budgets, usage, switches, audit, keys]),
]);

/** Asked for before it is shown; what goes wrong is said where it is shown. */
function early(question: Promise<unknown>): void {
  question.catch(() => undefined);
}

/** A path of this console, to go on to after signing in; anything else, such as another site's address, is dropped. */
function ownPath(next: unknown): string | undefined {
  return typeof next === "string" && /^\/(?![/\\])/.test(next) && next !== "/" ? next : undefined;
}

/** Each name, said as undefined. */
function named(...names: readonly string[]): Record<string, undefined> {
  return Object.fromEntries(names.map((name) => [name, undefined]));
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** Search as people write it: `?status=failed&tab=cost`, no JSON. */
function parseSearch(text: string): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(text));
}

function stringifySearch(search: Record<string, unknown>): string {
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries(search)) {
    if (typeof value === "string" && value !== "") pairs.set(name, value);
  }
  const text = pairs.toString().replaceAll("%2C", ",").replaceAll("%3A", ":");
  return text === "" ? "" : `?${text}`;
}

export function makeRouter(cache: QueryClient) {
  return createRouter({
    routeTree: tree,
    context: { cache },
    parseSearch,
    stringifySearch,
    defaultErrorComponent: Crash,
    defaultPendingMs: 0,
    defaultPendingMinMs: 0,
    defaultPreload: "intent",
    defaultPreloadStaleTime: 0,
    scrollRestoration: false,
  });
}

/** Fetch the code of the page that was asked for beside the session, not after it. */
export function fetchEarly(path: string): void {
  if (path === "/" || path === "/runs") void loadRuns();
  else if (path.startsWith("/runs/")) void loadRun();
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
