/** The log itself: every event as it is kept, to read, to copy, to take along. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useEffect, useMemo, useRef, useState } from "react";
import { eventsQuery } from "../../api/queries";
import type { LogEvent, WholeRun } from "../../api/shapes";
import { useKeys } from "../../shell/keys";
import { CopyButton } from "../../ui/Copy";
import { Bones, Empty, Key, Trouble } from "../../ui/Empty";
import { Icon } from "../../ui/Icon";
import { Json } from "../../ui/Json";
import { gist } from "../../ui/prose";
import { clock, count } from "../../ui/words";
import style from "./Raw.module.css";

interface Props {
  readonly run: WholeRun;
  readonly goTo: (seq: number) => void;
}

/** Events that are loaded without being asked for. */
const BY_ITSELF = 10_000;

export default function Raw({ run, goTo }: Props) {
  const log = useInfiniteQuery(eventsQuery(run.run_id));
  const [words, setWords] = useState("");
  const [open, setOpen] = useState<ReadonlySet<number>>(new Set());
  const field = useRef<HTMLInputElement>(null);
  const scroller = useRef<HTMLDivElement>(null);
  const all = useMemo(() => log.data?.pages.flatMap((page) => page.items) ?? [], [log.data]);
  const events = useMemo(() => fitting(all, words), [all, words]);
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = log;
  const loading = hasNextPage && all.length < BY_ITSELF;
  useEffect(() => {
    if (loading && !isFetchingNextPage) void fetchNextPage();
  }, [loading, isFetchingNextPage, fetchNextPage]);
  useKeys([{ keys: "/", words: "Filter events", group: "Raw", act: () => field.current?.focus() }]);

  // eslint-disable-next-line react-hooks/incompatible-library -- the virtualizer re-renders this component itself
  const rows = useVirtualizer({
    count: events.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => 28,
    getItemKey: (at) => events[at]?.seq ?? at,
    overscan: 12,
  });
  const toggle = (seq: number): void =>
    setOpen((before) => {
      const next = new Set(before);
      if (!next.delete(seq)) next.add(seq);
      return next;
    });

  if (log.isPending) return <Bones rows={8} />;
  if (log.isError) return <Trouble fault={log.error} what="the log of this run" retry={() => void log.refetch()} />;
  const day = Date.parse(run.created_at);
  return (
    <div className={style.raw}>
      <div className={style.bar}>
        <label className={style.filter}>
          <Icon name="filter" size={12} />
          <input
            ref={field}
            value={words}
            placeholder="Filter by kind or text"
            aria-label="Filter events"
            onChange={(event) => setWords(event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key === "Escape") event.currentTarget.blur();
            }}
          />
          <Key>/</Key>
        </label>
        <span className={style.gap} />
        <span className="muted">
          {words === "" ? count(all.length) : `${count(events.length)} of ${count(all.length)}`} events
          {loading && ", loading the rest"}
        </span>
        {hasNextPage && !loading && (
          <button className={style.show} onClick={() => void fetchNextPage()} disabled={isFetchingNextPage}>
            {isFetchingNextPage ? "Loading…" : "Load more"}
          </button>
        )}
        <CopyButton
          text={() => events.map((event) => JSON.stringify(event)).join("\n")}
          what="these events as JSON lines"
        />
      </div>
      {events.length === 0 ? (
        <Empty icon="filter" title="No event fits" />
      ) : (
        <div ref={scroller} className={style.scroller} tabIndex={0} role="list" aria-label="Events">
          <div className={style.all} style={{ height: rows.getTotalSize() }}>
            {rows.getVirtualItems().map((item) => {
              const event = events[item.index];
              return (
                event && (
                  <div
                    key={item.key}
                    ref={rows.measureElement}
                    data-index={item.index}
                    role="listitem"
                    className={style.slot}
                    style={{ transform: `translateY(${item.start}px)` }}
                  >
                    <Entry event={event} day={day} open={open.has(event.seq)} toggle={toggle} goTo={goTo} />
                  </div>
                )
              );
            })}
          </div>
        </div>
      )}
    </div>
  );
}

interface EntryProps {
  readonly event: LogEvent;
  readonly day: number;
  readonly open: boolean;
  readonly toggle: (seq: number) => void;
  readonly goTo: (seq: number) => void;
}

const Entry = memo(function Entry({ event, day, open, toggle, goTo }: EntryProps) {
  return (
    <>
      <button className={style.entry} aria-expanded={open} onClick={() => toggle(event.seq)}>
        <Icon name={open ? "down" : "chevron"} size={10} />
        <span className={style.seq}>{event.seq}</span>
        <span className={style.at}>{clock(event.at, day)}</span>
        <span className={style.attempt} title="Attempt">
          {event.attempt}
        </span>
        <span className={style.kind} data-bad={/failed|denied|unknown|drifted|rejected/.test(event.kind) || undefined}>
          {event.kind}
        </span>
        <span className={style.gist}>{gist(event.data, 240)}</span>
      </button>
      {open && (
        <div className={style.whole}>
          <Json value={event} what={`event ${event.seq}`} />
          <button className={style.show} onClick={() => goTo(event.seq)}>
            Show it in the waterfall
          </button>
        </div>
      )}
    </>
  );
});

function fitting(events: readonly LogEvent[], words: string): readonly LogEvent[] {
  const wanted = words.trim().toLowerCase();
  if (wanted === "") return events;
  return events.filter(
    (event) => event.kind.includes(wanted) || JSON.stringify(event.data).toLowerCase().includes(wanted),
  );
}
