/** Runs that cost far more than their agent's usually do, and why. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { outliersQuery } from "../../api/money";
import { isProblem } from "../../api/problems";
import type { Outlier } from "../../api/shapes";
import { Bones, Empty, Trouble } from "../../ui/Empty";
import { Chip } from "../../ui/marks";
import { useNow } from "../../ui/now";
import page from "../../ui/Page.module.css";
import { Plain } from "../../ui/Prose";
import { clock, count, money, shortId } from "../../ui/words";
import { type Looked, sinceOf } from "./filters";
import style from "./Usage.module.css";

const MOST = 100;

export default function Outlying({ looked }: { readonly looked: Looked }) {
  const now = Math.floor(useNow() / 60_000) * 60_000;
  const found = useQuery({
    ...outliersQuery({ ...sinceOf(looked, now), limit: MOST }),
    placeholderData: (before) => before,
  });
  if (found.error !== null && (found.data === undefined || isProblem(found.error, 403)))
    return <Trouble fault={found.error} what="the usage of this tenant" retry={() => void found.refetch()} />;
  if (found.data === undefined) return <Bones rows={8} />;
  const { items } = found.data;
  if (items.length === 0) {
    return (
      <Empty icon="check" title="No run stands out" command="qd usage outliers">
        Each run cost about what its agent's runs usually do. An agent with fewer than eight runs has nothing usual yet.
      </Empty>
    );
  }
  return (
    <div className={page.body}>
      <table className={`${page.table} ${style.table} ${style.outliers}`}>
        <caption className="unseen">Runs that stand out, the farthest first</caption>
        <thead>
          <tr>
            <th>Run</th>
            <th>Agent</th>
            <th>User</th>
            <th className={page.right}>Cost</th>
            <th className={page.right}>Usual</th>
            <th className={page.right}>Times</th>
            <th>Why</th>
            <th>When</th>
          </tr>
        </thead>
        <tbody>
          {items.map((one) => (
            <Row key={one.run_id} one={one} now={now} />
          ))}
        </tbody>
      </table>
      {items.length === MOST && <p className={style.note}>These are the first {MOST}; the export has five hundred.</p>}
    </div>
  );
}

function Row({ one, now }: { readonly one: Outlier; readonly now: number }) {
  return (
    <tr>
      <td>
        <Link to="/runs/$run" params={{ run: one.run_id }} search={{ tab: "cost" }} className={page.link}>
          <span className="mono">{shortId(one.run_id)}</span>
        </Link>
      </td>
      <td>{one.agent}</td>
      <td>
        <Plain text={one.user_id} />
      </td>
      <td className={page.right}>{money(one.cost_micro_usd)}</td>
      <td className={`${page.right} muted`}>{money(one.usual_micro_usd)}</td>
      <td className={page.right}>{one.times < 100 ? one.times.toFixed(1) : count(Math.round(one.times))} ×</td>
      <td className={style.why}>
        {one.causes.length === 0 ? (
          <Plain text={one.why} />
        ) : (
          one.causes.map((cause) => (
            <div key={cause.cause}>
              <Chip tone="stop">{cause.cause}</Chip> <Plain text={cause.words} />
            </div>
          ))
        )}
      </td>
      <td className="muted">{clock(one.at, now)}</td>
    </tr>
  );
}
