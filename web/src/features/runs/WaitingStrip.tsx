/** What needs a person now, above the runs: the questions that run out first, and conversations that nobody has taken. */
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { approvalFacetsQuery, approvalsQuery, escalationFacetsQuery } from "../../api/gate";
import { sessionQuery } from "../../api/queries";
import { hasInbox } from "../../shell/Gate";
import { RiskChip } from "../../ui/marks";
import { useNow } from "../../ui/now";
import { Plain } from "../../ui/Prose";
import { plural } from "../../ui/words";
import { byExpiry, countdown, short } from "../approvals/rules";
import style from "./WaitingStrip.module.css";

const SHOWN = 3;

export function WaitingStrip() {
  const { data: session } = useQuery(sessionQuery);
  const allowed = session != null && hasInbox(session);
  const approvals = useQuery({ ...approvalFacetsQuery, enabled: allowed }).data?.state.pending ?? 0;
  const escalations = useQuery({ ...escalationFacetsQuery, enabled: allowed }).data?.state.open ?? 0;
  if (!allowed || approvals + escalations === 0) return null;
  return (
    <section className={style.strip} aria-label="Waits for a person">
      {approvals > 0 && <Questions pending={approvals} />}
      {escalations > 0 && (
        <Link to="/approvals" search={{ tab: "escalations" }} className={style.more}>
          {plural(escalations, "open escalation")}
        </Link>
      )}
    </section>
  );
}

function Questions({ pending }: { readonly pending: number }) {
  const list = useInfiniteQuery({ ...approvalsQuery({}), refetchInterval: 6_000 });
  const now = useNow();
  const first = byExpiry(list.data?.pages[0]?.items ?? []).slice(0, SHOWN);
  const rest = pending - first.length;
  return (
    <>
      {first.map((approval) => {
        const left = countdown(approval.expires_at, now);
        return (
          <Link
            key={approval.approval_id}
            to="/approvals"
            search={{ id: approval.approval_id }}
            className={style.question}
            title={`${approval.agent} asked ${short(now - Date.parse(approval.asked_at))} ago`}
          >
            <RiskChip risk={approval.risk_level} always />
            <span className={style.words}>
              <Plain text={approval.summary || approval.tool} />
            </span>
            <span className={left.urgent ? "tone-stop" : "muted"}>{left.words}</span>
          </Link>
        );
      })}
      {rest > 0 && (
        <Link to="/approvals" className={style.more}>
          {first.length === 0 ? `${plural(rest, "approval")} waiting` : `${plural(rest, "other")} waiting`}
        </Link>
      )}
    </>
  );
}
