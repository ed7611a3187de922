/** The alerts that nobody has seen, above the budgets: what is wrong, and one press to say that one has seen it. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { alertsQuery } from "../../api/money";
import type { Session } from "../../api/shapes";
import { plural } from "../../ui/words";
import { AlertLine } from "./AlertLine";
import style from "./Alerts.module.css";

const SHOWN = 3;
const RANK = { critical: 0, warning: 1, notice: 2 } as const;

interface Props {
  readonly session: Session | null;
  /** A budget is open: where there is room for one of them only, it has it. */
  readonly beside: boolean;
}

export function AlertStrip({ session, beside }: Props) {
  const list = useInfiniteQuery({ ...alertsQuery("raised", 20), refetchInterval: 6_000, retry: false });
  const raised = list.data?.pages[0]?.items ?? [];
  if (raised.length === 0) return null;
  const first = [...raised].sort((a, b) => RANK[a.severity] - RANK[b.severity]).slice(0, SHOWN);
  const rest = raised.length - first.length;
  return (
    <section className={style.strip} data-beside={beside || undefined} aria-label="Alerts">
      <ul>
        {first.map((alert) => (
          <AlertLine key={alert.alert_id} alert={alert} session={session} />
        ))}
      </ul>
      {rest > 0 && (
        <Link to="/budgets" search={{ tab: "alerts" }} className={style.rest}>
          {list.hasNextPage ? "Show all alerts" : `Show ${plural(rest, "other")}`}
        </Link>
      )}
    </section>
  );
}
