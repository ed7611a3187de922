/** Questions about what agents may do and who decides: approvals, escalations, switches, autonomy, policies, audit. */
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { type Asked, askedParams } from "../features/approvals/filters";
import { type Sought, soughtParams } from "../features/audit/filters";
import { ask } from "./client";
import { MOST, PAGE } from "./queries";
import type {
  Approval,
  ApprovalFacets,
  ApprovalPage,
  AuditPage,
  AutonomyPage,
  Chain,
  ChangePage,
  Difference,
  EscalationFacets,
  EscalationPage,
  MayPage,
  PatternPage,
  Policy,
  PolicyPage,
  RatePage,
  ReleasePolicies,
  SwitchPage,
  UnusedPage,
  WholeAuditRow,
  WholeRelease,
} from "./shapes";

export function approvalsQuery(asked: Asked) {
  return infiniteQueryOptions({
    queryKey: ["approvals", "list", asked],
    queryFn: ({ pageParam, signal }) =>
      ask<ApprovalPage>("/v1/approvals", {
        params: { ...askedParams(asked), limit: PAGE, cursor: pageParam },
        signal,
      }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
}

export const approvalFacetsQuery = queryOptions({
  queryKey: ["approvals", "facets"],
  queryFn: ({ signal }) => ask<ApprovalFacets>("/v1/approvals/facets", { signal }),
});

export function approvalQuery(approval: string) {
  return queryOptions({
    queryKey: ["approvals", "one", approval],
    queryFn: ({ signal }) => ask<Approval>(`/v1/approvals/${approval}`, { signal }),
  });
}

/** How the last questions about this tool of this agent ended. */
export function decisionsQuery(agent: string, tool: string) {
  return queryOptions({
    queryKey: ["approvals", "decisions", agent, tool],
    queryFn: async ({ signal }) =>
      (await ask<ApprovalPage>("/v1/approvals", { params: { agent, tool, limit: 20 }, signal })).items,
    staleTime: 15_000,
  });
}

export function escalationsQuery(state: string | undefined) {
  return queryOptions({
    queryKey: ["escalations", "list", state ?? "all"],
    queryFn: ({ signal }) => ask<EscalationPage>("/v1/escalations", { params: { state, limit: MOST }, signal }),
  });
}

export const escalationFacetsQuery = queryOptions({
  queryKey: ["escalations", "facets"],
  queryFn: ({ signal }) => ask<EscalationFacets>("/v1/escalations/facets", { signal }),
});

export const standingQuery = queryOptions({
  queryKey: ["switches", "standing"],
  queryFn: async ({ signal }) => (await ask<SwitchPage>("/v1/switches", { signal })).items,
});

export const thrownQuery = infiniteQueryOptions({
  queryKey: ["switches", "history"],
  queryFn: ({ pageParam, signal }) =>
    ask<SwitchPage>("/v1/switches", { params: { all: "true", limit: PAGE, cursor: pageParam }, signal }),
  initialPageParam: undefined as string | undefined,
  getNextPageParam: (page) => page.next_cursor ?? undefined,
});

export const autonomyQuery = queryOptions({
  queryKey: ["autonomy", "list"],
  queryFn: async ({ signal }) => (await ask<AutonomyPage>("/v1/autonomy", { params: { limit: MOST }, signal })).items,
});

export function changesQuery(agent: string, tool: string) {
  return queryOptions({
    queryKey: ["autonomy", "changes", agent, tool],
    queryFn: async ({ signal }) =>
      (await ask<ChangePage>(`/v1/autonomy/${agent}/${tool}/changes`, { params: { limit: 10 }, signal })).items,
  });
}

export const ratesQuery = queryOptions({
  queryKey: ["rates"],
  queryFn: async ({ signal }) => (await ask<RatePage>("/v1/rates", { params: { limit: MOST }, signal })).items,
});

/** What a release grants, whole. It never changes, so it is asked for once. */
export function releaseQuery(release: string) {
  return queryOptions({
    queryKey: ["release", release],
    queryFn: ({ signal }) => ask<WholeRelease>(`/v1/releases/${release}`, { signal }),
    staleTime: Infinity,
  });
}

export function whoQuery(user: string | undefined) {
  return queryOptions({
    queryKey: ["policies", "who", user ?? ""],
    queryFn: async ({ signal }) => (await ask<MayPage>("/v1/policies/who", { params: { user }, signal })).items,
  });
}

export const policiesQuery = queryOptions({
  queryKey: ["policies", "list"],
  queryFn: ({ signal }) => ask<PolicyPage>("/v1/policies", { params: { limit: MOST }, signal }),
});

/** A policy with the ETag that a change needs; with `version`, as it was then. */
export function policyQuery(name: string, version?: number) {
  return queryOptions({
    queryKey: ["policies", "one", name, version ?? "now"],
    queryFn: ({ signal }) => ask<Policy>(`/v1/policies/${name}`, { params: { version }, signal }),
  });
}

export function versionsQuery(name: string) {
  return queryOptions({
    queryKey: ["policies", "history", name],
    queryFn: async ({ signal }) =>
      (await ask<PolicyPage>(`/v1/policies/${name}/history`, { params: { limit: 50 }, signal })).items,
  });
}

export function differenceQuery(name: string, version: number) {
  return queryOptions({
    queryKey: ["policies", "diff", name, version],
    queryFn: ({ signal }) => ask<Difference>(`/v1/policies/${name}/diff`, { params: { new: version }, signal }),
    staleTime: Infinity,
  });
}

export function releasePoliciesQuery(release: string) {
  return queryOptions({
    queryKey: ["policies", "release", release],
    queryFn: ({ signal }) => ask<ReleasePolicies>(`/v1/policies/release/${release}`, { signal }),
    staleTime: Infinity,
  });
}

export function unusedQuery(days: number) {
  return queryOptions({
    queryKey: ["policies", "unused", days],
    queryFn: async ({ signal }) => (await ask<UnusedPage>("/v1/policies/unused", { params: { days }, signal })).items,
  });
}

export const patternsQuery = queryOptions({
  queryKey: ["policies", "patterns"],
  queryFn: async ({ signal }) => (await ask<PatternPage>("/v1/policies/patterns", { signal })).items,
});

export function auditQuery(sought: Sought) {
  return infiniteQueryOptions({
    queryKey: ["audit", "list", sought],
    queryFn: ({ pageParam, signal }) =>
      ask<AuditPage>("/v1/audit", {
        params: { ...soughtParams(sought, Date.now()), limit: PAGE, cursor: pageParam },
        signal,
      }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
}

export function auditRowQuery(row: string) {
  return queryOptions({
    queryKey: ["audit", "row", row],
    queryFn: ({ signal }) => ask<WholeAuditRow>(`/v1/audit/${row}`, { signal }),
  });
}

export const chainQuery = queryOptions({
  queryKey: ["audit", "head"],
  queryFn: ({ signal }) => ask<Chain>("/v1/audit/head", { signal }),
});
