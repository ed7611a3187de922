/** Runs that come to an end that they did not choose, and what brought them there. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { nearQuery } from "../../api/money";
import { isProblem } from "../../api/problems";
import type { NearRun } from "../../api/shapes";
import { Bones, Empty, Trouble } from "../../ui/Empty";
import { Icon } from "../../ui/Icon";
import { Chip, State } from "../../ui/marks";
import { More } from "../../ui/More";
import page from "../../ui/Page.module.css";
import { Plain } from "../../ui/Prose";
import { Told } from "../../ui/Told";
import { shortId } from "../../ui/words";
import { openSwitches } from "../switches/panel";
import style from "./Budgets.module.css";
import { CAUSES, usedInWords } from "./rules";

export default function NearLimits() {
  const list = useInfiniteQuery({
    ...nearQuery,
    refetchInterval: (query) => 6_000 * Math.max(1, query.state.data?.pages.length ?? 1),
  });
  const runs = list.data?.pages.flatMap((each) => each.items) ?? [];
  if (list.error !== null && (list.data === undefined || isProblem(list.error, 403)))
    return <Trouble fault={list.error} what="the runs of this tenant" retry={() => void list.refetch()} />;
  if (list.isPending) return <Bones rows={6} />;
  if (runs.length === 0) {
    return (
      <div className={page.body}>
        <Empty icon="check" title="No run is near a limit" command="qd alert near-limits">
          Runs that have used four fifths of their budget, tokens, steps or tool calls appear here, with the cause.
        </Empty>
        <More list={list} what="runs" />
      </div>
    );
  }
  return (
    <div className={page.body}>
      <table className={`${page.table} ${style.table} ${style.near}`}>
        <caption className="unseen">Runs near a limit</caption>
        <thead>
          <tr>
            <th>Run</th>
            <th>State</th>
            <th>Agent</th>
            <th>User</th>
            <th className={style.wide}>Used</th>
            <th>Cause</th>
          </tr>
        </thead>
        <tbody>
          {runs.map((run) => (
            <Row key={run.run_id} run={run} />
          ))}
        </tbody>
      </table>
      <More list={list} what="runs" />
    </div>
  );
}

function Row({ run }: { readonly run: NearRun }) {
  return (
    <tr>
      <td className={style.title}>
        <Link
          to="/runs/$run"
          params={{ run: run.run_id }}
          search={{ tab: "cost" }}
          className={page.link}
          title={run.title}
        >
          <Plain text={run.title || shortId(run.run_id)} />
        </Link>
      </td>
      <td>
        <State status={run.status} />
      </td>
      <td>{run.agent}</td>
      <td>
        <Plain text={run.user_id} />
      </td>
      <td className={style.wide}>
        {run.limits.map((use) => (
          <div key={use.limit} className={style.use}>
            <span className={style.gauge} data-tone={use.used_percent >= 95 ? "fail" : "stop"} aria-hidden="true">
              <i data-part="spent" style={{ width: `${Math.min(100, use.used_percent)}%` }} />
            </span>
            <span>
              {usedInWords(use)} <span className="muted">· {use.used_percent} %</span>
            </span>
          </div>
        ))}
      </td>
      <td className={style.cause}>
        <Chip tone="stop">
          <Icon name="warn" size={11} />
          {CAUSES[run.cause]}
        </Chip>{" "}
        <Told text={run.words} />
        {run.tool !== null && (
          <button
            className={style.stopTool}
            onClick={() => openSwitches({ scope: "tool", target: run.tool ?? "", agent: run.agent })}
          >
            <Icon name="hand" size={12} />
            Stop this tool
          </button>
        )}
      </td>
    </tr>
  );
}
