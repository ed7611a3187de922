/** How a run was brought to its end: which limit, what was kept for a last answer, and what it leaves behind. */
import type { Trace, WholeRun } from "../../api/shapes";
import { Icon } from "../../ui/Icon";
import { Plain, Prose } from "../../ui/Prose";
import { money, plural, spaced } from "../../ui/words";
import style from "./Closing.module.css";
import { closingOf, linesOf } from "./costs";
import { words } from "./facts";
import outcome from "./Outcome.module.css";
import { Pairs, Section } from "./Section";

const LIMITS: Readonly<Record<string, string>> = { budget: "its budget", steps: "its steps", time: "its time" };

interface Props {
  readonly trace: Trace;
  readonly choose: (id: string) => void;
}

/** One line under the sentence: what is done and left, and the way to the rest. Nothing where no limit was met. */
export function ClosingLine({ trace, choose }: Props) {
  const closing = closingOf(trace.spans);
  if (closing === undefined) return null;
  const left = trace.run.result?.handoff ?? null;
  const last = linesOf(trace).findLast((line) => line.purpose === "closing");
  return (
    <p className={style.line}>
      <Icon name="alarm" size={12} className="tone-stop" />
      <span>
        Closed by {LIMITS[words(closing.attributes, "reason") ?? ""] ?? "a limit"}
        {last?.cost != null && <>, with a last answer for {money(last.cost)} that was kept for it</>}
        {last === undefined && ", with no last answer from a model"}.
        {left !== null &&
          ` It leaves ${plural(left.done.length, "thing")} done and ${plural(left.left.length, "thing")} to do.`}
      </span>
      <button className={style.show} onClick={() => choose(closing.id)}>
        Show the handoff
      </button>
    </p>
  );
}

/** The same in full, beside the waterfall. */
export function Closed({ trace }: { readonly trace: Trace }) {
  const { run } = trace;
  const closing = closingOf(trace.spans);
  const last = linesOf(trace).findLast((line) => line.purpose === "closing");
  return (
    <>
      <Section name="A limit is reached" tone="stop">
        <Prose text={closing === undefined ? run.why : (words(closing.attributes, "why") ?? "")} />
        <Pairs
          pairs={[
            ["Limit", spaced((closing && words(closing.attributes, "reason")) ?? "")],
            ["Kept for the end", last === undefined || last.reserved === 0 ? null : money(last.reserved)],
            [
              "The last answer",
              last === undefined ? "no model was asked" : last.cost === null ? null : money(last.cost),
            ],
            ["Model", last === undefined ? null : <code key="model">{last.model}</code>],
          ]}
        />
        <p className="muted">From here on the model is asked for nothing but a last answer, paid from what was kept.</p>
      </Section>
      {run.result?.text !== undefined && run.result.text !== "" && (
        <Section name="What the user was told">
          <Prose text={run.result.text} />
        </Section>
      )}
      <Handoff run={run} />
    </>
  );
}

/** What a run that did not succeed leaves to whoever goes on. */
export function Handoff({ run }: { readonly run: WholeRun }) {
  const left = run.result?.handoff;
  if (left == null) return null;
  return (
    <Section name="Handoff" tone={run.status === "failed" ? "fail" : "stop"}>
      {left.why !== "" && <Prose text={left.why} />}
      <Points name="Done" points={left.done} mark="check" />
      <Points name="Left" points={left.left} mark="chevron" />
      {left.last_words !== "" && (
        <>
          <h4 className={outcome.name}>Last words</h4>
          <Prose text={left.last_words} />
        </>
      )}
    </Section>
  );
}

function Points({
  name,
  points,
  mark,
}: {
  readonly name: string;
  readonly points: readonly string[];
  readonly mark: "check" | "chevron";
}) {
  if (points.length === 0) return null;
  return (
    <>
      <h4 className={outcome.name}>{name}</h4>
      <ul className={style.points}>
        {points.map((point, at) => (
          <li key={at}>
            <Icon name={mark} size={11} />
            <div>
              <Plain text={point} />
            </div>
          </li>
        ))}
      </ul>
    </>
  );
}
