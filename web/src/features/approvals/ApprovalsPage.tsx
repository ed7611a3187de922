/** The inbox: what waits on the left, the exact effect in the middle, why it is asked on the right. */
import { Button } from "@mantine/core";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useMemo, useState } from "react";
import { approvalFacetsQuery, approvalQuery, approvalsQuery, escalationFacetsQuery } from "../../api/gate";
import { isProblem } from "../../api/problems";
import { sessionQuery } from "../../api/queries";
import type { Approval, Risk } from "../../api/shapes";
import { useKeys } from "../../shell/keys";
import { Bones, Empty, Trouble } from "../../ui/Empty";
import { Filter, type Option } from "../../ui/Field";
import { Freshness } from "../../ui/Freshness";
import page from "../../ui/Page.module.css";
import { Views } from "../../ui/Views";
import { Answer } from "./Answer";
import style from "./ApprovalsPage.module.css";
import BatchDialog from "./BatchDialog";
import { Effect } from "./Effect";
import { type Asked, askedInWords, askedOf, STATES } from "./filters";
import { Grounds } from "./Grounds";
import { Queue } from "./Queue";
import { byExpiry } from "./rules";

const Escalations = lazy(() => import("../escalations/Escalations"));

const route = getRouteApi("/inside/approvals");
const OFTEN = 3_000;

export default function ApprovalsPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const approvals = useQuery({ ...approvalFacetsQuery, refetchInterval: OFTEN });
  const escalations = useQuery({ ...escalationFacetsQuery, refetchInterval: 2 * OFTEN, retry: false });
  const tab = search.tab ?? "approvals";
  return (
    <div className={page.page}>
      <header className={page.head}>
        <h1>{tab === "approvals" ? "Approvals" : "Escalations"}</h1>
        <Views
          label="Inbox"
          view={tab}
          views={[
            ["approvals", "Approvals", approvals.data?.state.pending],
            ["escalations", "Escalations", escalations.data?.state.open],
          ]}
          show={(name) => void navigate({ search: name === "escalations" ? { tab: name } : {} })}
        />
        {tab === "approvals" && <Bar counts={approvals.data} />}
      </header>
      {tab === "approvals" ? (
        <Inbox />
      ) : (
        <Suspense fallback={<Bones rows={6} />}>
          <Escalations />
        </Suspense>
      )}
    </div>
  );
}

interface Counts {
  readonly state: Readonly<Record<string, number>>;
  readonly agent: Readonly<Record<string, number>>;
  readonly tool: Readonly<Record<string, number>>;
  readonly risk: Readonly<Record<string, number>>;
}

function useAsked(): readonly [Asked, (asked: Asked) => void] {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const asked = useMemo(() => askedOf({ ...search }), [search]);
  return [asked, (next) => void navigate({ search: next, replace: true })];
}

function Bar({ counts }: { readonly counts: Counts | undefined }) {
  const [asked, show] = useAsked();
  const choose = (name: "agent" | "tool" | "risk" | "state", value: string): void => {
    const { [name]: _, ...rest } = asked;
    show(askedOf({ ...rest, ...(value === "" ? {} : { [name]: value }) }));
  };
  // Numbers are of what waits; elsewhere they would be wrong.
  const waiting = asked.state === undefined ? counts : undefined;
  return (
    <>
      <span className={page.gap} />
      <Filter
        label="State"
        value={asked.state ?? ""}
        options={STATES.map(([name, words]): Option<string> => [name === "pending" ? "" : name, words])}
        choose={(value) => choose("state", value)}
      />
      <Filter
        label="Risk"
        value={asked.risk ?? ""}
        options={optionsOf("Any risk", waiting?.risk ?? RISKS)}
        choose={(value) => choose("risk", value)}
      />
      <Filter
        label="Agent"
        value={asked.agent ?? ""}
        options={optionsOf("Any agent", counts?.agent, waiting === undefined)}
        choose={(value) => choose("agent", value)}
      />
      <Filter
        label="Tool"
        value={asked.tool ?? ""}
        options={optionsOf("Any tool", counts?.tool, waiting === undefined)}
        choose={(value) => choose("tool", value)}
      />
    </>
  );
}

const RISKS: Readonly<Record<Risk, number>> = { irreversible: 0, money: 0, write: 0, read: 0 };

function optionsOf(any: string, counts: Readonly<Record<string, number>> = {}, bare = false): Option<string>[] {
  const found = Object.entries(counts).sort(([a, n], [b, m]) => m - n || a.localeCompare(b));
  return [["", any], ...found.map(([name, n]): Option<string> => [name, bare || n === 0 ? name : `${name} (${n})`])];
}

