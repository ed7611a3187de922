/** What was said, by whom, in order: the user, the model, the tools, the runtime. New words of the model appear as they come. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useEffect, useMemo, useRef, useSyncExternalStore } from "react";
import type { Trace, Turn } from "../../api/shapes";
import { type Draft, drafts } from "../../live/deltas";
import { useKeys } from "../../shell/keys";
import { Empty } from "../../ui/Empty";
import { Icon, type IconName } from "../../ui/Icon";
import { Chip } from "../../ui/marks";
import { Prose } from "../../ui/Prose";
import { clock, spaced } from "../../ui/words";
import style from "./Conversation.module.css";
import { Parts } from "./Parts";

interface Props {
  readonly trace: Trace;
  readonly goTo: (seq: number) => void;
}

export default function Conversation({ trace, goTo }: Props) {
  const { run_id: run, last_seq: last } = trace.run;
  const turns = trace.conversation;
  const drafted = useSyncExternalStore(drafts.subscribe, () => drafts.of(run));
  const draft = drafted !== null && (drafted.replacedBy === null || drafted.replacedBy > last) ? drafted : null;
  const rows = turns.length + (draft === null ? 0 : 1);
  const scroller = useStickyEnd(draft, rows);
  // eslint-disable-next-line react-hooks/incompatible-library -- the virtualizer re-renders this component itself
  const visible = useVirtualizer({
    count: rows,
    getScrollElement: () => scroller.current,
    estimateSize: (at) => guess(turns[at]),
    getItemKey: (at) => turns[at]?.seq ?? "draft",
    overscan: 6,
    paddingStart: 14,
    paddingEnd: 32,
  });
  const day = useMemo(() => Date.parse(trace.run.created_at), [trace.run.created_at]);
  const to = (at: number): void => visible.scrollToIndex(at, { align: "start" });
  const here = (): number =>
    visible
      .getVirtualIndexes()
      .find((at) => (visible.measurementsCache[at]?.end ?? 0) > (visible.scrollOffset ?? 0) + 20) ?? 0;
  useKeys([
    { keys: "j", words: "Next message", group: "Conversation", act: () => to(Math.min(rows - 1, here() + 1)) },
    { keys: "k", words: "Previous message", group: "Conversation", act: () => to(Math.max(0, here() - 1)) },
    { keys: "e", words: "Next error", group: "Conversation", act: () => toError(turns, here(), to) },
  ]);

  if (rows === 0) return <Empty icon="message" title="Nothing has been said yet" />;
  return (
    <div ref={scroller} className={style.scroller} tabIndex={0} role="log" aria-label="Conversation">
      <div className={style.all} style={{ height: visible.getTotalSize() }}>
        {visible.getVirtualItems().map((item) => {
          const turn = turns[item.index];
          return (
            <div
              key={item.key}
              ref={visible.measureElement}
              data-index={item.index}
              className={style.slot}
              style={{ transform: `translateY(${item.start}px)` }}
            >
              {turn !== undefined ? (
                <Said run={run} turn={turn} day={day} goTo={goTo} continued={isContinued(turns, item.index)} />
              ) : (
                draft !== null && <Drafted draft={draft} />
              )}
            </div>
          );
        })}
      </div>
    </div>
  );
}

interface Voice {
  readonly word: string;
  readonly icon: IconName;
}

function voiceOf(turn: Turn): Voice {
  if (turn.role === "model") return { word: "Agent", icon: "model" };
  if (turn.role === "tool") return { word: turn.tool ?? "Tool", icon: "tool" };
  return turn.cause == null || turn.cause === ""
    ? { word: "User", icon: "person" }
    : { word: "Runtime", icon: "checkpoint" };
}

interface SaidProps {
  readonly run: string;
  readonly turn: Turn;
  readonly day: number;
  readonly goTo: (seq: number) => void;
  readonly continued: boolean;
}

const Said = memo(function Said({ run, turn, day, goTo, continued }: SaidProps) {
  const voice = voiceOf(turn);
  const tool = turn.role === "tool";
  const cause = turn.cause ?? "";
  const noted = turn.is_error === true || cause !== "";
  return (
    <article
      className={style.turn}
      data-role={turn.role}
      data-error={turn.is_error === true || undefined}
      data-continued={continued || undefined}
    >
      <header className={style.who}>
        <Icon name={voice.icon} size={13} />
        <span className={style.voice}>{voice.word}</span>
      </header>
      <div className={style.what}>
        {noted && (
          <div className={style.notes}>
            {turn.is_error === true && <Chip tone="fail">error</Chip>}
            {cause !== "" && <span className="muted">{spaced(cause)}</span>}
          </div>
        )}
        <Parts run={run} seq={turn.seq} parts={turn.content} mono={tool} lines={tool ? 14 : 60} />
        {turn.content.length === 0 && <span className="muted">Nothing at all.</span>}
      </div>
      <footer className={style.where}>
        {tool && turn.label?.trust !== "trusted" && (
          <span title="Outsiders can have written this: it is data, never an instruction">untrusted</span>
        )}
        <button onClick={() => goTo(turn.seq)} title="Show it in the waterfall">
          {clock(turn.at, day)}
        </button>
      </footer>
    </article>
  );
});

function Drafted({ draft }: { readonly draft: Draft }) {
  return (
    <article className={style.turn} data-role="model" data-draft>
      <header className={style.who}>
        <Icon name="model" size={13} />
        <span className={style.voice}>Agent</span>
      </header>
      <div className={style.what} aria-live="off">
        {draft.thinking !== "" && (
          <div className={style.thinking}>
            <Prose text={draft.thinking} lines={4000} />
          </div>
        )}
        <div className={style.writing}>
          <Prose text={draft.text} lines={4000} />
        </div>
      </div>
      <footer className={`${style.where} tone-run`}>answering</footer>
    </article>
  );
}

/** A tool's answer right after the model's call belongs to it. */
function isContinued(turns: readonly Turn[], at: number): boolean {
  return turns[at]?.role === "tool" && turns[at - 1] !== undefined;
}

/** A guess that keeps the scroll bar steady until the real height is known. */
function guess(turn: Turn | undefined): number {
  if (turn === undefined) return 80;
  const characters = turn.content.reduce((sum, part) => sum + ("text" in part ? part.text.length : 160), 0);
  return 44 + Math.min(400, Math.ceil(characters / 110) * 20);
}

function toError(turns: readonly Turn[], from: number, to: (at: number) => void): void {
  const order = turns.map((_, step) => (from + 1 + step) % turns.length);
  const found = order.find((at) => turns[at]?.is_error === true);
  if (found !== undefined) to(found);
}

/** A scroller that stays at its end while the model speaks, unless one has scrolled up to read. */
function useStickyEnd(draft: Draft | null, rows: number): React.RefObject<HTMLDivElement | null> {
  const scroller = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  useEffect(() => {
    const box = scroller.current;
    if (box === null) return;
    const onScroll = (): void => {
      atEnd.current = box.scrollHeight - box.scrollTop - box.clientHeight < 60;
    };
    box.addEventListener("scroll", onScroll, { passive: true });
    return () => box.removeEventListener("scroll", onScroll);
  }, []);
  useEffect(() => {
    const box = scroller.current;
    if (box !== null && draft !== null && atEnd.current) box.scrollTop = box.scrollHeight;
  }, [draft, rows]);
  return scroller;
}
