/** What could be granted less: tools that nobody has used, and what undoes policies. */
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { patternsQuery, unusedQuery } from "../../api/gate";
import { Bones, Trouble } from "../../ui/Empty";
import { Filter, type Option } from "../../ui/Field";
import { RiskChip } from "../../ui/marks";
import { useNow } from "../../ui/now";
import page from "../../ui/Page.module.css";
import { Told } from "../../ui/Told";
import { ago, riskOf, spaced } from "../../ui/words";
import style from "./Policy.module.css";

const route = getRouteApi("/inside/policy");

const DAYS: readonly Option<string>[] = [
  ["7", "in 7 days"],
  ["30", "in 30 days"],
  ["90", "in 90 days"],
  ["365", "in a year"],
];

export default function Advice() {
  const { days = "30" } = route.useSearch();
  const navigate = route.useNavigate();
  const span = DAYS.some(([each]) => each === days) ? days : "30";
  return (
    <div className={page.body}>
      <section className={style.section}>
        <h2>What undoes policies</h2>
        <Patterns />
      </section>
      <section className={style.section}>
        <div className={style.title}>
          <h2>Granted and not used</h2>
          <Filter
            label="Time"
            value={span}
            options={DAYS}
            choose={(value) => void navigate({ search: (before) => ({ ...before, days: value }), replace: true })}
          />
        </div>
        <Unused days={Number(span)} />
      </section>
    </div>
  );
}

function Patterns() {
  const patterns = useQuery(patternsQuery);
  if (patterns.data === undefined) {
    if (patterns.error === null) return <Bones rows={3} />;
    return <Trouble fault={patterns.error} what="this advice" retry={() => void patterns.refetch()} />;
  }
  if (patterns.data.length === 0) return <p className="muted">Nothing found in the current releases.</p>;
  return (
    <ul>
      {patterns.data.map((pattern, at) => (
        <li key={at} className={style.pattern}>
          <p>
            <strong>{pattern.agent}</strong> <span className="muted">{spaced(pattern.kind)}</span>{" "}
            {pattern.about.map((name) => (
              <code key={name}>{name} </code>
            ))}
          </p>
          <p>
            <Told text={pattern.problem} />
          </p>
          <p className="muted">
            <Told text={pattern.fix} />
          </p>
        </li>
      ))}
    </ul>
  );
}

function Unused({ days }: { readonly days: number }) {
  const unused = useQuery(unusedQuery(days));
  const now = useNow(false);
  if (unused.data === undefined) {
    if (unused.error === null) return <Bones rows={4} />;
    return <Trouble fault={unused.error} what="what was used" retry={() => void unused.refetch()} />;
  }
  if (unused.data.length === 0) return <p className="muted">Every tool that is granted was used.</p>;
  return (
    <table className={page.table}>
      <thead>
        <tr>
          <th>Agent</th>
          <th>Tool</th>
          <th>Risk</th>
          <th>Effect</th>
          <th>Server</th>
          <th>Granted</th>
        </tr>
      </thead>
      <tbody>
        {unused.data.map((line) => (
          <tr key={`${line.agent} ${line.tool}`}>
            <td>{line.agent}</td>
            <td>
              <code>{line.tool}</code>
            </td>
            <td>
              <RiskChip risk={riskOf(line.effect)} always />
            </td>
            <td>{spaced(line.effect)}</td>
            <td className="muted">{line.server}</td>
            <td className="muted">{ago(line.granted_at, now)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
