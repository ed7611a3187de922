/** One run, in the order in which one asks: what happened, to how many, where the time went, which call, what now. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { lazy, Suspense, useCallback, useEffect, useState, useSyncExternalStore } from "react";
import { isProblem } from "../../api/problems";
import { traceQuery } from "../../api/queries";
import type { WholeRun, Trace } from "../../api/shapes";
import { drafts } from "../../live/deltas";
import { useLiveRun } from "../../live/useLiveRun";
import type { Tab } from "../../routes";
import { useKeys } from "../../shell/keys";
import { copy } from "../../ui/Copy";
import { Bones, Empty, Trouble } from "../../ui/Empty";
import { STANDINGS } from "../../ui/words";
import { latestList, neighbour } from "../runs/neighbours";
import { searchOf } from "../runs/filters";
import { ClosingLine } from "./Closing";
import { closingOf } from "./costs";
import { Facts } from "./Facts";
import { Head } from "./Head";
import { linkTo } from "./links";
import { StoryPanel } from "./StoryPanel";
import { Tabs } from "./Tabs";
import { isFault, spanAt } from "./tree";
import { Waterfall } from "./Waterfall";
import style from "./RunPage.module.css";

const Conversation = lazy(() => import("./Conversation"));
const Effects = lazy(() => import("./Effects"));
const Cost = lazy(() => import("./Cost"));
const Raw = lazy(() => import("./Raw"));

const route = getRouteApi("/inside/runs/$run");

export default function RunPage() {
  const { run } = route.useParams();
  const trace = useQuery(traceQuery(run));
  useEffect(() => {
    document.title =
      trace.data === undefined ? "Run · Quarterdeck" : `${trace.data.run.title || trace.data.run.agent} · Quarterdeck`;
    return () => {
      document.title = "Quarterdeck";
    };
  }, [trace.data]);
  if (trace.data !== undefined && !isProblem(trace.error, 403, 404)) return <Loaded key={run} trace={trace.data} />;
  if (trace.error === null) return <Bones rows={14} />;
  if (isProblem(trace.error, 404, 422)) {
    return (
      <Empty icon="search" title="There is no such run here" actions={<Link to="/runs">To the runs</Link>}>
        It may belong to another tenant, or the link is cut short: <code>{run}</code>
      </Empty>
    );
  }
  return <Trouble fault={trace.error} what="this run" retry={() => void trace.refetch()} />;
}

function Loaded({ trace }: { readonly trace: Trace }) {
  const { run } = trace;
  const { tab = "waterfall", span } = route.useSearch();
  const link = useLiveRun({ run: run.run_id, after: run.last_seq, ended: STANDINGS[run.status].ended });
  const [chosen, choose] = useChosen(span ?? firstOfInterest(trace));
  const setTab = useTab();
  useShownDraft(trace);
  useRunKeys(run, chosen);

  const goTo = useCallback(
    (seq: number): void => {
      const found = spanAt(trace.spans, seq);
      if (found === undefined) return;
      choose(found.id);
      setTab("waterfall");
    },
    [trace.spans, choose, setTab],
  );

  return (
    <div className={style.page}>
      <div className={style.top}>
        <Head run={run} link={link} span={chosen} />
        <StoryPanel story={trace.story} blast={trace.blast} run={run} spans={trace.spans} goTo={goTo} />
        <ClosingLine
          trace={trace}
          choose={(id) => {
            choose(id);
            setTab("waterfall");
          }}
        />
        <Facts trace={trace} />
      </div>
      <Tabs trace={trace} tab={tab} show={setTab} />
      <div className={style.body} role="tabpanel" id={`panel-${tab}`} aria-labelledby={`tab-${tab}`}>
        {tab === "waterfall" ? (
          <Waterfall trace={trace} chosen={chosen} choose={choose} />
        ) : (
          <Suspense fallback={<Bones rows={8} />}>
            {tab === "conversation" && <Conversation trace={trace} goTo={goTo} />}
            {tab === "effects" && <Effects trace={trace} goTo={goTo} />}
            {tab === "cost" && <Cost trace={trace} goTo={goTo} />}
            {tab === "raw" && <Raw run={run} goTo={goTo} />}
          </Suspense>
        )}
      </div>
    </div>
  );
}

/** Where one wants to look first: the last thing that went wrong, else the whole run. */
function firstOfInterest(trace: Trace): string | null {
  const calm = STANDINGS[trace.run.status].tone === "quiet";
  const fault = calm ? undefined : (closingOf(trace.spans) ?? trace.spans.findLast(isFault));
  return (fault ?? trace.spans[0])?.id ?? null;
}

/** The chosen span: at once on the page, a moment later in the URL, so that holding `j` stays quick. */
function useChosen(initial: string | null): [string | null, (id: string) => void] {
  const [chosen, setChosen] = useState(initial);
  const [moved, setMoved] = useState(false);
  const navigate = route.useNavigate();
  useEffect(() => {
    if (!moved || chosen === null) return;
    const timer = setTimeout(
      () => void navigate({ search: (before) => ({ ...before, span: chosen }), replace: true }),
      200,
    );
    return () => clearTimeout(timer);
  }, [chosen, moved, navigate]);
  const choose = useCallback((id: string) => {
    setChosen(id);
    setMoved(true);
  }, []);
  return [chosen, choose];
}

function useTab(): (tab: Tab) => void {
  const navigate = route.useNavigate();
  return useCallback(
    (tab: Tab) =>
      void navigate({
        search: ({ tab: _, ...before }) => (tab === "waterfall" ? before : { ...before, tab }),
        replace: true,
      }),
    [navigate],
  );
}

/** The draft of an answer goes once the answer itself stands in the conversation. */
function useShownDraft(trace: Trace): void {
  const { run_id: run, last_seq: last } = trace.run;
  const draft = useSyncExternalStore(drafts.subscribe, () => drafts.of(run));
  useEffect(() => {
    if (draft?.replacedBy != null && draft.replacedBy <= last) drafts.drop(run);
  }, [draft, last, run]);
}

function useRunKeys(run: WholeRun, chosen: string | null): void {
  const cache = useQueryClient();
  const navigate = useNavigate();
  const setTab = useTab();
  const step = async (by: 1 | -1): Promise<void> => {
    const next = await neighbour(cache, run.run_id, by);
    if (next !== null) await navigate({ to: "/runs/$run", params: { run: next } });
  };
  const tab = (keys: string, name: Tab) => ({ keys, words: `Show the ${name}`, group: "Run", act: () => setTab(name) });
  useKeys([
    { keys: "[", words: "Previous run of the list", group: "Run", act: () => void step(-1) },
    { keys: "]", words: "Next run of the list", group: "Run", act: () => void step(1) },
    { keys: "c", words: "Copy a link to the span", group: "Run", act: () => void copy(linkTo(chosen)) },
    {
      keys: "u",
      words: "Back to the list",
      group: "Run",
      act: () => void navigate({ to: "/runs", search: searchOf(latestList()) }),
    },
    tab("1", "waterfall"),
    tab("2", "conversation"),
    tab("3", "effects"),
    tab("4", "cost"),
    tab("5", "raw"),
  ]);
}
