/** The figures of a run, with waiting for people set apart, and a strip that shows where the time went. */
import { type ReactNode, useMemo } from "react";
import type { Trace } from "../../api/shapes";
import { useNow } from "../../ui/now";
import { count, duration, money, plural, STANDINGS, type Tone } from "../../ui/words";
import style from "./Facts.module.css";
import { type Share, sharesOf } from "./timeline";

export function Facts({ trace }: { readonly trace: Trace }) {
  const { run } = trace;
  const moving = !STANDINGS[run.status].ended;
  const clock = useNow(moving);
  const now = moving ? clock : Date.parse(run.finished_at ?? run.created_at);
  const shares = useMemo(() => sharesOf(trace.spans, now), [trace.spans, now]);
  const whole = shares.reduce((sum, share) => sum + share.ms, 0);
  const lasted = moving ? Math.max(0, now - Date.parse(run.created_at)) : run.duration_ms;
  const unpriced = run.cost_micro_usd === 0 && trace.cost.some((row) => row.cost === null);
  const waiting = shares.find((share) => share.kind === "wait")?.ms ?? 0;
  const limit = run.budget.max_steps;
  return (
    <div className={style.facts}>
      <dl className={style.list}>
        <Fact name="Duration">{duration(lasted)}</Fact>
        {waiting > 0 && (
          <Fact name="of it waiting for people" tone="wait">
            {duration(waiting)}
          </Fact>
        )}
        <Fact name="Cost">{unpriced ? <span className={style.of}>no price</span> : money(run.cost_micro_usd)}</Fact>
        <Fact name="Tokens in · out">
          {count(run.input_tokens)} · {count(run.output_tokens)}
        </Fact>
        <Fact name="Steps">
          {run.steps_used}
          <span className={style.of}> of {limit}</span>
        </Fact>
        <Fact name="Tool calls">
          {run.tool_calls}
          {run.failed_calls > 0 && <span className="tone-fail"> · {run.failed_calls} failed</span>}
        </Fact>
        {trace.effects.length > 0 && <Fact name="Effects">{effectsInWords(trace)}</Fact>}
        {run.attempt > 1 && (
          <Fact name="Attempts" tone="stop">
            {run.attempt}
          </Fact>
        )}
      </dl>
      <Strip shares={shares} whole={whole} />
    </div>
  );
}

function effectsInWords(trace: Trace): ReactNode {
  const unknown = trace.effects.filter((effect) => effect.state === "unknown").length;
  return (
    <>
      {trace.effects.length}
      {unknown > 0 && <span className="tone-wait"> · {plural(unknown, "unknown", "unknown")}</span>}
    </>
  );
}

function Fact({
  name,
  tone = "quiet",
  children,
}: {
  readonly name: string;
  readonly tone?: Tone;
  readonly children: ReactNode;
}) {
  return (
    <div className={style.fact}>
      <dt>{name}</dt>
      <dd className={tone === "quiet" ? "" : `tone-${tone}`}>{children}</dd>
    </div>
  );
}

function Strip({ shares, whole }: { readonly shares: readonly Share[]; readonly whole: number }) {
  if (whole <= 0) return null;
  const order: readonly Share["kind"][] = ["model", "tool", "rest", "timer", "queue", "wait"];
  const sorted = [...shares].sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
  return (
    <div
      className={style.where}
      role="img"
      aria-label={`Where the time went: ${sorted.map((share) => `${share.words} ${duration(share.ms)}`).join(", ")}`}
    >
      <div className={style.strip}>
        {sorted.map((share) => (
          <span key={share.kind} data-kind={share.kind} style={{ flexGrow: Math.max(share.ms / whole, 0.004) }} />
        ))}
      </div>
      <div className={style.legend}>
        {sorted
          .filter((share) => share.ms / whole > 0.005)
          .map((share) => (
            <span key={share.kind}>
              <i data-kind={share.kind} />
              {share.words} {duration(share.ms)}
            </span>
          ))}
      </div>
    </div>
  );
}
