/** Conversations that agents have passed to people: who takes them, and what came of them. */
import { Button } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { ask } from "../../api/client";
import { escalationsQuery } from "../../api/gate";
import { sessionQuery } from "../../api/queries";
import type { Escalation, Session } from "../../api/shapes";
import { Bones, Empty, Rest, Trouble } from "../../ui/Empty";
import { Fault } from "../../ui/Fault";
import { Chip } from "../../ui/marks";
import { useNow } from "../../ui/now";
import page from "../../ui/Page.module.css";
import { Plain, Prose } from "../../ui/Prose";
import { Views } from "../../ui/Views";
import { ago, clock, duration, shortId } from "../../ui/words";
import { may } from "../sessions/rules";
import { CloseDialog } from "./CloseDialog";
import style from "./Escalations.module.css";

type Shown = "open" | "claimed" | "closed" | "all";

export default function Escalations() {
  const [shown, setShown] = useState<Shown>("open");
  const list = useQuery({ ...escalationsQuery(shown === "all" ? undefined : shown), refetchInterval: 4_000 });
  const { data: session } = useQuery(sessionQuery);
  return (
    <div className={page.body}>
      <div className={style.bar}>
        <Views
          label="State"
          view={shown}
          views={[
            ["open", "Open"],
            ["claimed", "Claimed"],
            ["closed", "Closed"],
            ["all", "All"],
          ]}
          show={setShown}
        />
      </div>
      {list.data === undefined ? (
        list.error === null ? (
          <Bones rows={5} />
        ) : (
          <Trouble fault={list.error} what="the escalations of this tenant" retry={() => void list.refetch()} />
        )
      ) : list.data.items.length === 0 ? (
        <NoEscalation shown={shown} all={() => setShown("all")} />
      ) : (
        <>
          <ul className={style.list} aria-label="Escalations">
            {list.data.items.map((escalation) => (
              <Card key={escalation.escalation_id} escalation={escalation} session={session} />
            ))}
          </ul>
          <Rest next={list.data.next_cursor} what="escalations" />
        </>
      )}
    </div>
  );
}

function NoEscalation({ shown, all }: { readonly shown: Shown; readonly all: () => void }) {
  if (shown === "claimed" || shown === "closed") {
    return (
      <Empty icon="filter" title={`No escalation is ${shown}`} actions={<Button onClick={all}>Show all</Button>} />
    );
  }
  return (
    <Empty icon="person" title="No agent has passed anything on" command="qd escalation list">
      An agent that can’t or mustn’t go on passes the conversation to a person, with a summary. It appears here.
    </Empty>
  );
}

function Card({
  escalation,
  session,
}: {
  readonly escalation: Escalation;
  readonly session: Session | null | undefined;
}) {
  const [closing, setClosing] = useState(false);
  const now = useNow();
  const cache = useQueryClient();
  const claim = useMutation({
    mutationFn: (takeOver: boolean) =>
      ask(`/v1/escalations/${escalation.escalation_id}/claim`, { method: "POST", body: { take_over: takeOver } }),
    onSettled: () => cache.invalidateQueries({ queryKey: ["escalations"] }),
  });
  const allowed = session != null && may(session, "reviewer", "operator");
  return (
    <li className={style.card}>
      <div className={style.head}>
        <Chip tone={escalation.state === "open" ? "wait" : "quiet"}>{escalation.state}</Chip>
        <strong>{escalation.agent}</strong>
        <span className="muted">
          for <Plain text={escalation.user_id} />
          {escalation.owner !== "" && (
            <>
              {" "}
              to <Plain text={escalation.owner} />
            </>
          )}
        </span>
        <span className={style.when} title={clock(escalation.opened_at, now)}>
          {ago(escalation.opened_at, now)}
        </span>
      </div>
      <Prose text={escalation.summary || "The agent gave no summary."} lines={8} />
      {escalation.why !== "" && (
        <p className={style.why}>
          Because: <Plain text={escalation.why} />
        </p>
      )}
      {escalation.claimed_by !== null && (
        <p className={style.why}>
          Claimed by {escalation.claimed_by} {escalation.claimed_at !== null && ago(escalation.claimed_at, now)}
          {escalation.closed_at !== null &&
            `; closed by ${escalation.closed_by ?? "somebody"} after ${duration(Date.parse(escalation.closed_at) - Date.parse(escalation.opened_at))}`}
        </p>
      )}
      {escalation.note !== "" && <Prose text={escalation.note} lines={6} />}
      <div className={style.foot}>
        <Link to="/runs/$run" params={{ run: escalation.run_id }} className={page.link}>
          run {shortId(escalation.run_id)}
        </Link>
        {escalation.thread_id !== null && (
          <Link to="/runs" search={{ thread: escalation.thread_id }} className={page.link}>
            whole conversation
          </Link>
        )}
        <span className={style.gap} />
        <span title={allowed ? undefined : "Your key may look, not claim: that takes the role reviewer"}>
          {escalation.state === "open" && (
            <Button variant="filled" disabled={!allowed} loading={claim.isPending} onClick={() => claim.mutate(false)}>
              Claim
            </Button>
          )}
          {escalation.state === "claimed" && (
            <span className={style.foot}>
              <Button disabled={!allowed} loading={claim.isPending} onClick={() => claim.mutate(true)}>
                Take over
              </Button>
              <Button variant="filled" disabled={!allowed} onClick={() => setClosing(true)}>
                Close
              </Button>
            </span>
          )}
        </span>
      </div>
      <Fault fault={claim.error} />
      {closing && <CloseDialog escalation={escalation} close={() => setClosing(false)} />}
    </li>
  );
}
