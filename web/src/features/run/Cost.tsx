/** What each step of the model cost, and what all of them came to. */
import type { Trace } from "../../api/shapes";
import { Empty } from "../../ui/Empty";
import { count, money, plural } from "../../ui/words";
import style from "./Table.module.css";

interface Props {
  readonly trace: Trace;
  readonly goTo: (seq: number) => void;
}

export default function Cost({ trace, goTo }: Props) {
  const { cost: rows, run } = trace;
  if (rows.length === 0) return <Empty icon="model" title="No model has answered yet" />;
  const most = Math.max(1, ...rows.map((row) => row.cost ?? 0));
  const unpriced = rows.filter((row) => row.cost === null).length;
  return (
    <div className={style.box}>
      <table className={style.table}>
        <thead>
          <tr>
            <th className={style.right}>Step</th>
            <th>Model</th>
            <th className={style.right}>Tokens in</th>
            <th className={style.right}>of them cached</th>
            <th className={style.right}>Tokens out</th>
            <th className={style.right}>of them reasoning</th>
            <th className={style.right}>Cost</th>
            <th className={style.wide}>
              <span className="unseen">Share</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.seq}>
              <td className={style.right}>
                <button className={style.link} onClick={() => goTo(row.seq)}>
                  {row.step}
                </button>
              </td>
              <td>
                <code>{row.model}</code>
              </td>
              <td className={style.right}>{count(row.usage.input)}</td>
              <td className={`${style.right} muted`}>{dash(row.usage.cache_read)}</td>
              <td className={style.right}>{count(row.usage.output)}</td>
              <td className={`${style.right} muted`}>{dash(row.usage.reasoning)}</td>
              <td className={style.right}>
                {row.cost === null ? <span className="muted">no price</span> : money(row.cost)}
              </td>
              <td>
                <span className={style.meter}>
                  <span style={{ width: `${(100 * (row.cost ?? 0)) / most}%` }} />
                </span>
              </td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <td />
            <td>{plural(rows.length, "answer")}</td>
            <td className={style.right}>{count(run.input_tokens)}</td>
            <td className={style.right}>{dash(sum(rows.map((row) => row.usage.cache_read)))}</td>
            <td className={style.right}>{count(run.output_tokens)}</td>
            <td className={style.right}>{dash(sum(rows.map((row) => row.usage.reasoning)))}</td>
            <td className={style.right}>{money(run.cost_micro_usd)}</td>
            <td />
          </tr>
        </tfoot>
      </table>
      {unpriced > 0 && (
        <p className={style.note}>
          For {plural(unpriced, "answer")} no price is known; the sum leaves {unpriced === 1 ? "it" : "them"} out.
        </p>
      )}
    </div>
  );
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function dash(n: number): string {
  return n === 0 ? "–" : count(n);
}
