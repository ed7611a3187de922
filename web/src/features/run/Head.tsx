/** Which run this is, how it stands, and what one can do about it. */
import { Link } from "@tanstack/react-router";
import type { WholeRun } from "../../api/shapes";
import type { Link as Stream } from "../../live/follow";
import { CopyButton } from "../../ui/Copy";
import { Icon } from "../../ui/Icon";
import { RiskChip, State } from "../../ui/marks";
import { Plain } from "../../ui/Prose";
import { useNow } from "../../ui/now";
import { ago, clock, shortId } from "../../ui/words";
import { searchOf } from "../runs/filters";
import { latestList } from "../runs/neighbours";
import { Actions } from "./Actions";
import style from "./Head.module.css";

interface Props {
  readonly run: WholeRun;
  readonly link: Stream | null;
  readonly span: string | null;
}

export function Head({ run, link, span }: Props) {
  const now = useNow();
  return (
    <div className={style.head}>
      <div className={style.line}>
        <Link to="/runs" search={searchOf(latestList())} className={style.back} aria-label="Back to the runs">
          <Icon name="back" size={14} />
        </Link>
        <h1 className={style.title} title={run.title}>
          <Plain text={run.title || run.agent} />
        </h1>
        <span className={style.state}>
          <State status={run.status} strong />
        </span>
        <Stale link={link} />
        <span className={style.gap} />
        <Actions run={run} span={span} />
      </div>
      <div className={style.facts}>
        <Link to="/runs" search={{ agent: run.agent }} className={style.fact}>
          {run.agent}
        </Link>
        <Link
          to="/runs"
          search={{ release: run.release }}
          className={`mono ${style.fact}`}
          title={`Release ${run.release}`}
        >
          {run.release.slice(0, 12)}
        </Link>
        <span>
          {run.tenant} /{" "}
          <Link to="/runs" search={{ user: run.user_id }} className={style.fact}>
            <Plain text={run.user_id} />
          </Link>
        </span>
        {run.thread_id !== null && (
          <Link to="/runs" search={{ thread: run.thread_id }} className={style.fact}>
            thread {shortId(run.thread_id)}
          </Link>
        )}
        {run.parent_run_id !== null && (
          <Link to="/runs/$run" params={{ run: run.parent_run_id }} className={style.fact}>
            part of {shortId(run.parent_run_id)}
          </Link>
        )}
        <span title={run.created_at}>
          submitted {clock(run.created_at, now)} by {run.submitted_by}
        </span>
        <span className={style.id}>
          <span className="mono">{run.run_id}</span>
          <CopyButton text={run.run_id} what="run id" />
        </span>
        <RiskChip risk={run.risk_level} />
      </div>
    </div>
  );
}

/** Says when what one sees may no longer be so. */
function Stale({ link }: { readonly link: Stream | null }) {
  const now = useNow(link?.state === "lost");
  // A server that is replaced by its successor is away for a moment: that is no news.
  if (link?.state !== "lost" || now - link.since < 1_500) return null;
  return (
    <span className={`${style.stale} tone-stop`} role="status">
      <Icon name="warn" size={12} />
      Stale: the stream was lost {ago(link.since, now)}, connecting again
    </span>
  );
}
