/** The rows themselves. Of thousands only those in sight exist; bars are placed in percent, so nothing is measured. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useEffect, useMemo, useRef } from "react";
import type { Span, SpanKind } from "../../api/shapes";
import { Icon, type IconName } from "../../ui/Icon";
import { Chip, RiskChip } from "../../ui/marks";
import { Plain } from "../../ui/Prose";
import { duration } from "../../ui/words";
import { words } from "./facts";
import { toneOfVerdict } from "./GuardFacts";
import { endOf, marksOf, place, type Timeline, timelineOf } from "./timeline";
import { isClosing, type Row as RowOf } from "./tree";
import style from "./WaterfallRows.module.css";

const ROW = 28;
const RULER = 26;
/** Room that one mark of the ruler wants. */
const MARK = 66;

export const KIND_ICONS: Readonly<Record<SpanKind, IconName>> = {
  run: "run",
  attempt: "attempt",
  queue: "queue",
  model: "model",
  tool: "tool",
  policy: "policy",
  approval: "approval",
  wait: "wait",
  guardrail: "shield",
  checkpoint: "checkpoint",
  message: "message",
};

interface Props {
  readonly rows: readonly RowOf[];
  /** The axis of the whole run. */
  readonly line: Timeline;
  /** Draw only the time of the rows in sight, larger. */
  readonly near: boolean;
  readonly cutting: boolean;
  readonly now: number;
  /** Index of the chosen row; -1 where none is. */
  readonly chosen: number;
  readonly choose: (id: string) => void;
  readonly fold: (id: string, on: boolean) => void;
}

