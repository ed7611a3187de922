/** What waits for people and what is stopped, on every page: a number in the navigation, a bar while a switch is thrown. */
import { ActionIcon } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense } from "react";
import { actingIn } from "../api/client";
import { approvalFacetsQuery, escalationFacetsQuery, standingQuery } from "../api/gate";
import { alertFacetsQuery } from "../api/money";
import { isProblem } from "../api/problems";
import type { Role, Session, Switch } from "../api/shapes";
import { may } from "../features/sessions/rules";
import { openSwitches, usePanel } from "../features/switches/panel";
import { Icon } from "../ui/Icon";
import { useNow } from "../ui/now";
import { Plain } from "../ui/Prose";
import { ago, count, plural } from "../ui/words";
import style from "./Gate.module.css";

const SwitchesPanel = lazy(() => import("../features/switches/SwitchesPanel"));

/** Who sees a whole tenant, and so its inbox and its switches. */
export const READERS: readonly Role[] = ["operator", "developer", "reviewer", "auditor"];

const OFTEN = 4_000;

/** Whether there is an inbox for this session: an admin has one only in a tenant. */
export function hasInbox(session: Session): boolean {
  return may(session, ...READERS) && (session.tenant ?? actingIn()) !== null;
}

/** How many approvals wait for an answer, beside the word in the navigation. */
export function WaitingCount({ session }: { readonly session: Session }) {
  const allowed = hasInbox(session);
  const approvals = useQuery({ ...approvalFacetsQuery, enabled: allowed, refetchInterval: OFTEN });
  const escalations = useQuery({ ...escalationFacetsQuery, enabled: allowed, refetchInterval: 2 * OFTEN });
  const waiting = approvals.data?.state.pending ?? 0;
  const open = escalations.data?.state.open ?? 0;
  if (waiting + open === 0) return null;
  const words = [
    waiting > 0 ? `${plural(waiting, "approval")} waiting` : "",
    open > 0 ? plural(open, "open escalation") : "",
  ].filter((each) => each !== "");
  return (
    <span className={style.count} title={words.join(", ")}>
      {waiting + open > 999 ? "999+" : count(waiting + open)}
      <span className="unseen">{words.join(", ")}</span>
    </span>
  );
}

/** How many alerts nobody has seen; red where one is critical. */
export function AlertCount({ session }: { readonly session: Session }) {
  const allowed = may(session, ...READERS);
  const alerts = useQuery({ ...alertFacetsQuery, enabled: allowed, refetchInterval: 2 * OFTEN }).data?.severity ?? {};
  const raised = Object.values(alerts).reduce((sum, n) => sum + n, 0);
  if (raised === 0) return null;
  const critical = alerts.critical ?? 0;
  const words = critical > 0 ? `${plural(raised, "alert")}, ${count(critical)} critical` : plural(raised, "alert");
  return (
    <span className={style.count} data-tone={critical > 0 ? "fail" : "stop"} title={words}>
      {raised > 999 ? "999+" : count(raised)}
      <span className="unseen">{words}</span>
    </span>
  );
}

function useStanding(session: Session): { readonly thrown: readonly Switch[]; readonly lost: number | null } {
  const standing = useQuery({
    ...standingQuery,
    enabled: session.admin || may(session, ...READERS),
    refetchInterval: OFTEN,
  });
  const failing = standing.failureCount > 0 && !isProblem(standing.error ?? standing.failureReason, 401, 403);
  return { thrown: standing.data ?? [], lost: failing && standing.dataUpdatedAt > 0 ? standing.dataUpdatedAt : null };
}

/** The way to the switches from every page; it shows that something is thrown. */
export function SwitchesButton({ session }: { readonly session: Session }) {
  const { thrown } = useStanding(session);
  if (!session.admin && !may(session, ...READERS)) return null;
  const words = thrown.length === 0 ? "Switches" : `Switches: ${thrown.length} thrown`;
  return (
    <ActionIcon
      title={`${words} (g s)`}
      aria-label={words}
      className={thrown.length > 0 ? style.thrown : undefined}
      onClick={() => openSwitches()}
    >
      <Icon name="hand" size={16} />
    </ActionIcon>
  );
}

/** Red, and only while something is thrown: what, why, since when. */
export function StandingBar({ session }: { readonly session: Session }) {
  const { thrown, lost } = useStanding(session);
  const now = useNow(thrown.length > 0);
  const first = thrown.at(-1);
  if (first === undefined) return null;
  return (
    <div className={style.bar} role="status">
      <Icon name="hand" size={14} />
      <span className={style.words}>
        <strong>
          <Plain text={first.words} />
        </strong>
        {first.why !== "" && (
          <>
            {" · "}
            <Plain text={first.why} />
          </>
        )}
        <span className={style.since}>
          {" · "}
          {first.thrown_by}, {ago(first.thrown_at, now)}
          {lost !== null && `, as of ${ago(lost, now)}`}
        </span>
      </span>
      {thrown.length > 1 && <span className={style.others}>and {plural(thrown.length - 1, "other")}</span>}
      <button className={style.show} onClick={() => openSwitches()}>
        {thrown.length > 1 ? `Show all ${thrown.length}` : "Show or lift"}
      </button>
    </div>
  );
}

/** The panel itself, fetched when it is opened first. */
export function SwitchesLayer() {
  const panel = usePanel();
  return <Suspense fallback={null}>{panel !== null && <SwitchesPanel panel={panel} />}</Suspense>;
}
