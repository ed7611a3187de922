/** Questions about money: budgets and who spends them, alerts, usage, and what a run's log proves. */
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { ask, askTagged, type Params } from "./client";
import { PAGE } from "./queries";
import type {
  AccountPage,
  AlertFacets,
  AlertPage,
  Budget,
  BudgetPage,
  Concentration,
  NearPage,
  Outliers,
  Proof,
  Savings,
  UsageReport,
} from "./shapes";

interface Paged {
  readonly next_cursor: string | null;
}

/** A list that goes on where the page before it ended. */
function pagesOf<Page extends Paged>(queryKey: readonly unknown[], path: string, params: Params = {}, limit = PAGE) {
  return infiniteQueryOptions({
    queryKey,
    queryFn: ({ pageParam, signal }) => ask<Page>(path, { params: { ...params, limit, cursor: pageParam }, signal }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
}

export const budgetsQuery = pagesOf<BudgetPage>(["budgets", "list"], "/v1/budgets");

export type Source = Budget["source"];

/** A budget with the ETag that a change needs. Of several that are called alike the tenant's comes first. */
export function budgetQuery(name: string, source: Source | undefined) {
  return queryOptions({
    queryKey: ["budgets", "one", source ?? "any", name],
    queryFn: ({ signal }) =>
      askTagged<Budget>(`/v1/budgets/${encodeURIComponent(name)}`, { params: { source }, signal }),
  });
}

/** Who has spent most of a budget. What a release declares is counted with others and has no list of its own. */
export function accountsQuery(name: string, source: "tenant" | "deployment", unit: "micro_usd" | "tokens") {
  return pagesOf<AccountPage>(
    ["budgets", "accounts", source, name, unit],
    `/v1/budgets/${encodeURIComponent(name)}/accounts`,
    { source, unit },
    20,
  );
}

export type AlertState = "standing" | "raised" | "acknowledged" | "resolved";

/** Alerts, the newest first; all of them without a state. */
export function alertsQuery(state: AlertState | undefined, limit = PAGE) {
  return pagesOf<AlertPage>(["alerts", "list", state ?? "all", limit], "/v1/alerts", { state }, limit);
}

export const alertFacetsQuery = queryOptions({
  queryKey: ["alerts", "facets"],
  queryFn: ({ signal }) => ask<AlertFacets>("/v1/alerts/facets", { signal }),
});

export const nearQuery = pagesOf<NearPage>(["alerts", "near"], "/v1/alerts/near-limits", {}, 50);

export function reportQuery(params: Params) {
  return queryOptions({
    queryKey: ["usage", "report", params],
    queryFn: ({ signal }) => ask<UsageReport>("/v1/usage/report", { params, signal }),
    staleTime: 30_000,
  });
}

export function spreadQuery(params: Params) {
  return queryOptions({
    queryKey: ["usage", "concentration", params],
    queryFn: ({ signal }) => ask<Concentration>("/v1/usage/concentration", { params, signal }),
    staleTime: 30_000,
  });
}

export function outliersQuery(params: Params) {
  return queryOptions({
    queryKey: ["usage", "outliers", params],
    queryFn: ({ signal }) => ask<Outliers>("/v1/usage/outliers", { params, signal }),
    staleTime: 30_000,
  });
}

export function savingsQuery(params: Params) {
  return queryOptions({
    queryKey: ["usage", "savings", params],
    queryFn: ({ signal }) => ask<Savings>("/v1/usage/savings", { params, signal }),
    staleTime: 30_000,
  });
}

/** What a run's log proves as far as `seq`. It reads the whole log: events that come do not ask for it again. */
export function proofQuery(run: string, seq: number) {
  return queryOptions({
    queryKey: ["proof", run, seq],
    queryFn: ({ signal }) => ask<Proof>(`/v1/runs/${run}/proof`, { signal }),
    staleTime: Infinity,
  });
}
