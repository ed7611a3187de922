/** Every question that the console asks, with its key: what a live event makes stale is named by these keys. */
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { type Filters, paramsOf } from "../features/runs/filters";
import { ask, askText } from "./client";
import { isProblem } from "./problems";
import type {
  AgentPage,
  EventPage,
  Facets,
  KeyPage,
  LogEvent,
  ReleasePage,
  RunPage,
  Session,
  TenantPage,
  Trace,
} from "./shapes";

export const PAGE = 100;

/** The longest page that the API gives: what these lists show at once, saying so where there is more. */
export const MOST = 200;

export const sessionQuery = queryOptions({
  queryKey: ["session"],
  /** Null when nobody is signed in. */
  queryFn: async ({ signal }): Promise<Session | null> => {
    try {
      return await ask<Session>("/v1/sessions/current", { signal });
    } catch (fault) {
      if (isProblem(fault, 401)) return null;
      throw fault;
    }
  },
  staleTime: 60_000,
});

export function runsQuery(filters: Filters) {
  return infiniteQueryOptions({
    queryKey: ["runs", "list", filters],
    queryFn: ({ pageParam, signal }) =>
      ask<RunPage>("/v1/runs", {
        params: { ...paramsOf(filters, Date.now()), limit: PAGE, cursor: pageParam },
        signal,
      }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
}

/** How many there are of each, in the time that is looked at; the other filters are what one chooses from these. */
export function facetsQuery(filters: Filters) {
  const { range } = filters;
  return queryOptions({
    queryKey: ["runs", "facets", range ?? "all"],
    queryFn: ({ signal }) => {
      const { since } = paramsOf(range === undefined ? {} : { range }, Date.now());
      return ask<Facets>("/v1/runs/facets", { params: { since }, signal });
    },
  });
}

export function traceQuery(run: string) {
  return queryOptions({
    queryKey: ["run", run, "trace"],
    queryFn: ({ signal }) => ask<Trace>(`/v1/runs/${run}/trace`, { signal }),
    staleTime: 30_000,
  });
}

export const EVENTS_PAGE = 500;

export function eventsQuery(run: string) {
  return infiniteQueryOptions({
    queryKey: ["run", run, "events"],
    queryFn: ({ pageParam, signal }) =>
      ask<EventPage>(`/v1/runs/${run}/events`, { params: { after: pageParam, limit: EVENTS_PAGE }, signal }),
    initialPageParam: 0,
    getNextPageParam: (page) => (page.items.length < EVENTS_PAGE ? undefined : page.items.at(-1)?.seq),
  });
}

/** One event of the log. It never changes, so it is asked for once. */
export function eventQuery(run: string, seq: number) {
  return queryOptions({
    queryKey: ["event", run, seq],
    queryFn: async ({ signal }): Promise<LogEvent | null> => {
      const page = await ask<EventPage>(`/v1/runs/${run}/events`, { params: { after: seq - 1, limit: 1 }, signal });
      const found = page.items[0];
      return found?.seq === seq ? found : null;
    },
    staleTime: Infinity,
  });
}

export function blobQuery(run: string, key: string) {
  return queryOptions({
    queryKey: ["blob", run, key],
    queryFn: ({ signal }) => askText(`/v1/blobs/${key}`, { run }, signal),
    staleTime: Infinity,
  });
}

export const agentsQuery = queryOptions({
  queryKey: ["agents"],
  queryFn: ({ signal }) => ask<AgentPage>("/v1/agents", { params: { limit: MOST }, signal }),
  staleTime: 30_000,
});

export const tenantsQuery = queryOptions({
  queryKey: ["tenants"],
  queryFn: async ({ signal }) => (await ask<TenantPage>("/v1/tenants", { params: { limit: MOST }, signal })).items,
  staleTime: 60_000,
});

export function releasesQuery(agent: string) {
  return queryOptions({
    queryKey: ["agents", agent, "releases"],
    queryFn: async ({ signal }) =>
      (await ask<ReleasePage>(`/v1/agents/${agent}/releases`, { params: { limit: 50 }, signal })).items,
  });
}

export const keysQuery = queryOptions({
  queryKey: ["keys"],
  queryFn: ({ signal }) => ask<KeyPage>("/v1/keys", { params: { limit: MOST }, signal }),
});
