/** Everything that was decided and done, searchable, with its chain checked. */
import { Button } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useMemo } from "react";
import { auditQuery } from "../../api/gate";
import { isProblem } from "../../api/problems";
import { useKeys } from "../../shell/keys";
import { Bones, Empty, Trouble } from "../../ui/Empty";
import page from "../../ui/Page.module.css";
import { AuditBar } from "./AuditBar";
import style from "./Audit.module.css";
import { AuditRows } from "./AuditRows";
import { ChainBar } from "./ChainBar";
import { type Sought, soughtInWords, soughtOf } from "./filters";
import { RowPane } from "./RowPane";

const route = getRouteApi("/inside/audit");

export default function AuditPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const sought = useMemo(() => soughtOf({ ...search }), [search]);
  const list = useInfiniteQuery({
    ...auditQuery(sought),
    refetchInterval: (query) => 5_000 * Math.max(1, query.state.data?.pages.length ?? 1),
    placeholderData: (before) => before,
  });
  const rows = useMemo(() => list.data?.pages.flatMap((each) => each.items) ?? [], [list.data]);
  const show = (next: Sought): void => void navigate({ search: next, replace: true });
  const open = (row: string | undefined): void =>
    void navigate({ search: { ...sought, ...(row === undefined ? {} : { row }) }, replace: true });
  const move = (by: number): void => {
    const from = rows.findIndex((row) => row.id === search.row);
    open(rows[Math.max(0, Math.min(rows.length - 1, from + by))]?.id);
  };
  useKeys([
    { keys: "j", words: "Next row", group: "Audit", act: () => move(1) },
    { keys: "k", words: "Previous row", group: "Audit", act: () => move(-1) },
    { keys: "ArrowDown", words: "Next row", group: "Audit", act: () => move(1) },
    { keys: "ArrowUp", words: "Previous row", group: "Audit", act: () => move(-1) },
    { keys: "x", words: "Clear the filters", group: "Audit", act: () => show({}) },
  ]);
  const refused = isProblem(list.error, 403);
  return (
    <div className={page.page}>
      <header className={page.head}>
        <h1>Audit</h1>
        {!refused && (
          <AuditBar sought={sought} show={show} updatedAt={list.dataUpdatedAt} failing={list.failureCount > 0} />
        )}
      </header>
      {!refused && <ChainBar />}
      {list.error !== null && (list.data === undefined || refused) ? (
        <Trouble fault={list.error} what="the audit of this tenant" retry={() => void list.refetch()} />
      ) : list.isPending ? (
        <Bones rows={12} />
      ) : rows.length === 0 ? (
        <Nothing sought={sought} clear={() => show({})} />
      ) : (
        <div className={style.split} data-open={search.row !== undefined || undefined}>
          <AuditRows
            rows={rows}
            open={search.row ?? null}
            choose={open}
            more={() => {
              if (list.hasNextPage && !list.isFetchingNextPage) void list.fetchNextPage();
            }}
          />
          {search.row !== undefined && <RowPane key={search.row} row={search.row} close={() => open(undefined)} />}
        </div>
      )}
    </div>
  );
}

function Nothing({ sought, clear }: { readonly sought: Sought; readonly clear: () => void }) {
  const hiding = soughtInWords(sought);
  if (hiding.length === 0) {
    return (
      <Empty icon="audit" title="Nothing was decided yet" command="qd audit list">
        Each decision of a gate, each call and each deed of a person is written here before its effect.
      </Empty>
    );
  }
  return (
    <Empty icon="filter" title="No row fits these filters" actions={<Button onClick={clear}>Clear the filters</Button>}>
      Looked for {hiding.join(", ")}.
    </Empty>
  );
}
