/** What there is and how much of it: each line counts, and filters when it is pressed. */
import type { ReactNode } from "react";
import type { Facets as Counts, Status } from "../../api/shapes";
import { State } from "../../ui/marks";
import { Plain } from "../../ui/Prose";
import { count, spaced, STATUSES } from "../../ui/words";
import { chosen, type Filters, toggled } from "./filters";
import style from "./Facets.module.css";

interface Props {
  readonly facets: Counts | undefined;
  readonly filters: Filters;
  readonly show: (filters: Filters) => void;
}

export function Facets({ facets, filters, show }: Props) {
  if (facets === undefined) return <aside className={style.panel} aria-label="Filters" />;
  const statuses = STATUSES.filter((status) => (facets.status[status] ?? 0) > 0 || filters.status?.includes(status));
  const agents = entriesOf(facets.agent, filters.agent);
  const causes = entriesOf(facets.cause, filters.cause).slice(0, 12);
  return (
    <aside className={style.panel} aria-label="Filters">
      <Section name="State" empty={statuses.length === 0}>
        {statuses.map((status: Status) => (
          <Line
            key={status}
            on={filters.status?.includes(status) ?? false}
            n={facets.status[status] ?? 0}
            press={() => show(toggled(filters, status))}
          >
            <State status={status} />
          </Line>
        ))}
      </Section>
      <Section name="Agent" empty={agents.length === 0}>
        {agents.map(([agent, n]) => (
          <Line
            key={agent}
            on={filters.agent === agent}
            n={n}
            title={agent}
            press={() => show(chosen(filters, "agent", agent))}
          >
            <Plain text={agent} />
          </Line>
        ))}
      </Section>
      <Section name="Cause" empty={causes.length === 0}>
        {causes.map(([cause, n]) => (
          <Line
            key={cause}
            on={filters.cause === cause}
            n={n}
            title={cause}
            press={() => show(chosen(filters, "cause", cause))}
          >
            <Plain text={spaced(cause)} />
          </Line>
        ))}
      </Section>
    </aside>
  );
}

interface SectionProps {
  readonly name: string;
  readonly empty?: boolean;
  readonly children: ReactNode;
}

function Section({ name, empty = false, children }: SectionProps) {
  if (empty) return null;
  return (
    <section className={style.section}>
      <h2 className={style.name}>{name}</h2>
      {children}
    </section>
  );
}

interface LineProps {
  readonly on: boolean;
  readonly n: number;
  readonly press: () => void;
  readonly title?: string;
  readonly children: ReactNode;
}

function Line({ on, n, press, title, children }: LineProps) {
  return (
    <button className={style.line} aria-pressed={on} onClick={press} title={title}>
      <span className={style.words}>{children}</span>
      <span className={style.n}>{count(n)}</span>
    </button>
  );
}

/** Most frequent first; what is chosen stays in sight even when nothing of it is left. */
function entriesOf(counts: Readonly<Record<string, number>>, chosen: string | undefined): [string, number][] {
  const all = { ...(chosen === undefined ? {} : { [chosen]: 0 }), ...counts };
  return Object.entries(all).sort(([a, n], [b, m]) => m - n || a.localeCompare(b));
}
