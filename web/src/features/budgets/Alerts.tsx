/** All alerts, those that stand first: what is wrong with spending and with providers, and who has seen it. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { alertsQuery } from "../../api/money";
import { isProblem } from "../../api/problems";
import type { Session } from "../../api/shapes";
import { Bones, Empty, Trouble } from "../../ui/Empty";
import { Freshness } from "../../ui/Freshness";
import { More } from "../../ui/More";
import page from "../../ui/Page.module.css";
import { Views } from "../../ui/Views";
import { AlertLine } from "./AlertLine";
import style from "./Alerts.module.css";

const route = getRouteApi("/inside/budgets");

const STATES = [
  ["standing", "Standing"],
  ["resolved", "Over"],
  ["all", "All"],
] as const;
type State = (typeof STATES)[number][0];

export default function Alerts({ session }: { readonly session: Session | null }) {
  const { state = "standing" } = route.useSearch();
  const navigate = route.useNavigate();
  const list = useInfiniteQuery({
    ...alertsQuery(state === "all" ? undefined : state, 50),
    refetchInterval: (query) => 5_000 * Math.max(1, query.state.data?.pages.length ?? 1),
    placeholderData: (before) => before,
  });
  const alerts = list.data?.pages.flatMap((each) => each.items) ?? [];
  const show = (next: State): void =>
    void navigate({ search: { tab: "alerts", ...(next === "standing" ? {} : { state: next }) }, replace: true });
  return (
    <div className={page.body}>
      <div className={style.bar}>
        <Views label="Which alerts" view={state} views={STATES} show={show} />
        <span className={page.gap} />
        <Freshness updatedAt={list.dataUpdatedAt} failing={list.failureCount > 0} />
      </div>
      {list.error !== null && (list.data === undefined || isProblem(list.error, 403)) ? (
        <Trouble fault={list.error} what="the alerts of this tenant" retry={() => void list.refetch()} />
      ) : list.isPending ? (
        <Bones rows={6} />
      ) : alerts.length === 0 ? (
        <Empty
          icon="bell"
          title={state === "standing" ? "Nothing is wrong" : "No alert was ever raised"}
          command="qd alert list"
        >
          You are told when a budget is used to its levels, will run out before it renews, when spending jumps, and when
          a provider turns calls away.
        </Empty>
      ) : (
        <>
          <ul className={style.list}>
            {alerts.map((alert) => (
              <AlertLine key={alert.alert_id} alert={alert} session={session} />
            ))}
          </ul>
          <More list={list} what="alerts" />
        </>
      )}
    </div>
  );
}
