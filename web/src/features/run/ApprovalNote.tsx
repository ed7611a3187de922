/** A question that still waits, to be answered where it stands in the run. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { approvalQuery } from "../../api/gate";
import { sessionQuery } from "../../api/queries";
import { useNow } from "../../ui/now";
import { Answer } from "../approvals/Answer";
import { countdown, verdictOf } from "../approvals/rules";
import style from "./ApprovalNote.module.css";

const OFTEN = 4_000;

export function ApprovalNote({ approval }: { readonly approval: string }) {
  const { data: session } = useQuery(sessionQuery);
  const one = useQuery({
    ...approvalQuery(approval),
    retry: false,
    refetchInterval: (query) => (query.state.data?.state === "pending" ? OFTEN : false),
  });
  const pending = one.data?.state === "pending";
  const now = useNow(pending);
  if (one.data === undefined) return null;
  const left = countdown(one.data.expires_at, now);
  return (
    <section className={style.note} data-pending={pending || undefined} aria-label="Approval">
      <p>
        {verdictOf(one.data)} {pending && <span className={left.urgent ? "tone-stop" : "muted"}>{left.words}</span>}
      </p>
      <Answer approval={one.data} session={session} answered={() => undefined} />
      <Link
        to="/approvals"
        search={{ id: approval, ...(pending ? {} : { state: "all" as const }) }}
        className={style.link}
      >
        Open it in the inbox, beside what was approved last
      </Link>
    </section>
  );
}
