/** What people, models and tools said, part by part, with where it comes from where outsiders can have written it. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { blobQuery, eventQuery } from "../../api/queries";
import type { Part } from "../../api/shapes";
import { Icon } from "../../ui/Icon";
import { Json } from "../../ui/Json";
import { gist } from "../../ui/prose";
import { Prose } from "../../ui/Prose";
import { count, size } from "../../ui/words";
import { wholeText } from "./facts";
import style from "./Parts.module.css";

interface Props {
  readonly run: string;
  /** The event that holds them whole, where they may be cut. */
  readonly seq?: number;
  readonly parts: readonly Part[];
  /** Show tool calls; off where they have a place of their own. */
  readonly calls?: boolean;
  readonly mono?: boolean;
  readonly lines?: number;
}

export function Parts({ run, seq, parts, calls = true, mono = false, lines = 40 }: Props) {
  return parts.map((part, at) => {
    if (part.type === "text") return <Said key={at} run={run} seq={seq} part={part} mono={mono} lines={lines} />;
    if (part.type === "thinking") return <Thinking key={at} text={part.text} />;
    if (part.type === "stored") return <Stored key={at} run={run} part={part} mono={mono} lines={lines} />;
    return calls ? <Asked key={at} part={part} /> : null;
  });
}

type CallPart = Extract<Part, { type: "call" }>;

/** A tool call: in one line where it fits into one, whole on request. */
function Asked({ part }: { readonly part: CallPart }) {
  const [whole, setWhole] = useState(false);
  const line = gist(part.arguments, 160);
  const short = part.raw == null && line.length <= 110 && !line.includes("\\n");
  return (
    <div className={style.call}>
      <button
        className={style.callName}
        disabled={!short}
        aria-expanded={whole || !short}
        onClick={() => setWhole(!whole)}
      >
        <Icon name="tool" size={12} />
        <strong>{part.tool}</strong>
        {short && !whole && <code className={style.gist}>{line}</code>}
      </button>
      {part.raw != null && <Prose text={part.raw} mono />}
      {part.raw == null && (whole || !short) && <Json value={part.arguments} what="arguments" />}
    </div>
  );
}

type TextPart = Extract<Part, { type: "text" }>;

interface SaidProps {
  readonly run: string;
  readonly seq: number | undefined;
  readonly part: TextPart;
  readonly mono: boolean;
  readonly lines: number;
}

/** JSON that a tool answered reads better indented; all else is left as it came. */
function Said({ run, seq, part, mono, lines }: SaidProps) {
  const [wanted, setWanted] = useState(false);
  const event = useQuery({ ...eventQuery(run, seq ?? 0), enabled: wanted && seq !== undefined });
  const whole = event.data == null ? null : wholeText(event.data.data, part.text, part.length ?? 0);
  const text = whole ?? part.text;
  const value = mono && (part.cut !== true || whole !== null) ? parsed(text) : undefined;
  if (value !== undefined) return <Json value={value} what="result" />;
  return (
    <div className={mono ? style.box : style.words}>
      <Prose text={text} mono={mono} lines={whole === null ? lines : 400} />
      {part.cut === true && whole === null && seq !== undefined && (
        <div className={style.stored}>
          {count(part.length ?? 0)} characters
          <button onClick={() => setWanted(true)} disabled={event.isFetching}>
            {event.isFetching ? "Loading…" : "Show all of it"}
          </button>
          {event.isError && <span className="tone-fail">It could not be loaded.</span>}
        </div>
      )}
    </div>
  );
}

function parsed(text: string): unknown {
  if (!/^\s*[[{]/.test(text) || text.length > 200_000) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function Thinking({ text }: { readonly text: string }) {
  return (
    <details className={style.thinking}>
      <summary>Reasoning</summary>
      <Prose text={text} />
    </details>
  );
}

type StoredPart = Extract<Part, { type: "stored" }>;

function Stored({
  run,
  part,
  mono,
  lines,
}: {
  readonly run: string;
  readonly part: StoredPart;
  readonly mono: boolean;
  readonly lines: number;
}) {
  const [wanted, setWanted] = useState(false);
  const isText = /^text\/|json|xml|yaml/.test(part.media_type ?? "text/plain");
  const blob = useQuery({ ...blobQuery(run, part.key), enabled: wanted && isText });
  return (
    <div className={mono ? style.box : style.words}>
      {blob.data === undefined ? (
        <Prose text={part.begins ?? ""} mono={mono} lines={lines} />
      ) : (
        <Prose text={blob.data} mono={mono} lines={400} />
      )}
      <div className={style.stored}>
        {part.media_type ?? "text/plain"}, {size(part.size)}
        {isText && blob.data === undefined && (
          <button onClick={() => setWanted(true)} disabled={blob.isFetching}>
            {blob.isFetching ? "Loading…" : "Show all of it"}
          </button>
        )}
        {blob.isError && <span className="tone-fail">It could not be loaded.</span>}
      </div>
    </div>
  );
}
