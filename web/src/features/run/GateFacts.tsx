/** What the gate and people said of a call: where its values come from, which policies spoke, who answered. */
import { Link } from "@tanstack/react-router";
import { Chip } from "../../ui/marks";
import { Json } from "../../ui/Json";
import { OriginMark } from "../../ui/origins";
import { Plain, Prose } from "../../ui/Prose";
import { duration, shortId, spaced } from "../../ui/words";
import { worst } from "../approvals/rules";
import { bag, type Bag, number, strings, words } from "./facts";
import style from "./GateFacts.module.css";
import { Pairs, Section } from "./Section";

/** The arguments, with the origin of each where the gate has looked. */
export function Request({ data, name = "Request" }: { readonly data: Bag; readonly name?: string }) {
  const origins = Object.entries(bag(data, "origins") ?? {}).filter(
    (entry): entry is [string, string] => typeof entry[1] === "string",
  );
  return (
    <Section
      name={name}
      beside={origins.length > 0 && <OriginMark origin={worst(origins.map(([, origin]) => origin))} />}
    >
      <Json value={bag(data, "arguments") ?? {}} what="arguments" />
      {origins.length > 0 && (
        <dl className={style.origins} aria-label="Where the arguments come from">
          {origins.map(([path, origin]) => (
            <div key={path}>
              <dt>
                <code>
                  <Plain text={path} />
                </code>
              </dt>
              <dd>
                <OriginMark origin={origin} />
              </dd>
            </div>
          ))}
        </dl>
      )}
    </Section>
  );
}

/** Which rule decided, the policies behind it, and who let it pass; the checks in their order. */
export function Decided({ decision, by = [] }: { readonly decision: Bag | null; readonly by?: readonly string[] }) {
  if (decision === null) return null;
  const verdict = words(decision, "verdict") ?? "";
  const checks = strings(decision, "checks");
  const policies = strings(decision, "policies");
  const later = number(decision, "later_ms");
  return (
    <Section
      name="Decision"
      beside={verdict !== "allow" && <Chip tone={verdict === "ask" ? "wait" : "stop"}>{verdict}</Chip>}
    >
      <Pairs
        pairs={[
          ["Verdict", later === null ? verdict : `not now: again in ${duration(later)}`],
          ["Rule", mono(words(decision, "rule"))],
          ["Because", words(decision, "reason")],
          [
            policies.length === 1 ? "Policy" : "Policies",
            policies.length > 0 ? <Policies key="ids" ids={policies} /> : null,
          ],
          ["Let pass by", by.length > 0 ? by.map(passedInWords).join(", ") : null],
          ["Checked", checks.length > 0 ? checks.join(" · ") : null],
          ["Settings", mono(words(decision, "effective")?.slice(0, 12) ?? null)],
        ]}
      />
    </Section>
  );
}

function Policies({ ids }: { readonly ids: readonly string[] }) {
  return ids.map((id) => (
    <div key={id}>
      <code>
        <Plain text={id} />
      </code>
    </div>
  ));
}

/** `person:maria` → `maria`, `policy:base/granted` → `policy base/granted` */
function passedInWords(by: string): string {
  const [kind, ...rest] = by.split(":");
  return kind === "person" ? rest.join(":") : `${spaced(kind ?? "")} ${spaced(rest.join(":"))}`;
}

/** What a person was asked. */
export function Asked({ data }: { readonly data: Bag }) {
  return (
    <>
      {words(data, "summary") !== null && (
        <p className={style.summary}>
          <Plain text={words(data, "summary") ?? ""} />
        </p>
      )}
      <Request data={data} name="Asked for" />
    </>
  );
}

/** What became of it. */
export function AnsweredByPeople({ data }: { readonly data: Bag }) {
  const state = words(data, "state") ?? "";
  const edited = bag(data, "arguments");
  return (
    <Section
      name={state === "expired" ? "Nobody answered in time" : `It was ${state}`}
      tone={state === "denied" ? "stop" : "quiet"}
    >
      <Pairs pairs={[["By", strings(data, "by").join(", ")]]} />
      {words(data, "why") !== null && <Prose text={words(data, "why") ?? ""} />}
      {edited !== null && (
        <>
          <p className="muted">With these arguments instead, judged anew by the gate:</p>
          <Json value={edited} what="edited arguments" />
        </>
      )}
    </Section>
  );
}

/** The run that carries a call out, where the tool is another agent. */
export function Child({ data }: { readonly data: Bag }) {
  const child = words(data, "child");
  if (child === null) return null;
  return (
    <Section name="Carried out by another agent">
      <RunLink run={child} />
    </Section>
  );
}

export function RunLink({ run }: { readonly run: string }) {
  return (
    <Link to="/runs/$run" params={{ run }} className={style.link}>
      run {shortId(run)}
    </Link>
  );
}

export function ToEscalations() {
  return (
    <Link to="/approvals" search={{ tab: "escalations" }} className={style.link}>
      The queue of escalations
    </Link>
  );
}

function mono(text: string | null) {
  return text === null ? null : <code>{text}</code>;
}
