/** One logged event as people read it. A kind that this version doesn't know is shown as it is: JSON. */
import type { ReactNode } from "react";
import type { LogEvent } from "../../api/shapes";
import { Json } from "../../ui/Json";
import { Chip } from "../../ui/marks";
import { Prose } from "../../ui/Prose";
import { clock, count, duration, money, plural, size, spaced } from "../../ui/words";
import { bag, type Bag, list, number, parts, strings, words } from "./facts";
import { AnsweredByPeople, Asked, Child, Decided, Request, RunLink, ToEscalations } from "./GateFacts";
import { Judged, JudgedBy, routed, Shortened } from "./GuardFacts";
import { Parts } from "./Parts";
import { Pairs, Section } from "./Section";

interface Props {
  readonly run: string;
  readonly event: LogEvent;
}

/** What was asked and what came back. */
export function EventFacts({ run, event }: Props) {
  const show = SHOWN[event.kind];
  if (show !== undefined) return show(event.data, run, event);
  return (
    <Section name={spaced(event.kind.replace(".", " "))}>
      <Json value={event.data} what="event" />
    </Section>
  );
}

/** What stands behind it: the rule that decided, what was declared, what was measured. */
export function EventGrounds({ run, event }: Props) {
  return GROUNDS[event.kind]?.(event.data, run, event) ?? null;
}

type Show = (data: Bag, run: string, event: LogEvent) => ReactNode;

