/** How unevenly cost is spread: a sentence such as “0.1 % of users make 40 % of the cost”, and who they are. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { spreadQuery } from "../../api/money";
import { isProblem } from "../../api/problems";
import type { Concentration } from "../../api/shapes";
import { Bones, Empty, Trouble } from "../../ui/Empty";
import { useNow } from "../../ui/now";
import page from "../../ui/Page.module.css";
import { Plain } from "../../ui/Prose";
import { Views } from "../../ui/Views";
import { count, money, plural, shortId } from "../../ui/words";
import { type Among, AMONG, type Looked, sinceOf } from "./filters";
import { share } from "./rules";
import style from "./Usage.module.css";

interface Props {
  readonly looked: Looked;
  readonly look: (next: Looked) => void;
}

export default function Spread({ looked, look }: Props) {
  const { among = "user" } = looked;
  const minute = Math.floor(useNow() / 60_000) * 60_000;
  const spread = useQuery({
    ...spreadQuery({ ...sinceOf(looked, minute), among, top: 50 }),
    placeholderData: (before) => (before?.among === among ? before : undefined),
  });
  const views = (Object.keys(AMONG) as Among[]).map((name) => [name, `Among ${AMONG[name]}`] as const);
  return (
    <div className={page.body}>
      <div className={style.bar}>
        <Views label="Among" view={among} views={views} show={(next) => look({ among: next })} />
      </div>
      {spread.error !== null && (spread.data === undefined || isProblem(spread.error, 403)) ? (
        <Trouble fault={spread.error} what="the usage of this tenant" retry={() => void spread.refetch()} />
      ) : spread.data === undefined ? (
        <Bones rows={8} />
      ) : spread.data.spenders === 0 ? (
        <Empty icon="usage" title={`None of the ${AMONG[among]} has spent anything`} command="qd usage concentration" />
      ) : (
        <Shown spread={spread.data} among={among} />
      )}
    </div>
  );
}

function Shown({ spread, among }: { readonly spread: Concentration; readonly among: Among }) {
  return (
    <>
      <div className={style.told}>
        {spread.words.map((words) => (
          <p key={words}>{words}</p>
        ))}
        <p className="muted">
          {plural(spread.spenders, among)}, {money(spread.cost_micro_usd)} in all · Gini {spread.gini.toFixed(2)}{" "}
          {spread.gini > 0.8 ? "(a few make nearly all of it)" : spread.gini < 0.3 ? "(spread evenly)" : ""}
        </p>
      </div>
      <ul className={style.shares} aria-label="What the largest make of the cost">
        {spread.shares.map((one) => (
          <li key={one.of_spenders}>
            <span>
              {share(one.of_spenders)} <span className="muted">({plural(one.spenders, among)})</span>
            </span>
            <span className={style.share}>
              <i style={{ width: `${100 * one.share}%` }} />
            </span>
            <span>
              {share(one.share)} <span className="muted">of the cost, {money(one.cost_micro_usd)}</span>
            </span>
          </li>
        ))}
      </ul>
      <div className={style.scroll}>
        <table className={`${page.table} ${style.table}`}>
          <caption className="unseen">The {AMONG[among]} that spend most</caption>
          <thead>
            <tr>
              <th className={page.right}>#</th>
              <th>{among}</th>
              <th className={page.right}>Cost</th>
              <th className={style.shareCell}>Share</th>
              <th className={page.right}>with those before</th>
              <th className={page.right}>Calls</th>
            </tr>
          </thead>
          <tbody>
            {spread.top.map((one) => (
              <tr key={`${one.tenant} ${one.name}`}>
                <td className={`${page.right} muted`}>{one.place}</td>
                <td>
                  <Link to="/runs" search={{ [among]: one.name }} className={page.link}>
                    <Plain text={among === "thread" ? shortId(one.name) : one.name || "(none)"} />
                  </Link>
                </td>
                <td className={page.right}>{money(one.cost_micro_usd)}</td>
                <td className={style.shareCell}>
                  <span className={style.share}>
                    <i style={{ width: `${100 * one.share}%` }} />
                  </span>
                  {share(one.share)}
                </td>
                <td className={`${page.right} muted`}>{share(one.cumulative_share)}</td>
                <td className={page.right}>{count(one.calls)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {spread.spenders > spread.top.length && (
        <p className={style.note}>
          These are the first {count(spread.top.length)} of {count(spread.spenders)}; the export has a thousand.
        </p>
      )}
    </>
  );
}