export function WaterfallRows({ rows, line: whole, near, cutting, now, chosen, choose, fold }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  // eslint-disable-next-line react-hooks/incompatible-library -- the virtualizer re-renders this component itself
  const visible = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 14,
    scrollMargin: RULER,
    scrollPaddingStart: RULER,
  });
  useEffect(() => {
    if (chosen >= 0) visible.scrollToIndex(chosen, { align: "auto" });
    // Only a new choice scrolls: rows that arrive while one reads must not.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [chosen]);
  const shown = visible.getVirtualItems();
  const [first, last] = [visible.range?.startIndex ?? 0, visible.range?.endIndex ?? 0];
  const line = useMemo(
    () => (near ? axisOf(rows.slice(first, last + 1), whole, now, cutting) : whole),
    [near, rows, first, last, whole, now, cutting],
  );
  const room = Math.max(2, Math.floor(((visible.scrollRect?.width ?? 800) * 0.5) / MARK));
  const marks = useMemo(() => marksOf(line, room), [line, room]);
  const isShown = shown.some((item) => item.index === chosen);

  return (
    <div className={style.frame}>
      <div
        ref={scroller}
        className={style.scroller}
        role="tree"
        aria-label="Spans"
        tabIndex={0}
        aria-activedescendant={isShown ? `row-${chosen}` : undefined}
      >
        <div className={style.ruler} aria-hidden>
          <div className={style.track}>
            {near && <Sight line={line} whole={whole} />}
            {marks.map((each) => (
              <span key={each.at} className={style.mark} style={{ left: percent(each.at) }}>
                {each.words}
              </span>
            ))}
            {line.pieces.map(
              (piece) =>
                piece.cut && (
                  <span
                    key={piece.at}
                    className={style.cutMark}
                    style={{ left: percent(piece.at), width: percent(piece.width) }}
                    title={`${duration(piece.to - piece.from)} of waiting, drawn short`}
                  />
                ),
            )}
          </div>
        </div>
        <div className={style.all} style={{ height: visible.getTotalSize() }}>
          <div className={style.lines} aria-hidden>
            <div className={style.track}>
              {marks.map((each) => (
                <i key={each.at} style={{ left: percent(each.at) }} />
              ))}
            </div>
          </div>
          {shown.map((item) => {
            const row = rows[item.index];
            return (
              row && (
                <Row
                  key={row.span.id}
                  row={row}
                  line={line}
                  now={row.span.end === null ? now : 0}
                  top={item.start - RULER}
                  at={item.index}
                  of={rows.length}
                  chosen={item.index === chosen}
                  choose={choose}
                  fold={fold}
                />
              )
            );
          })}
        </div>
      </div>
      <FaultTicks rows={rows} />
    </div>
  );
}

/** The axis of some rows alone; what frames all of them (the run, an attempt) does not count. */
function axisOf(rows: readonly RowOf[], whole: Timeline, now: number, cutting: boolean): Timeline {
  const own = rows.map((row) => row.span).filter((span) => span.kind !== "run" && span.kind !== "attempt");
  return own.length < 2 ? whole : timelineOf(own, now, cutting, whole.origin);
}

/** Which part of the whole time is drawn. */
function Sight({ line, whole }: { readonly line: Timeline; readonly whole: Timeline }) {
  const left = place(whole, line.from);
  return (
    <span className={style.sight}>
      <i style={{ left: percent(left), width: `max(6px, ${percent(place(whole, line.to) - left)})` }} />
    </span>
  );
}

interface RowProps {
  readonly row: RowOf;
  readonly line: Timeline;
  readonly now: number;
  readonly top: number;
  readonly at: number;
  readonly of: number;
  readonly chosen: boolean;
  readonly choose: (id: string) => void;
  readonly fold: (id: string, on: boolean) => void;
}

const Row = memo(function Row({ row, line, now, top, at, of, chosen, choose, fold }: RowProps) {
  const { span, depth, beneath, folded, failed } = row;
  const start = Date.parse(span.start);
  const end = endOf(span, now);
  const left = place(line, start);
  const width = place(line, end) - left;
  const tone = ownTone(span) ?? (failed ? toneOf(span.status) : "");
  return (
    <div
      id={`row-${at}`}
      role="treeitem"
      aria-level={depth + 1}
      aria-posinset={at + 1}
      aria-setsize={of}
      aria-selected={chosen}
      aria-expanded={beneath > 0 ? !folded : undefined}
      className={style.row}
      data-chosen={chosen || undefined}
      style={{ transform: `translateY(${top}px)` }}
      onClick={() => choose(span.id)}
    >
      <div className={style.name} style={{ paddingLeft: 10 + Math.min(depth, 12) * 14 }}>
        {beneath > 0 ? (
          <button
            className={style.fold}
            tabIndex={-1}
            aria-label={folded ? `Unfold ${span.name}` : `Fold ${span.name}`}
            onClick={(event) => {
              event.stopPropagation();
              fold(span.id, !folded);
            }}
          >
            <Icon name={folded ? "chevron" : "down"} size={10} />
          </button>
        ) : (
          <span className={style.fold} />
        )}
        <span className={`${style.kind} ${tone}`}>
          <Icon name={KIND_ICONS[span.kind]} size={13} />
        </span>
        <span className={`${style.words} ${tone}`} data-kind={span.kind}>
          <Plain text={span.name} />
        </span>
        <RiskChip risk={span.risk} />
        <Mishap span={span} />
        {folded && <span className={style.beneath}>{beneath}</span>}
      </div>
      <div className={style.cell}>
        <div className={style.track}>
          <span
            className={style.bar}
            data-kind={span.kind}
            data-status={span.status}
            style={{ left: percent(left), width: `max(3px, ${percent(width)})` }}
          />
        </div>
      </div>
      <div className={style.ms}>{duration(span.end === null ? end - start : span.ms)}</div>
    </div>
  );
});

/** Guardrails say more than yes and no; a run that closes was not refused anything. */
function ownTone(span: Span): string | null {
  if (isClosing(span)) return "tone-stop";
  if (span.kind !== "guardrail") return null;
  const tone = toneOfVerdict(words(span.attributes, "verdict") ?? "");
  return tone === "quiet" ? "" : `tone-${tone}`;
}

/** What went wrong in the row itself, or beneath it where that is folded away. */
function toneOf(status: string): string {
  if (status === "unknown") return "tone-wait";
  return status === "denied" ? "tone-stop" : "tone-fail";
}

function Mishap({ span }: { readonly span: Span }) {
  const { kind, status } = span;
  // Their names say what was decided.
  if (kind === "policy" || kind === "guardrail" || kind === "message") return null;
  if (status === "denied") return <Chip tone="stop">denied</Chip>;
  if (status === "unknown") return <Chip tone="wait">unknown</Chip>;
  return null;
}

/** Where in the whole list something went wrong, beside the scroll bar. */
const FaultTicks = memo(function FaultTicks({ rows }: { readonly rows: readonly RowOf[] }) {
  // More would run into one another; each tick stands for all faults of its part.
  const PARTS = 200;
  const parts = new Set<number>();
  rows.forEach((row, at) => {
    if (row.failed) parts.add(Math.floor((at / rows.length) * PARTS));
  });
  if (parts.size === 0 || rows.length < 25) return null;
  return (
    <div className={style.ticks} aria-hidden>
      {[...parts].map((part) => (
        <i key={part} style={{ top: `${(100 * part) / PARTS}%` }} />
      ))}
    </div>
  );
});

function percent(part: number): string {
  return `${(100 * part).toFixed(3)}%`;
}