const SHOWN: Readonly<Record<string, Show>> = {
  "tool.called": (data) => (
    <>
      <Request data={data} />
      <Child data={data} />
    </>
  ),
  "approval.asked": (data) => <Asked data={data} />,
  "approval.answered": (data) => <AnsweredByPeople data={data} />,
  "run.escalated": (data) => (
    <Section name={`Passed to ${words(data, "to") ?? "a person"}`} tone="wait">
      <Prose text={words(data, "summary") ?? ""} />
      <Pairs pairs={[["Because", words(data, "why")]]} />
      <ToEscalations />
    </Section>
  ),
  "thread.continued": (data) => (
    <Section name="Goes on with a conversation">
      <ul>
        {strings(data, "runs").map((before) => (
          <li key={before}>
            <RunLink run={before} />
          </li>
        ))}
      </ul>
    </Section>
  ),
  "tool.denied": (data, run) => (
    <>
      <Request data={data} />
      <Section name="What the model was told">
        <Parts run={run} parts={parts(data, "content")} mono />
      </Section>
    </>
  ),
  "tool.answered": (data, run) => (
    <Section
      name={data.is_error === true ? "The tool answered with an error" : "Result"}
      tone={data.is_error === true ? "fail" : "quiet"}
      beside={<Provenance data={data} />}
    >
      <Parts run={run} parts={parts(data, "content")} mono />
      <Pairs
        pairs={[
          ["Size", data.truncated === true ? `${size(number(data, "size") ?? 0)}, cut to its limit` : null],
          ["From the cache", data.cached === true ? "asked a moment ago with the same arguments" : null],
          ["Tries", (number(data, "tries") ?? 1) > 1 ? count(number(data, "tries") ?? 1) : null],
          ["Taken out", counted(bag(data, "redacted"))],
          ["Found, and left", counted(bag(data, "noted"))],
          ["Hidden characters", number(data, "hidden") === 0 ? null : number(data, "hidden")],
          ["Sounds like orders", scoreInWords(number(data, "score"))],
        ]}
      />
    </Section>
  ),
  "tool.failed": (data, run) => (
    <Section name="Failed" tone="fail" beside={<code>{words(data, "code")}</code>}>
      <Parts run={run} parts={parts(data, "content")} mono />
    </Section>
  ),
  "tool.unknown": (data, _, event) => (
    <Section name="Nobody knows whether it took place" tone="wait">
      <Prose text={words(data, "why") ?? ""} />
      <Pairs pairs={[["May be answered from", moment(number(data, "ask_after"), event)]]} />
    </Section>
  ),
  "tool.resolved": (data, run) => (
    <Section name={`Resolved: it ${spaced(words(data, "outcome") ?? "")}`}>
      <Pairs pairs={[["By", words(data, "by")]]} />
      <Parts run={run} parts={parts(data, "content")} mono />
    </Section>
  ),
  "guardrail.judged": (data) => <Judged data={data} />,
  "context.shortened": (data, run) => <Shortened data={data} run={run} />,
  // Told with all that the run came to: see Closed.
  "run.closing": () => null,
  "model.called": () => null,
  "model.answered": (data, run) => <Answered data={data} run={run} />,
  "model.failed": (data) => (
    <Section name="The model did not answer" tone="fail" beside={<code>{words(data, "code")}</code>}>
      <Prose text={words(data, "message") ?? ""} />
      <Pairs
        pairs={[
          ["HTTP status", number(data, "status")],
          ["Try", number(data, "try") ?? 1],
          ["Tried again after", time(number(data, "retry_in_ms"))],
          ["Presumed spent", cost(number(data, "presumed"))],
        ]}
      />
    </Section>
  ),
  "model.drifted": (data) => (
    <Section name="Another model answered than the one pinned" tone="stop">
      <Pairs
        pairs={[
          ["Pinned", mono(words(data, "wanted"))],
          ["Answered", mono(words(data, "served"))],
        ]}
      />
      <Prose text={words(data, "difference") ?? ""} mono />
    </Section>
  ),
  "message.added": (data, run) => (
    <Section
      name="The runtime told the model"
      beside={<span className="muted">{spaced(words(data, "cause") ?? "")}</span>}
    >
      <Parts run={run} parts={parts(bag(data, "message") ?? {}, "content")} />
    </Section>
  ),
  "run.claimed": (data) => (
    <Section name="Taken by a worker">
      <Pairs
        pairs={[
          ["Host", words(data, "host")],
          ["Worker", mono(words(data, "worker"))],
          ["Version", words(data, "version")],
        ]}
      />
    </Section>
  ),
  "run.parked": (data, _, event) => (
    <Section name="Waits" tone="wait">
      <Prose text={words(data, "why") ?? ""} />
      <Pairs
        pairs={[
          ["For", spaced((words(data, "status") ?? "").replace("waiting_for_", ""))],
          ["Goes on by itself", moment(number(data, "until"), event)],
        ]}
      />
    </Section>
  ),
  "run.resumed": (data) => (
    <Section name="Goes on">
      <Prose text={words(data, "why") ?? ""} />
      <Pairs pairs={[["By", words(data, "by")]]} />
    </Section>
  ),
  "run.released": (data) => (
    <Section name="Given back unfinished" tone="stop">
      <Prose text={words(data, "why") ?? ""} />
    </Section>
  ),
  "run.retried": (data) => (
    <Section name="Sent back from its last checkpoint">
      <Pairs pairs={[["By", words(data, "by")]]} />
      <Prose text={words(data, "why") ?? ""} />
    </Section>
  ),
  "run.cancel_requested": (data) => (
    <Section name="Cancelling asked for" tone="stop">
      <Pairs pairs={[["By", words(data, "by")]]} />
      <Prose text={words(data, "why") ?? ""} />
    </Section>
  ),
  "output.rejected": (data) => (
    <Section name="The answer did not fit its schema" tone="fail">
      <Prose text={strings(data, "errors").join("\n")} />
    </Section>
  ),
};

const GROUNDS: Readonly<Record<string, Show>> = {
  "tool.called": (data, _, event) => (
    <>
      <Decided decision={bag(data, "decision")} by={strings(data, "approved_by")} />
      <Section name="Declared">
        <Pairs
          pairs={[
            ["Effect", spaced(words(data, "effect") ?? "read")],
            ["Repeat", repeatInWords(words(data, "repeat"))],
            ["Idempotency key", mono(words(data, "key"))],
            ["Time-out", time(number(data, "timeout_ms"))],
            ["Not to begin after", moment(number(data, "not_after"), event)],
            ["Records touched", number(data, "records") === 0 ? null : number(data, "records")],
          ]}
        />
      </Section>
    </>
  ),
  "guardrail.judged": (data) => <JudgedBy data={data} />,
  "tool.denied": (data) => <Decided decision={bag(data, "decision")} />,
  "approval.asked": (data, _, event) => (
    <>
      <Decided decision={bag(data, "decision")} />
      <Section name="Bound to">
        <Pairs
          pairs={[
            ["Arguments", mono(words(data, "digest")?.slice(0, 16) ?? null)],
            ["Expires", moment(number(data, "expires_at"), event)],
            ["May answer", strings(data, "roles").join(", ") || "reviewer"],
          ]}
        />
      </Section>
    </>
  ),
  "model.called": (data) => (
    <>
      <Section name="Asked">
        <Pairs
          pairs={[
            ["Model", mono(words(data, "model"))],
            ["Connection", words(data, "provider")],
            ["Messages before it", count(number(data, "messages") ?? 0)],
            ...routed(data, money),
            ["Tokens reserved", tokens(number(data, "reserved_tokens"))],
            ["Prompt", mono(words(data, "prompt")?.slice(0, 16) ?? null)],
          ]}
        />
      </Section>
      <Decided decision={bag(data, "decision")} />
    </>
  ),
  "model.answered": (data) => <Measured data={data} />,
};

