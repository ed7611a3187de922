/** All that happened, one row a span, against one axis of time; what one chooses is shown beside it. */
import { Button } from "@mantine/core";
import { useMemo, useRef, useState } from "react";
import type { Trace } from "../../api/shapes";
import { useKeys } from "../../shell/keys";
import { Empty, Key } from "../../ui/Empty";
import { Icon } from "../../ui/Icon";
import { useNow } from "../../ui/now";
import { plural, STANDINGS } from "../../ui/words";
import { Detail } from "./Detail";
import { timelineOf, waitsOf } from "./timeline";
import { above, nextFault, plant, type Row, rowsOf } from "./tree";
import style from "./Waterfall.module.css";
import { WaterfallRows } from "./WaterfallRows";

interface Props {
  readonly trace: Trace;
  readonly chosen: string | null;
  readonly choose: (id: string) => void;
}

export function Waterfall({ trace, chosen, choose }: Props) {
  const { spans, run } = trace;
  const now = useNow(!STANDINGS[run.status].ended);
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set());
  const [words, setWords] = useState("");
  const [asked, setAsked] = useState<boolean | null>(null);
  const [nearing, setNearing] = useState<boolean | null>(null);
  const [shown, setShown] = useState<string | null>(null);
  const field = useRef<HTMLInputElement>(null);

  const end = STANDINGS[run.status].ended ? Date.parse(run.finished_at ?? run.created_at) : now;
  const waits = useMemo(() => waitsOf(spans, end), [spans, end]);
  // Where waiting for people is most of the time, the work could not be seen beside it.
  const mostlyWaiting = run.waiting_ms > run.duration_ms * 0.4;
  const cutting = waits.length > 0 && (asked ?? mostlyWaiting);
  const line = useMemo(() => timelineOf(spans, end, cutting), [spans, end, cutting]);
  // What is chosen from elsewhere (a link, the sentence) must not stay folded away.
  if (chosen !== shown) {
    setShown(chosen);
    const path = chosen === null ? [] : above(spans, chosen);
    if (path.some((id) => folded.has(id))) setFolded(new Set([...folded].filter((id) => !path.includes(id))));
  }
  const tree = useMemo(() => plant(spans), [spans]);
  const rows = useMemo(() => rowsOf(tree, { folded, words }), [tree, folded, words]);
  const at = rows.findIndex((row) => row.span.id === chosen);
  const faults = useMemo(() => rows.filter((row) => row.failed), [rows]);

  // Of very many spans each would be a hair on the axis of the whole run.
  const near = nearing ?? rows.length > 120;

  const choice = spans.find((span) => span.id === chosen);
  const go = (to: number): void => {
    const row = rows[Math.max(0, Math.min(rows.length - 1, to))];
    if (row !== undefined) choose(row.span.id);
  };
  const fold = (on: boolean): void => {
    const row = rows[at];
    if (row === undefined) return;
    if (row.beneath > 0 && row.folded !== on) setFolded((before) => withId(before, row.span.id, on));
    else if (on && row.span.parent !== null) choose(row.span.parent);
    else if (!on && row.beneath > 0) go(at + 1);
  };
  const fault = (): void => {
    const next = nextFault(rows, at);
    if (next !== -1) go(next);
  };
  useKeys([
    { keys: "j", words: "Next span", group: "Waterfall", act: () => go(at + 1) },
    { keys: "k", words: "Previous span", group: "Waterfall", act: () => go(at - 1) },
    { keys: "ArrowDown", words: "Next span", group: "Waterfall", act: () => go(at + 1) },
    { keys: "ArrowUp", words: "Previous span", group: "Waterfall", act: () => go(at - 1) },
    { keys: "ArrowLeft", words: "Fold", group: "Waterfall", act: () => fold(true) },
    { keys: "ArrowRight", words: "Unfold", group: "Waterfall", act: () => fold(false) },
    { keys: "e", words: "Next error", group: "Waterfall", act: fault },
    {
      keys: "Enter",
      words: "Read the span",
      group: "Waterfall",
      act: () => document.getElementById("detail")?.focus(),
    },
    { keys: "w", words: "Cut out waiting for people", group: "Waterfall", act: () => setAsked(!cutting) },
    { keys: "z", words: "The time of the rows in sight, or all", group: "Waterfall", act: () => setNearing(!near) },
    { keys: "/", words: "Filter spans", group: "Waterfall", act: () => field.current?.focus() },
    { keys: "g g", words: "First span", group: "Waterfall", act: () => go(0) },
    { keys: "G", words: "Last span", group: "Waterfall", act: () => go(rows.length - 1) },
  ]);

  return (
    <div className={style.split}>
      <div className={style.left}>
        <div className={style.bar}>
          <label className={style.filter}>
            <Icon name="filter" size={12} />
            <input
              ref={field}
              value={words}
              placeholder="Filter spans"
              aria-label="Filter spans"
              onChange={(event) => setWords(event.currentTarget.value)}
              onKeyDown={(event) => {
                if (event.key === "Escape") setWords("");
                if (event.key === "Escape" || event.key === "Enter") event.currentTarget.blur();
              }}
            />
            <Key>/</Key>
          </label>
          <span className={style.gap} />
          {rows.length > 12 && (
            <Button
              size="compact-xs"
              variant="subtle"
              color="gray"
              aria-pressed={near}
              className={style.option}
              onClick={() => setNearing(!near)}
            >
              {near ? "Show all of the time" : "Zoom to the rows in sight"}
            </Button>
          )}
          {waits.length > 0 && (
            <Button
              size="compact-xs"
              variant="subtle"
              color="gray"
              aria-pressed={cutting}
              className={style.option}
              onClick={() => setAsked(!cutting)}
            >
              {cutting ? "Show waiting to scale" : "Cut out waiting"}
            </Button>
          )}
          {faults.length > 0 && (
            <Button
              size="compact-xs"
              variant="subtle"
              color="gray"
              className={`${style.option} ${faults.every((row) => row.span.status === "unknown") ? "tone-wait" : "tone-fail"}`}
              onClick={fault}
              rightSection={<Key>e</Key>}
            >
              {faultsInWords(faults)}
            </Button>
          )}
        </div>
        {rows.length === 0 ? (
          <Empty icon="filter" title={words === "" ? "Nothing has happened yet" : "No span fits"}>
            {words === "" ? "The first span appears when a worker takes the run." : `None is called “${words}”.`}
          </Empty>
        ) : (
          <WaterfallRows
            rows={rows}
            line={line}
            near={near}
            cutting={cutting}
            now={end}
            chosen={at}
            choose={choose}
            fold={(id, on) => setFolded((before) => withId(before, id, on))}
          />
        )}
      </div>
      <Detail trace={trace} span={choice} choose={choose} />
    </div>
  );
}

function faultsInWords(faults: readonly Row[]): string {
  const unknown = faults.filter((row) => row.span.status === "unknown").length;
  const errors = faults.length - unknown;
  const words = [errors > 0 ? plural(errors, "error") : "", unknown > 0 ? plural(unknown, "unknown", "unknown") : ""];
  return words.filter((each) => each !== "").join(", ");
}

function withId(ids: ReadonlySet<string>, id: string, on: boolean): ReadonlySet<string> {
  const next = new Set(ids);
  if (on) next.add(id);
  else next.delete(id);
  return next;
}
