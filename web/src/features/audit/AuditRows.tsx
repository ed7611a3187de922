/** The rows themselves: who did what to what, and what came of it. Of thousands only those in sight exist. */
import { memo, useEffect, useRef } from "react";
import type { AuditRow } from "../../api/shapes";
import { Chip } from "../../ui/marks";
import { useNow } from "../../ui/now";
import { Plain } from "../../ui/Prose";
import { useRows } from "../../ui/rows";
import { clock, count } from "../../ui/words";
import { toneOf } from "../policy/rules";
import style from "./Audit.module.css";

const COLUMNS = ["Position", "Time", "Kind", "Who", "What", "Verdict", "Rule", "Approved by", "Status"];

interface Props {
  readonly rows: readonly AuditRow[];
  readonly open: string | null;
  readonly choose: (row: string) => void;
  readonly more: () => void;
}

export function AuditRows({ rows, open, choose, more }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const now = useNow(false);
  const visible = useRows({ count: rows.length, scroller, keyOf: (at) => rows[at]?.id ?? at, more });
  const at = rows.findIndex((row) => row.id === open);
  useEffect(() => {
    if (at >= 0) visible.scrollTo(at);
    // Only a new choice scrolls: rows that arrive while one reads must not.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [open]);
  return (
    <div ref={scroller} className={style.scroller} role="table" aria-label="Audit" aria-rowcount={-1} tabIndex={0}>
      <div className={`${style.row} ${style.head}`} role="row">
        {COLUMNS.map((name) => (
          <div key={name} role="columnheader">
            {name}
          </div>
        ))}
      </div>
      <div role="rowgroup" className={style.all} style={{ height: visible.height }}>
        {visible.shown.map((item) => {
          const row = rows[item.at];
          return (
            row && (
              <Row
                key={item.key}
                row={row}
                at={item.at}
                top={item.top}
                open={row.id === open}
                now={now}
                choose={choose}
              />
            )
          );
        })}
      </div>
    </div>
  );
}

interface RowProps {
  readonly row: AuditRow;
  readonly at: number;
  readonly top: number;
  readonly open: boolean;
  readonly now: number;
  readonly choose: (row: string) => void;
}

const Row = memo(function Row({ row, at, top, open, now, choose }: RowProps) {
  return (
    <div
      role="row"
      aria-rowindex={at + 2}
      className={style.row}
      data-chosen={open || undefined}
      style={{ transform: `translateY(${top}px)` }}
      onClick={() => choose(row.id)}
    >
      <div role="cell" className={style.dim}>
        {row.position === null ? (
          <span title="Waits for its seal, a second or so">not sealed</span>
        ) : (
          count(row.position)
        )}
      </div>
      <div role="cell" title={row.at}>
        {clock(row.at, now)}
      </div>
      <div role="cell">
        <button className={style.kind} aria-current={open || undefined}>
          {row.kind}
        </button>
      </div>
      <div role="cell" className={style.dim}>
        <Plain text={row.actor} />
      </div>
      <div role="cell" title={`${row.action} ${row.target}`}>
        <Plain text={row.action} />{" "}
        <span className={style.dim}>
          <Plain text={row.target} />
        </span>
      </div>
      <div role="cell">{row.verdict !== "" && <Verdict verdict={row.verdict} />}</div>
      <div role="cell" className={style.dim} title={row.rule}>
        {row.rule}
      </div>
      <div role="cell" className={style.dim} title={row.approved_by.join(", ")}>
        <Plain text={row.approved_by.join(", ")} />
      </div>
      <div role="cell" className={style.dim}>
        {row.status}
      </div>
    </div>
  );
});

/** What is allowed is the rule, and quiet. */
function Verdict({ verdict }: { readonly verdict: string }) {
  return verdict === "allow" ? <span className={style.dim}>allow</span> : <Chip tone={toneOf(verdict)}>{verdict}</Chip>;
}
