/** What waits, densely: risk, what it would do, for whom, how long it has waited and how long one can still answer. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef } from "react";
import type { Approval } from "../../api/shapes";
import { Chip, RiskChip } from "../../ui/marks";
import { useNow } from "../../ui/now";
import { Plain } from "../../ui/Prose";
import style from "./Queue.module.css";
import { countdown, mayBatch, short } from "./rules";

const ROW = 72;

interface Props {
  readonly queue: readonly Approval[];
  readonly open: string | null;
  readonly choose: (approval: string) => void;
  readonly picked: ReadonlySet<string>;
  readonly pick: (picked: ReadonlySet<string>) => void;
  readonly more: () => void;
}

export function Queue({ queue, open, choose, picked, pick, more }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const now = useNow();
  // eslint-disable-next-line react-hooks/incompatible-library -- the virtualizer re-renders this component itself
  const rows = useVirtualizer({
    count: queue.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    getItemKey: (at) => queue[at]?.approval_id ?? at,
    overscan: 8,
  });
  const shown = rows.getVirtualItems();
  const last = shown.at(-1)?.index ?? 0;
  useEffect(() => {
    if (last >= queue.length - 10) more();
    // Only reaching the end asks for more, not each render of the page around.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [last, queue.length]);
  const at = queue.findIndex((approval) => approval.approval_id === open);
  useEffect(() => {
    if (at >= 0) rows.scrollToIndex(at, { align: "auto" });
    // Only a new choice scrolls: questions that arrive while one reads must not.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [open]);
  const toggle = (approval: string): void => {
    const next = new Set(picked);
    if (!next.delete(approval)) next.add(approval);
    pick(next);
  };
  return (
    <div ref={scroller} className={style.scroller}>
      <div className={style.all} style={{ height: rows.getTotalSize() }} role="list" aria-label="Questions">
        {shown.map((item) => {
          const approval = queue[item.index];
          return (
            approval && (
              <Row
                key={item.key}
                approval={approval}
                top={item.start}
                open={approval.approval_id === open}
                now={now}
                picked={picked.has(approval.approval_id)}
                choose={choose}
                toggle={toggle}
              />
            )
          );
        })}
      </div>
    </div>
  );
}

interface RowProps {
  readonly approval: Approval;
  readonly top: number;
  readonly open: boolean;
  readonly now: number;
  readonly picked: boolean;
  readonly choose: (approval: string) => void;
  readonly toggle: (approval: string) => void;
}

function Row({ approval, top, open, now, picked, choose, toggle }: RowProps) {
  const words = approval.summary || approval.tool;
  return (
    <div
      role="listitem"
      className={style.row}
      data-open={open || undefined}
      style={{ transform: `translateY(${top}px)` }}
    >
      <label className={style.box}>
        {mayBatch(approval) && (
          <input
            type="checkbox"
            checked={picked}
            aria-label={`Choose: ${words}`}
            onChange={() => toggle(approval.approval_id)}
          />
        )}
      </label>
      <button className={style.open} aria-current={open || undefined} onClick={() => choose(approval.approval_id)}>
        <span className={style.line}>
          <RiskChip risk={approval.risk_level} always />
          {approval.people > 1 && approval.state === "pending" && (
            <Chip>
              {approval.votes.length} of {approval.people}
            </Chip>
          )}
          <span className={`${style.time} ${style.end}`}>asked {short(now - Date.parse(approval.asked_at))} ago</span>
        </span>
        <span className={style.summary}>
          <Plain text={words} />
        </span>
        <span className={style.line}>
          <span className={style.by}>
            {approval.agent} for <Plain text={approval.user_id} />
          </span>
          <Left approval={approval} now={now} />
        </span>
      </button>
    </div>
  );
}

function Left({ approval, now }: { readonly approval: Approval; readonly now: number }) {
  if (approval.state !== "pending") {
    const tone = approval.state === "denied" ? "tone-stop" : "";
    return <span className={`${style.time} ${tone}`}>{approval.state}</span>;
  }
  const left = countdown(approval.expires_at, now);
  return <span className={`${style.time} ${left.urgent ? "tone-stop" : ""}`}>{left.words}</span>;
}