function Inbox() {
  const { id } = route.useSearch();
  const navigate = route.useNavigate();
  const [asked, show] = useAsked();
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set());
  const [batch, setBatch] = useState<"approve" | "deny" | null>(null);
  const list = useInfiniteQuery({
    ...approvalsQuery(asked),
    refetchInterval: (query) => OFTEN * Math.max(1, query.state.data?.pages.length ?? 1),
    placeholderData: (before) => before,
  });
  const queue = useMemo(() => {
    const all = list.data?.pages.flatMap((each) => each.items) ?? [];
    // What runs out first comes first, where all is known; a longer queue stays as the server has it.
    return asked.state === undefined && !list.hasNextPage ? byExpiry(all) : all;
  }, [list.data, list.hasNextPage, asked.state]);
  const at = queue.findIndex((approval) => approval.approval_id === id);
  const open = at === -1 ? (id ?? queue[0]?.approval_id) : queue[at]?.approval_id;
  const choose = (approval: string | undefined): void =>
    void navigate({ search: { ...asked, ...(approval === undefined ? {} : { id: approval }) }, replace: true });
  const move = (by: number): void => {
    const from = queue.findIndex((approval) => approval.approval_id === open);
    choose(queue[Math.max(0, Math.min(queue.length - 1, from + by))]?.approval_id);
  };
  /** After an answer, the question that stood next. */
  const next = (): void => {
    const rest = queue.filter((approval) => approval.approval_id !== open);
    choose(rest[Math.min(Math.max(at, 0), rest.length - 1)]?.approval_id);
  };
  useKeys([
    { keys: "j", words: "Next question", group: "Approvals", act: () => move(1) },
    { keys: "k", words: "Previous question", group: "Approvals", act: () => move(-1) },
    { keys: "ArrowDown", words: "Next question", group: "Approvals", act: () => move(1) },
    { keys: "ArrowUp", words: "Previous question", group: "Approvals", act: () => move(-1) },
    { keys: "Enter", words: "Read it", group: "Approvals", act: () => document.getElementById("effect")?.focus() },
    { keys: "x", words: "Clear the filters", group: "Approvals", act: () => show({}) },
  ]);

  if (list.error !== null && (list.data === undefined || isProblem(list.error, 403))) {
    return <Trouble fault={list.error} what="the approvals of this tenant" retry={() => void list.refetch()} />;
  }
  if (list.isPending) return <Bones rows={10} />;
  if (queue.length === 0 && id === undefined) return <Nothing asked={asked} clear={() => show({})} />;
  const chosen = queue.filter((approval) => picked.has(approval.approval_id));
  return (
    <div className={style.columns}>
      <section className={style.queue} aria-label="Queue">
        <div className={style.fresh}>
          <Freshness updatedAt={list.dataUpdatedAt} failing={list.failureCount > 0} />
          <span className="muted">
            {asked.state === undefined && !list.hasNextPage ? "first to run out first" : "newest first"}
          </span>
        </div>
        {chosen.length > 0 && (
          <div className={style.batch}>
            <span>{chosen.length} chosen</span>
            <Button size="compact-xs" variant="filled" onClick={() => setBatch("approve")}>
              Approve them
            </Button>
            <Button size="compact-xs" onClick={() => setBatch("deny")}>
              Deny them
            </Button>
            <button className={page.link} onClick={() => setPicked(new Set())}>
              None
            </button>
          </div>
        )}
        {queue.length === 0 ? (
          <p className={style.none}>Nothing {askedInWords(asked).length > 0 ? "else fits the filters." : "waits."}</p>
        ) : (
          <Queue
            queue={queue}
            open={open ?? null}
            choose={choose}
            picked={picked}
            pick={setPicked}
            more={() => {
              if (list.hasNextPage && !list.isFetchingNextPage) void list.fetchNextPage();
            }}
          />
        )}
      </section>
      {open !== undefined && (
        <Opened key={open} approval={open} known={queue.find((one) => one.approval_id === open)} next={next} />
      )}
      {batch !== null && (
        <BatchDialog
          approvals={chosen}
          verdict={batch}
          close={() => {
            setBatch(null);
            setPicked(new Set());
          }}
        />
      )}
    </div>
  );
}

interface OpenedProps {
  readonly approval: string;
  readonly known: Approval | undefined;
  readonly next: () => void;
}

/** The question in full, asked for by itself: it may have been answered meanwhile, or stand in no list at all. */
function Opened({ approval, known, next }: OpenedProps) {
  const { data: session } = useQuery(sessionQuery);
  const one = useQuery({
    ...approvalQuery(approval),
    ...(known === undefined ? {} : { placeholderData: known }),
    refetchInterval: (query) => (query.state.data?.state === "pending" ? OFTEN : false),
  });
  useEffect(() => {
    document.title =
      one.data === undefined ? "Approvals · Quarterdeck" : `${one.data.summary || one.data.tool} · Quarterdeck`;
    return () => {
      document.title = "Quarterdeck";
    };
  }, [one.data]);
  if (one.data === undefined) {
    if (one.error === null) return <Bones rows={8} />;
    return (
      <div className={style.wide}>
        <Trouble fault={one.error} what="this approval" retry={() => void one.refetch()} />
      </div>
    );
  }
  return (
    <>
      <section id="effect" className={style.effect} tabIndex={-1} aria-label="What it will do">
        <Effect approval={one.data} />
        <Answer approval={one.data} session={session} answered={next} keys />
      </section>
      <aside className={style.grounds} aria-label="Why it asks">
        <Grounds approval={one.data} />
      </aside>
    </>
  );
}

function Nothing({ asked, clear }: { readonly asked: Asked; readonly clear: () => void }) {
  const hiding = askedInWords(asked);
  if (hiding.length > 0) {
    return (
      <Empty
        icon="filter"
        title="No question fits these filters"
        actions={<Button onClick={clear}>Clear the filters</Button>}
      >
        Looked for {hiding.join(", ")}.
      </Empty>
    );
  }
  if (asked.state !== undefined) {
    return (
      <Empty icon="approval" title="No such question" actions={<Button onClick={clear}>What waits now</Button>}>
        Nothing here is {asked.state === "all" ? "kept" : asked.state}.
      </Empty>
    );
  }
  return (
    <Empty icon="approval" title="Nobody waits for you" command="qd approval list">
      When an agent wants to do what its policies leave to a person, the question appears here, and in the shell.
    </Empty>
  );
}
