/** One span in full: what was asked, what came back, which rule decided, what is known of its effect. */
import { useQueries } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { eventQuery } from "../../api/queries";
import type { LogEvent, Span, Trace } from "../../api/shapes";
import { CopyButton } from "../../ui/Copy";
import { Empty } from "../../ui/Empty";
import { Icon } from "../../ui/Icon";
import { Json } from "../../ui/Json";
import { Chip, RiskChip } from "../../ui/marks";
import { Plain } from "../../ui/Prose";
import { clock, duration, type Tone } from "../../ui/words";
import { openSwitches } from "../switches/panel";
import { ApprovalNote } from "./ApprovalNote";
import { Closed } from "./Closing";
import { EventFacts, EventGrounds } from "./EventFacts";
import { EffectNote } from "./EffectNote";
import { Outcome } from "./Outcome";
import { words } from "./facts";
import { linkTo } from "./links";
import style from "./Detail.module.css";
import { isClosing, ledgerName } from "./tree";
import { KIND_ICONS } from "./WaterfallRows";

interface Props {
  readonly trace: Trace;
  readonly span: Span | undefined;
  readonly choose: (id: string) => void;
}

const TONES: Readonly<Record<Span["status"], Tone>> = {
  ok: "quiet",
  error: "fail",
  running: "run",
  waiting: "wait",
  denied: "stop",
  unknown: "wait",
};

export function Detail({ trace, span, choose }: Props) {
  return (
    <aside id="detail" className={style.pane} tabIndex={-1} aria-label="Selected span">
      {span === undefined ? (
        <Empty icon="run" title="Choose a span">
          Its request, answer and the rule that decided appear here.
        </Empty>
      ) : (
        <Shown key={span.id} trace={trace} span={span} choose={choose} />
      )}
    </aside>
  );
}

function Shown({ trace, span, choose }: Props & { readonly span: Span }) {
  const { run } = trace;
  const seqs = [span.seq, ...(span.end_seq !== null && span.end_seq !== span.seq ? [span.end_seq] : [])];
  // The run's own first and last events are told by its outcome below.
  const queries = span.kind === "run" ? [] : seqs.map((seq) => eventQuery(run.run_id, seq));
  const events = useQueries({ queries }).flatMap((query) => query.data ?? []);
  const entry = ledgerName(span);
  const effect = trace.effects.find((row) => row.call === entry);
  const approval = span.kind === "approval" ? words(span.attributes, "approval") : null;
  return (
    <>
      <header className={style.head}>
        <Icon name={KIND_ICONS[span.kind]} size={15} className={style.icon} />
        <h2 className={style.name}>
          <Plain text={span.name} />
        </h2>
        {span.status !== "ok" && !isTold(span) && (
          <Chip tone={TONES[span.status]}>{span.status === "unknown" ? "outcome unknown" : span.status}</Chip>
        )}
        <RiskChip risk={span.risk} always={span.kind === "tool"} />
        <span className={style.gap} />
        {span.kind === "tool" && <StopTool span={span} agent={run.agent} />}
        <CopyButton text={() => linkTo(span.id)} what="link to this span" icon="link" />
      </header>
      <p className={style.when}>
        {clock(span.start, Date.parse(run.created_at))}
        {" · "}
        {span.end === null ? "still open" : duration(span.ms)}
        {" · "}
        <Seqs span={span} />
      </p>
      {span.kind === "run" && <Outcome trace={trace} choose={choose} />}
      {approval !== null && <ApprovalNote approval={approval} />}
      {events.some((event) => event.kind === "run.closing") && <Closed trace={trace} />}
      {events.map((event) => (
        <EventFacts key={event.seq} run={run.run_id} event={event} />
      ))}
      {effect !== undefined && <EffectNote run={run} effect={effect} />}
      {events.map((event) => (
        <EventGrounds key={event.seq} run={run.run_id} event={event} />
      ))}
      <Attributes span={span} events={events} />
    </>
  );
}

/** Its verdict says it better than its status. */
function isTold(span: Span): boolean {
  return span.kind === "guardrail" || isClosing(span);
}

/** From the call that went wrong straight to the lever, filled in. */
function StopTool({ span, agent }: { readonly span: Span; readonly agent: string }) {
  const tool = words(span.attributes, "tool");
  if (tool === null) return null;
  return (
    <button
      className={style.stop}
      title={`Throw a switch for ${tool}`}
      onClick={() => openSwitches({ scope: "tool", target: tool, agent })}
    >
      <Icon name="hand" size={12} />
      Stop this tool
    </button>
  );
}

function Seqs({ span }: { readonly span: Span }): ReactNode {
  if (span.end_seq === null || span.end_seq === span.seq) return `event ${span.seq}`;
  return `events ${span.seq} to ${span.end_seq}`;
}

/** What the trace says of the span itself; folded away where its events have told it better. */
function Attributes({ span, events }: { readonly span: Span; readonly events: readonly LogEvent[] }) {
  const entries = Object.entries(span.attributes).filter(([, value]) => value !== null && value !== "");
  if (entries.length === 0) return null;
  const open = events.length === 0 && span.kind !== "run";
  return (
    <details className={style.attributes} open={open}>
      <summary>Attributes</summary>
      <Json value={Object.fromEntries(entries)} what="attributes" />
    </details>
  );
}
