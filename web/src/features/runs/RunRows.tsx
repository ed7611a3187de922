/** The dense list: thousands of rows, of which only those in sight exist. */
import { Link, useNavigate } from "@tanstack/react-router";
import { memo, useEffect, useLayoutEffect, useRef, useState } from "react";
import type { Run } from "../../api/shapes";
import { useKeys } from "../../shell/keys";
import { Icon } from "../../ui/Icon";
import { RiskChip, State } from "../../ui/marks";
import { Plain } from "../../ui/Prose";
import { useNow } from "../../ui/now";
import { ROW, useRows } from "../../ui/rows";
import { ago, clock, duration, money, shortId, STANDINGS } from "../../ui/words";
import style from "./RunRows.module.css";

const COLUMNS = ["State", "Agent", "Release", "User", "What and why", "Steps", "Duration", "Cost", "Submitted", "Run"];

interface Props {
  readonly runs: readonly Run[];
  readonly more: () => void;
  readonly complete: boolean;
  readonly sort: (dearest: boolean) => void;
  readonly dearest?: boolean;
}

export function RunRows({ runs, more, complete, sort, dearest = false }: Props) {
  const scroller = useAnchored(runs);
  const [chosen, setChosen] = useState<string | null>(null);
  const navigate = useNavigate();
  const now = useNow();
  const rows = useRows({
    count: runs.length,
    scroller,
    keyOf: (at) => runs[at]?.run_id ?? at,
    more: () => {
      if (!complete) more();
    },
  });

  const move = (by: number): void => {
    const from = runs.findIndex((run) => run.run_id === chosen);
    const to = from === -1 ? 0 : Math.min(runs.length - 1, Math.max(0, from + by));
    setChosen(runs[to]?.run_id ?? null);
    rows.scrollTo(to);
  };
  const open = (): void => {
    if (chosen !== null) void navigate({ to: "/runs/$run", params: { run: chosen } });
  };
  useKeys([
    { keys: "j", words: "Next run", group: "Runs", act: () => move(1) },
    { keys: "k", words: "Previous run", group: "Runs", act: () => move(-1) },
    { keys: "ArrowDown", words: "Next run", group: "Runs", act: () => move(1) },
    { keys: "ArrowUp", words: "Previous run", group: "Runs", act: () => move(-1) },
    { keys: "Enter", words: "Open the run", group: "Runs", act: open },
  ]);

  return (
    <div
      ref={scroller}
      className={style.scroller}
      data-dearest={dearest || undefined}
      role="table"
      aria-rowcount={complete ? runs.length + 1 : -1}
      aria-label="Runs"
    >
      <div className={`${style.row} ${style.head}`} role="row">
        {COLUMNS.map((name) => (
          <div key={name} role="columnheader" aria-sort={name === "Cost" && dearest ? "descending" : undefined}>
            {name === "Cost" ? (
              <button
                className={style.sort}
                title={dearest ? "Newest first" : "The dearest of these first"}
                onClick={() => sort(!dearest)}
              >
                {dearest && <Icon name="down" size={9} />}
                {name}
              </button>
            ) : (
              name
            )}
          </div>
        ))}
      </div>
      <div role="rowgroup" className={style.all} style={{ height: rows.height }}>
        {rows.shown.map((item) => {
          const run = runs[item.at];
          return (
            run && (
              <Row
                key={item.key}
                run={run}
                at={item.at}
                top={item.top}
                chosen={run.run_id === chosen}
                // Ended runs don't count on: their rows stay as they are while the clock moves.
                now={STANDINGS[run.status].ended ? Math.floor(now / 60_000) * 60_000 : now}
              />
            )
          );
        })}
      </div>
      {!complete && <div className={style.more}>Loading older runs…</div>}
    </div>
  );
}

interface RowProps {
  readonly run: Run;
  readonly at: number;
  readonly top: number;
  readonly chosen: boolean;
  readonly now: number;
}

const Row = memo(function Row({ run, at, top, chosen, now }: RowProps) {
  const link = useRef<HTMLAnchorElement>(null);
  useEffect(() => {
    if (chosen) link.current?.focus({ preventScroll: true });
  }, [chosen]);
  const standing = STANDINGS[run.status];
  const elapsed = standing.ended || run.started_at === null ? run.duration_ms : now - Date.parse(run.started_at);
  const question = run.pending_approvals[0];
  const why = standing.ended ? run.why : run.current_step || run.why;
  return (
    <div
      role="row"
      aria-rowindex={at + 2}
      className={style.row}
      data-chosen={chosen || undefined}
      style={{ transform: `translateY(${top}px)` }}
    >
      <div role="cell">
        {question === undefined ? (
          <State status={run.status} />
        ) : (
          <Link to="/approvals" search={{ id: question.approval_id }} title="Answer it" className={style.answer}>
            <State status={run.status} />
          </Link>
        )}
      </div>
      <div role="cell" className={style.agent}>
        {run.agent}
      </div>
      <div role="cell" className={`mono ${style.dim}`}>
        {run.release.slice(0, 8)}
      </div>
      <div role="cell">
        <Plain text={run.user_id} />
      </div>
      <div role="cell" className={style.what}>
        <Link ref={link} to="/runs/$run" params={{ run: run.run_id }} className={style.link}>
          <Plain text={run.title || "(no input)"} />
        </Link>
        {why !== "" && run.status !== "succeeded" && (
          <span className={style.why}>
            <Plain text={why} />
          </span>
        )}
        <RiskChip risk={run.risk_level} />
      </div>
      <div role="cell">{run.steps_used}</div>
      <div role="cell" title={run.waiting_ms > 0 ? `${duration(run.waiting_ms)} of it waiting for people` : undefined}>
        {run.status === "queued" ? "" : duration(elapsed)}
      </div>
      <div role="cell">
        {run.cost_micro_usd === 0 ? <span className={style.dim}>–</span> : money(run.cost_micro_usd)}
      </div>
      <div role="cell" className={style.dim} title={clock(run.created_at, 0)}>
        {ago(run.created_at, now)}
      </div>
      <div role="cell" className={`mono ${style.dim}`}>
        {shortId(run.run_id)}
      </div>
    </div>
  );
});

/** A scroller that keeps in place what one is reading while new runs arrive above it. */
function useAnchored(runs: readonly Run[]): React.RefObject<HTMLDivElement | null> {
  const scroller = useRef<HTMLDivElement>(null);
  const first = useRef<string | undefined>(undefined);
  useLayoutEffect(() => {
    const box = scroller.current;
    const before = first.current;
    first.current = runs[0]?.run_id;
    if (box === null || before === undefined || box.scrollTop < ROW) return;
    const came = runs.findIndex((run) => run.run_id === before);
    if (came > 0) box.scrollTop += came * ROW;
  }, [runs]);
  return scroller;
}
