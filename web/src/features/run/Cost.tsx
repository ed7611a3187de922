/** What each question to a model cost and why it went where it did; what all came to against what the run may spend. */
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Fragment } from "react";
import { budgetsQuery } from "../../api/money";
import { sessionQuery } from "../../api/queries";
import type { Budget, Trace, WholeRun } from "../../api/shapes";
import { hasInbox } from "../../shell/Gate";
import { Empty } from "../../ui/Empty";
import { Icon } from "../../ui/Icon";
import { Chip } from "../../ui/marks";
import { Plain } from "../../ui/Prose";
import { count, money, plural } from "../../ui/words";
import { dollars } from "../budgets/rules";
import style from "./Cost.module.css";
import { type CostLine, degreeInWords, limitOf, linesOf, purposeInWords, type Totals, totalsOf } from "./costs";
import table from "./Table.module.css";

interface Props {
  readonly trace: Trace;
  readonly goTo: (seq: number) => void;
}

export default function Cost({ trace, goTo }: Props) {
  const { run } = trace;
  const lines = linesOf(trace);
  if (lines.length === 0) return <Empty icon="model" title="No model was asked yet" />;
  const totals = totalsOf(lines);
  const most = Math.max(1, ...lines.map((line) => Math.max(line.cost ?? 0, line.reserved)));
  return (
    <div className={table.box}>
      <Against run={run} totals={totals} />
      <table className={table.table}>
        <caption className="unseen">What each question cost</caption>
        <thead>
          <tr>
            <th className={table.right}>Step</th>
            <th>Model</th>
            <th>Route</th>
            <th className={table.right}>Tokens in</th>
            <th className={table.right}>cached</th>
            <th className={table.right}>Tokens out</th>
            <th className={table.right}>reasoning</th>
            <th className={table.right}>Reserved</th>
            <th className={table.right}>Cost</th>
            <th className={style.share}>
              <span className="unseen">Cost of what was reserved</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {lines.map((line) => (
            <Fragment key={line.span.id}>
              <Line line={line} most={most} goTo={goTo} />
              {line.notice !== "" && (
                <tr className={style.notice}>
                  <td />
                  <td colSpan={9}>
                    <span className="muted">told the model: </span>
                    <Plain text={line.notice} />
                  </td>
                </tr>
              )}
            </Fragment>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <td />
            <td colSpan={2}>{plural(lines.filter((line) => line.usage !== null).length, "answer")}</td>
            <td className={table.right}>{count(run.input_tokens)}</td>
            <td className={table.right}>{dash(totals.cached)}</td>
            <td className={table.right}>{count(run.output_tokens)}</td>
            <td className={table.right}>{dash(totals.reasoning)}</td>
            <td />
            <td className={table.right}>{money(run.cost_micro_usd)}</td>
            <td />
          </tr>
        </tfoot>
      </table>
      {totals.unpriced > 0 && (
        <p className={table.note}>
          For {plural(totals.unpriced, "answer")} no price is known; the sum leaves{" "}
          {totals.unpriced === 1 ? "it" : "them"} out.
        </p>
      )}
    </div>
  );
}

interface LineProps {
  readonly line: CostLine;
  readonly most: number;
  readonly goTo: (seq: number) => void;
}

function Line({ line, most, goTo }: LineProps) {
  const { usage } = line;
  return (
    <tr data-noticed={line.notice !== "" || undefined} className={style.line}>
      <td className={table.right}>
        <button
          className={table.link}
          onClick={() => goTo(line.span.seq)}
          aria-label={`Step ${line.step ?? "?"}, show where`}
        >
          {line.step ?? "–"}
        </button>
      </td>
      <td>
        <code>{line.model}</code>
        {line.purpose !== "" && <span className="muted"> {purposeInWords(line.purpose)}</span>}
      </td>
      <td className={style.route} title={line.why}>
        {line.route === "" ? <span className="muted">–</span> : <Plain text={line.route} />}
        {line.degree !== "" && (
          <>
            {" "}
            <Chip tone="stop">{degreeInWords(line.degree)}</Chip>
          </>
        )}
        {line.why !== "" && (
          <span className="muted">
            {" "}
            <Plain text={line.why} />
          </span>
        )}
      </td>
      <td className={table.right}>{usage === null ? "–" : count(usage.input)}</td>
      <td className={`${table.right} muted`}>{dash(usage?.cache_read ?? 0)}</td>
      <td className={table.right}>{usage === null ? "–" : count(usage.output)}</td>
      <td className={`${table.right} muted`}>{dash(usage?.reasoning ?? 0)}</td>
      <td className={`${table.right} muted`}>{line.reserved === 0 ? "–" : money(line.reserved)}</td>
      <td className={table.right}>
        <Spent line={line} />
      </td>
      <td>
        <span className={style.meter} aria-hidden="true">
          <i data-part="reserved" style={{ width: `${(100 * line.reserved) / most}%` }} />
          <i data-part="spent" style={{ width: `${(100 * (line.cost ?? 0)) / most}%` }} />
        </span>
      </td>
    </tr>
  );
}

function Spent({ line }: { readonly line: CostLine }) {
  return (
    <>
      {line.presumed > 0 && (
        <span className="tone-stop" title="Its outcome never came, so its worst case counts as spent">
          {money(line.presumed)} presumed{line.cost === null ? "" : " + "}
        </span>
      )}
      {line.cost !== null && money(line.cost)}
      {line.cost === null && line.presumed === 0 && <Nothing line={line} />}
      {line.uncovered > 0 && (
        <span className="tone-fail" title="It cost more than was reserved, and nothing else was left">
          {" "}
          · {money(line.uncovered)} uncovered
        </span>
      )}
    </>
  );
}

function Nothing({ line }: { readonly line: CostLine }) {
  if (line.usage !== null) return <span className="muted">no price</span>;
  return <span className="muted">{line.span.end === null ? "under way" : "no answer"}</span>;
}

/** The whole against what this run may spend; how it parts; what is not sure. */
function Against({ run, totals }: { readonly run: WholeRun; readonly totals: Totals }) {
  const limit = useLimit(run);
  const most = limit === null ? null : Math.round((limit.max_budget ?? 0) * 1e6);
  const percent = most === null ? 0 : most === 0 ? 100 : (100 * run.cost_micro_usd) / most;
  const parts = totals.purposes.filter(([purpose, cost]) => cost > 0 || purpose === "");
  return (
    <section className={style.against} aria-label="Against its budget">
      <p className={style.total}>
        <strong>{money(run.cost_micro_usd)}</strong>
        {limit !== null && (
          <>
            {" "}
            of {dollars(limit.max_budget ?? 0)} that{" "}
            <Link to="/budgets" search={{ name: limit.name, source: limit.source }} className={table.link}>
              <Plain text={limit.name} />
            </Link>{" "}
            lets it spend
          </>
        )}
        {percent >= 80 && (
          <>
            {" "}
            <Chip tone={percent >= 99 ? "fail" : "stop"}>
              <Icon name={percent >= 99 ? "alarm" : "warn"} size={11} />
              {percent >= 99 ? "used up" : "near its limit"}
            </Chip>
          </>
        )}
      </p>
      {most !== null && (
        <span
          className={style.whole}
          data-tone={percent >= 99 ? "fail" : percent >= 80 ? "stop" : undefined}
          aria-hidden="true"
        >
          <i style={{ width: `${Math.min(100, percent)}%` }} />
        </span>
      )}
      <p className="muted">
        {parts.length > 1 &&
          `${parts.map(([purpose, cost]) => `${purposeInWords(purpose)} ${money(cost)}`).join(" · ")} · `}
        {count(run.input_tokens + run.output_tokens)} of {count(run.budget.max_tokens)} tokens
        {totals.presumed > 0 && <span className="tone-stop"> · {money(totals.presumed)} presumed</span>}
        {totals.uncovered > 0 && <span className="tone-fail"> · {money(totals.uncovered)} uncovered</span>}
      </p>
    </section>
  );
}

/** What limits this run in money. Those who may not see budgets see the cost alone. */
function useLimit(run: WholeRun): Budget | null {
  const session = useQuery(sessionQuery).data ?? null;
  const list = useInfiniteQuery({
    ...budgetsQuery,
    enabled: session !== null && hasInbox(session),
    retry: false,
    staleTime: 30_000,
  });
  return limitOf(run, list.data?.pages.flatMap((each) => each.items) ?? []);
}

function dash(n: number): string {
  return n === 0 ? "–" : count(n);
}
