/** What guardrails said, what the model was shown less of, and how a run was brought to its end. */
import type { ReactNode } from "react";
import { Chip } from "../../ui/marks";
import { Plain, Prose } from "../../ui/Prose";
import { count, duration, spaced, type Tone } from "../../ui/words";
import { isObject } from "../../api/problems";
import { bag, type Bag, list, number, parts, strings, words } from "./facts";
import style from "./GuardFacts.module.css";
import { Parts } from "./Parts";
import { Pairs, Section } from "./Section";

/** How strong a word of the guardrails is; what lets pass is quiet. */
export function toneOfVerdict(verdict: string): Tone {
  if (verdict === "deny") return "fail";
  if (verdict === "ask") return "wait";
  return verdict === "retry" || verdict === "redact" || verdict === "label" ? "stop" : "quiet";
}

const EDGES: Readonly<Record<string, string>> = {
  input: "What came in",
  output: "What was to go out",
};

const MEANINGS: Readonly<Record<string, string>> = {
  allow: "It went on as it was.",
  record: "It went on as it was; what was found is on record.",
  label: "It went on under the label that outsiders can have written it.",
  redact: "It went on with what was found taken out.",
  retry: "The model was asked for another answer.",
  ask: "A person decides.",
  deny: "It went no further.",
};

export function Judged({ data }: { readonly data: Bag }) {
  const verdict = words(data, "verdict") ?? "";
  const edge = words(data, "edge") ?? "";
  const found = list(data, "findings").filter(isObject);
  return (
    <>
      <Section name={EDGES[edge] ?? edge} beside={<Chip tone={toneOfVerdict(verdict)}>{verdict}</Chip>}>
        <p>{MEANINGS[verdict] ?? ""}</p>
        {words(data, "reason") !== null && <Prose text={words(data, "reason") ?? ""} />}
      </Section>
      <Section name={found.length === 0 ? "Nothing was found" : "Found"}>
        {found.length === 0 ? (
          <p className="muted">
            Every check was made, and none of them objects. That is the proof that this edge was passed.
          </p>
        ) : (
          <Findings found={found} />
        )}
      </Section>
    </>
  );
}

function Findings({ found }: { readonly found: readonly Bag[] }) {
  return (
    <table className={style.findings}>
      <caption className="unseen">What was found</caption>
      <thead>
        <tr>
          <th>Check</th>
          <th>What</th>
          <th>Times</th>
          <th>Sure</th>
          <th>Done</th>
        </tr>
      </thead>
      <tbody>
        {found.map((one, at) => {
          const score = number(one, "score") ?? 0;
          const action = words(one, "action") ?? "";
          return (
            <tr key={at}>
              <td>{words(one, "check")}</td>
              <td>
                <Plain text={spaced(words(one, "what") ?? "")} />
                {words(one, "where") !== null && (
                  <span className="muted">
                    {" "}
                    in <Plain text={words(one, "where") ?? ""} />
                  </span>
                )}
              </td>
              <td>{number(one, "count") ?? 1}</td>
              <td className="muted">{score === 0 ? "–" : `${Math.round(100 * score)} %`}</td>
              <td className={`tone-${toneOfVerdict(action === "refuse" || action === "block" ? "deny" : action)}`}>
                {action}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

/** Which checks were made, in their order, and which of them decided. */
export function JudgedBy({ data }: { readonly data: Bag }) {
  const checks = strings(data, "checks");
  const ms = number(data, "ms");
  return (
    <Section name="Decision">
      <Pairs
        pairs={[
          ["Edge", words(data, "edge")],
          ["Rule", words(data, "rule") === null ? null : <code key="rule">{words(data, "rule")}</code>],
          ["Checked", checks.length === 0 ? "nothing: the release asks for no check here" : checks.join(" · ")],
          ["Took", ms === null || ms === 0 ? null : duration(ms)],
        ]}
      />
    </Section>
  );
}

export function Shortened({ data, run }: { readonly data: Bag; readonly run: string }) {
  const before = number(data, "tokens_before") ?? 0;
  const after = number(data, "tokens_after") ?? 0;
  const summary = bag(data, "summary");
  return (
    <>
      <Section name="The model is shown less from here on">
        <p>
          {count(before)} → {count(after)} tokens
          {before > 0 && (
            <span className="muted"> · {Math.round(100 * (1 - after / before))} % less with each step</span>
          )}
        </p>
        <span className={style.shrunk} aria-hidden="true">
          <i style={{ width: `${before === 0 ? 0 : Math.min(100, (100 * after) / before)}%` }} />
        </span>
        <Pairs
          pairs={[
            ["Results by reference", upto(number(data, "results_upto"))],
            ["Left out", upto(number(data, "messages_upto"))],
          ]}
        />
        <p className="muted">Nothing is lost: the log has it whole, and the model can ask to read a result again.</p>
      </Section>
      {summary !== null && (
        <Section name="Summary in their place">
          <Parts run={run} parts={parts(summary, "content")} />
        </Section>
      )}
    </>
  );
}

function upto(n: number | null): string | null {
  return n === null || n === 0 ? null : `the first ${count(n)} ${n === 1 ? "message" : "messages"}`;
}

/** What was asked of the model beside the words: by which route, why, and out of what. */
export function routed(data: Bag, say: (micro: number) => string): readonly (readonly [string, ReactNode])[] {
  const reserved = number(data, "reserved");
  return [
    ["Purpose", words(data, "purpose")],
    ["Route", words(data, "route")],
    ["because", words(data, "route_why")],
    ["Saving", words(data, "degree") === null ? null : spaced(words(data, "degree") ?? "")],
    ["Reserved", reserved === null || reserved === 0 ? null : say(reserved)],
    ["Told what is left", words(data, "notice")],
  ];
}
