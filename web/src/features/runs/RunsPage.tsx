/** All runs of a tenant: filtered, counted, live, each view a link. */
import { Button } from "@mantine/core";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useDeferredValue, useEffect, useMemo } from "react";
import { isProblem } from "../../api/problems";
import { facetsQuery, PAGE, runsQuery } from "../../api/queries";
import type { Run } from "../../api/shapes";
import type { RunsSearch } from "../../routes";
import { Bones, Empty, Trouble } from "../../ui/Empty";
import { count, plural } from "../../ui/words";
import { applied, byCause, type Filters, filtersOf, searchOf } from "./filters";
import { Facets } from "./Facets";
import { Groups } from "./Groups";
import { rememberList } from "./neighbours";
import { RunRows } from "./RunRows";
import { RunsBar } from "./RunsBar";
import { WaitingStrip } from "./WaitingStrip";
import style from "./RunsPage.module.css";

const route = getRouteApi("/inside/runs");

const FRESH = 2_500;
const GROUPED = 1_000;

export function RunsPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const filters = useMemo(() => filtersOf({ ...search }), [search]);
  const grouped = search.group === "cause";

  const list = useInfiniteQuery({
    ...runsQuery(filters),
    // Each page that is loaded is asked for again: the more there are, the less often.
    refetchInterval: (query) => FRESH * Math.max(1, query.state.data?.pages.length ?? 1),
    placeholderData: (before) => before,
  });
  const facets = useQuery({ ...facetsQuery(filters), refetchInterval: 4 * FRESH, placeholderData: (before) => before });
  const runs = useMemo(() => unique(list.data?.pages.flatMap((page) => page.items) ?? []), [list.data]);
  useEffect(() => rememberList(filters), [filters]);

  const { hasNextPage, isFetchingNextPage, fetchNextPage } = list;
  const wantsMore = grouped && hasNextPage && !isFetchingNextPage && runs.length < GROUPED;
  useEffect(() => {
    if (wantsMore) void fetchNextPage();
  }, [wantsMore, fetchNextPage]);

  const show = (next: Filters, view: Pick<RunsSearch, "group" | "sort"> = search): void => {
    const { group, sort } = view;
    const kept = { ...(group === undefined ? {} : { group }), ...(sort === undefined ? {} : { sort }) };
    void navigate({ search: { ...searchOf(next), ...kept }, replace: true });
  };
  const more = (): void => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  };

  return (
    <div className={style.page}>
      <RunsBar
        filters={filters}
        show={show}
        grouped={grouped}
        group={(on) => show(filters, on ? { group: "cause" } : {})}
        updatedAt={list.dataUpdatedAt}
        failing={list.failureCount > 0}
      />
      <WaitingStrip />
      <div className={style.body} data-alone={isProblem(list.error, 403) || undefined}>
        {isProblem(list.error, 403) || <Facets facets={facets.data} filters={filters} show={show} />}
        <section className={style.list} aria-label="Runs">
          <Content
            list={list}
            runs={useDeferredValue(runs)}
            filters={filters}
            grouped={grouped}
            clear={() => show({})}
            more={more}
            complete={!hasNextPage}
            dearest={search.sort === "cost"}
            sort={(dearest) => show(filters, dearest ? { sort: "cost" } : {})}
          />
        </section>
      </div>
    </div>
  );
}

interface ContentProps {
  readonly list: {
    readonly isPending: boolean;
    readonly error: Error | null;
    readonly refetch: () => unknown;
    readonly data: unknown;
  };
  readonly runs: readonly Run[];
  readonly filters: Filters;
  readonly grouped: boolean;
  readonly clear: () => void;
  readonly more: () => void;
  readonly complete: boolean;
  readonly dearest: boolean;
  readonly sort: (dearest: boolean) => void;
}

function Content({ list, runs, filters, grouped, clear, more, complete, dearest, sort }: ContentProps) {
  // A list that could not be refreshed stays in sight, marked as stale above; one that may not be seen does not.
  if (list.error !== null && (list.data === undefined || isProblem(list.error, 403))) {
    return <Trouble fault={list.error} what="the runs of this tenant" retry={() => void list.refetch()} />;
  }
  if (list.isPending) return <Bones rows={16} />;
  if (runs.length === 0) return <NoRuns filters={filters} clear={clear} />;
  if (!grouped && dearest) return <Dearest runs={runs} more={more} complete={complete} sort={sort} />;
  if (!grouped) return <RunRows runs={runs} more={more} complete={complete} sort={sort} />;
  return <Groups groups={byCause(runs)} seen={runs.length} complete={complete} />;
}

interface DearestProps {
  readonly runs: readonly Run[];
  readonly more: () => void;
  readonly complete: boolean;
  readonly sort: (dearest: boolean) => void;
}

/** The API lists runs by time alone: these are the dearest of those that are here, and it is said how many that are. */
function Dearest({ runs, more, complete, sort }: DearestProps) {
  const sorted = useMemo(() => [...runs].sort((a, b) => b.cost_micro_usd - a.cost_micro_usd), [runs]);
  return (
    <>
      <p className={style.sorted} role="status">
        {complete
          ? `All ${plural(runs.length, "run")}, the dearest first.`
          : `The newest ${count(runs.length)} runs, the dearest first.`}{" "}
        <Link to="/usage" search={{ by: "run" }}>
          The dearest of all
        </Link>
        <button onClick={() => sort(false)}>Newest first</button>
        {!complete && <button onClick={more}>Load older runs</button>}
      </p>
      <RunRows runs={sorted} more={NOTHING} complete sort={sort} dearest />
    </>
  );
}

/** Rows that were loaded while one scrolls would jump to other places. */
const NOTHING = (): void => undefined;

function NoRuns({ filters, clear }: { readonly filters: Filters; readonly clear: () => void }) {
  const hiding = applied(filters);
  if (hiding.length === 0) {
    return (
      <Empty icon="runs" title="No run yet" command={'qd run submit AGENT "What should it do?"'}>
        Runs appear here the moment they are submitted, over the API or from a shell.
      </Empty>
    );
  }
  return (
    <Empty icon="filter" title="No run fits these filters" actions={<Button onClick={clear}>Clear the filters</Button>}>
      Looked for {hiding.map((filter) => filter.words).join(", ")}.
    </Empty>
  );
}

/** A run that moved from one page to the next between two answers is listed once. */
function unique(runs: readonly Run[]): Run[] {
  return runs.length <= PAGE ? [...runs] : [...new Map(runs.map((run) => [run.run_id, run])).values()];
}

export default RunsPage;
