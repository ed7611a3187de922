/** What a run came to: its answer, or what it leaves behind for whoever goes on; and what it ran with. */
import type { Trace } from "../../api/shapes";
import { Json } from "../../ui/Json";
import { Plain, Prose } from "../../ui/Prose";
import { count, duration, spaced } from "../../ui/words";
import { words } from "./facts";
import { Handoff } from "./Closing";
import { RunLink } from "./GateFacts";
import { ProofPanel } from "./Proof";
import { isFault, spanAt } from "./tree";
import style from "./Outcome.module.css";
import { Pairs, Section } from "./Section";

interface Props {
  readonly trace: Trace;
  readonly choose: (id: string) => void;
}

export function Outcome({ trace, choose }: Props) {
  const { run } = trace;
  const { result } = run;
  const faults = trace.spans.filter(isFault);
  const goTo = (seq: number): void => {
    const found = spanAt(trace.spans, seq);
    if (found !== undefined) choose(found.id);
  };
  const children = trace.spans.flatMap((span) => {
    const child = words(span.attributes, "child");
    return child === null ? [] : [{ span, child }];
  });
  return (
    <>
      {result?.error != null && result.error !== "" && (
        <Section name="Error" tone="fail" beside={<code>{run.error_code}</code>}>
          <Prose text={result.error} />
        </Section>
      )}
      {result != null && result.text !== "" && (
        <Section name="Answer">
          <Prose text={result.text} />
        </Section>
      )}
      {result?.output != null && (
        <Section name="Output">
          <Json value={result.output} what="output" />
        </Section>
      )}
      <Handoff run={run} />
      {faults.length > 0 && (
        <Section name="What went wrong" tone="fail">
          <ul>
            {faults.slice(-8).map((span) => (
              <li key={span.id}>
                <button className={style.fault} onClick={() => choose(span.id)}>
                  <Plain text={span.name} />
                </button>
                <span className="muted"> after {duration(Date.parse(span.start) - Date.parse(run.created_at))}</span>
              </li>
            ))}
          </ul>
          {faults.length > 8 && <p className="muted">and {count(faults.length - 8)} before these</p>}
        </Section>
      )}
      {(children.length > 0 || run.parent_run_id !== null) && (
        <Section name="Other agents">
          <Pairs
            pairs={[
              ["Part of", run.parent_run_id === null ? null : <RunLink key="parent" run={run.parent_run_id} />],
              ...children.map(
                ({ span, child }) =>
                  [words(span.attributes, "tool") ?? "call", <RunLink key={child} run={child} />] as const,
              ),
            ]}
          />
        </Section>
      )}
      <ProofPanel run={run} goTo={goTo} />
      <Section name="Ran as">
        <Pairs
          pairs={[
            ["Now", run.current_step],
            ["Agent", run.agent_version],
            ["Owner", run.owner],
            ["On behalf of", <Plain key="user" text={run.user_id} />],
            ["Submitted by", run.submitted_by],
            ["Priority", run.priority === 0 ? null : run.priority],
            ["Reason", run.reason === null ? null : spaced(run.reason)],
            ...Object.entries(run.tags).map(([name, value]) => [name, value] as const),
          ]}
        />
      </Section>
    </>
  );
}