function Answered({ data, run }: { readonly data: Bag; readonly run: string }) {
  const finish = words(data, "finish");
  const cut = finish !== null && finish !== "stop" && finish !== "calls";
  return (
    <Section name="Answer" beside={cut && <Chip tone="stop">{spaced(finish)}</Chip>}>
      {list(data, "content").length === 0 ? (
        <span className="muted">Nothing at all.</span>
      ) : (
        <Parts run={run} parts={parts(data, "content")} />
      )}
    </Section>
  );
}

function Measured({ data }: { readonly data: Bag }) {
  const usage = bag(data, "usage") ?? {};
  const spent = number(data, "cost");
  const tries = number(data, "tries") ?? 1;
  return (
    <Section name="Measured">
      <Pairs
        pairs={[
          ["Tokens in", withPart(number(usage, "input"), number(usage, "cache_read"), "cached")],
          ["Tokens out", withPart(number(usage, "output"), number(usage, "reasoning"), "reasoning")],
          ["Cost", spent === null ? "no price known" : money(spent)],
          ["Uncovered", cost(number(data, "uncovered"))],
          ["First token", time(number(data, "first_token_ms"))],
          ["Tries", tries > 1 ? plural(tries, "try", "tries") : null],
          ["Answered by", mono(words(data, "served_model"))],
          ["Response", mono(words(data, "response_id"))],
        ]}
      />
    </Section>
  );
}

function withPart(whole: number | null, part: number | null, words: string): string {
  const of = part === null || part === 0 ? "" : `, ${count(part)} of them ${words}`;
  return `${count(whole ?? 0)}${of}`;
}

function Provenance({ data }: { readonly data: Bag }) {
  const label = bag(data, "label");
  if (label === null) return null;
  const trusted = label.trust === "trusted";
  return (
    <span className="muted" title={trusted ? "Outsiders can't have written this" : "Outsiders can have written this"}>
      {words(label, "source")} · {trusted ? "trusted" : "untrusted"}
    </span>
  );
}

/** `stripe_key 2, iban 1` */
function counted(found: Bag | null): string | null {
  const entries = Object.entries(found ?? {});
  return entries.length === 0 ? null : entries.map(([name, n]) => `${spaced(name)} ${String(n)}`).join(", ");
}

/** A signal and never a guarantee: said only where there is something to say. */
function scoreInWords(score: number | null): string | null {
  return score === null || score < 0.1 ? null : `${Math.round(score * 100)} %, to the model`;
}

function repeatInWords(repeat: string | null): string | null {
  if (repeat === "safe") return "safe to repeat";
  if (repeat === "keyed") return "repeated by key";
  return repeat === "never" ? "never repeated" : null;
}

function mono(text: string | null): ReactNode {
  return text === null ? null : <code>{text}</code>;
}

function time(ms: number | null): string | null {
  return ms === null || ms === 0 ? null : duration(ms);
}

/** A time of day; with its date where that is not the event's. */
function moment(ms: number | null, event: LogEvent): string | null {
  return ms === null || ms === 0 ? null : clock(new Date(ms).toISOString(), Date.parse(event.at));
}

function cost(micro: number | null): string | null {
  return micro === null || micro === 0 ? null : money(micro);
}

function tokens(n: number | null): string | null {
  return n === null || n === 0 ? null : count(n);
}
