/** What was saved: by the provider's cache, by leaving out old parts of conversations, by routes to cheaper models. */
import { useQuery } from "@tanstack/react-query";
import { savingsQuery } from "../../api/money";
import { isProblem } from "../../api/problems";
import type { Savings } from "../../api/shapes";
import { Bones, Empty, Trouble } from "../../ui/Empty";
import { useNow } from "../../ui/now";
import page from "../../ui/Page.module.css";
import { Plain } from "../../ui/Prose";
import { count, money, plural } from "../../ui/words";
import { type Looked, sinceOf } from "./filters";
import { Fact } from "./Report";
import { savedBy, share, signed } from "./rules";
import style from "./Usage.module.css";

export default function Saved({ looked }: { readonly looked: Looked }) {
  const minute = Math.floor(useNow() / 60_000) * 60_000;
  const savings = useQuery({
    ...savingsQuery({ ...sinceOf(looked, minute), by: "model", top: 50 }),
    placeholderData: (before) => before,
  });
  if (savings.error !== null && (savings.data === undefined || isProblem(savings.error, 403)))
    return <Trouble fault={savings.error} what="the usage of this tenant" retry={() => void savings.refetch()} />;
  if (savings.data === undefined) return <Bones rows={8} />;
  if (savings.data.lines.length === 0) {
    return (
      <Empty icon="usage" title="No model was called in this time" command="qd usage savings --since 90d">
        Savings are counted with each call: what the cache, a shorter conversation or a cheaper route made of it.
      </Empty>
    );
  }
  return <Shown savings={savings.data} />;
}

const WAYS = [
  [
    "caching",
    "Caching",
    "tokens read from the provider's cache",
    "Prompts that begin alike are read for a part of the price.",
  ],
  [
    "trimming",
    "Trimming",
    "tokens not sent",
    "Old turns and large results are left out or summarised, by the agent's context policy.",
  ],
  [
    "routing",
    "Routing",
    "tokens on cheaper models",
    "Steps that a cheaper model can take are given to it, by the agent's routes.",
  ],
] as const;

function Shown({ savings }: { readonly savings: Savings }) {
  const most = Math.max(1, ...WAYS.map(([way]) => Math.abs(savings[way].micro_usd)));
  return (
    <div className={page.body}>
      <dl className={style.totals}>
        <Fact name="Saved">{signed(savings.saved_micro_usd)}</Fact>
        <Fact name="of what it would have cost">{share(Math.max(0, savings.share))}</Fact>
        <Fact name="Cost">{money(savings.cost_micro_usd)}</Fact>
        <Fact name="Input read from cache">{share(savings.cache_hit_rate)}</Fact>
      </dl>
      <ul className={style.ways}>
        {WAYS.map(([way, name, what, how]) => {
          const { calls, tokens, micro_usd } = savings[way];
          return (
            <li key={way}>
              <h2>{name}</h2>
              <p className={style.saved}>{signed(micro_usd)}</p>
              <span className={style.share}>
                <i style={{ width: `${(100 * Math.max(0, micro_usd)) / most}%` }} />
              </span>
              <p>
                {plural(calls, "call")}
                {tokens !== null && `, ${count(tokens)} ${what}`}
              </p>
              <p className="muted">{micro_usd < 0 ? "Writing the cache cost more than reading it saved." : how}</p>
            </li>
          );
        })}
      </ul>
      <div className={style.scroll}>
        <table className={`${page.table} ${style.table}`}>
          <caption className="unseen">What was saved, by model</caption>
          <thead>
            <tr>
              <th>Model</th>
              <th className={page.right}>Cost</th>
              <th className={page.right}>Caching</th>
              <th className={page.right}>Trimming</th>
              <th className={page.right}>Routing</th>
              <th className={page.right}>Saved</th>
              <th className={page.right}>Calls</th>
            </tr>
          </thead>
          <tbody>
            {savings.lines.map((line) => (
              <tr key={line.rest ? "rest" : (line.keys.model ?? "")}>
                <td>
                  <code>
                    <Plain text={line.rest ? plural(line.groups, "other") : (line.keys.model ?? "–")} />
                  </code>
                </td>
                <td className={page.right}>{money(line.cost_micro_usd)}</td>
                <td className={page.right}>{dash(line.saved_cache_micro_usd)}</td>
                <td className={page.right}>{dash(line.saved_trim_micro_usd)}</td>
                <td className={page.right}>{dash(line.saved_route_micro_usd)}</td>
                <td className={page.right}>{dash(savedBy(line))}</td>
                <td className={page.right}>{count(line.calls)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

function dash(micro: number): string {
  return micro === 0 ? "–" : signed(micro);
}
