/** The answer: yes, no, or yes to other arguments. What can't be undone is typed out; a no has a reason. */
import { Button } from "@mantine/core";
import { lazy, Suspense, useEffect, useRef, useState } from "react";
import type { Approval, Session } from "../../api/shapes";
import { useKeys } from "../../shell/keys";
import { Key } from "../../ui/Empty";
import { Fault } from "../../ui/Fault";
import style from "./Answer.module.css";
import { useAnswer } from "./answering";
import { countdown, isTyped, refusalOf } from "./rules";
import { useNow } from "../../ui/now";

const loadDialog = (): Promise<typeof import("./AnswerDialog")> => import("./AnswerDialog");
const AnswerDialog = lazy(loadDialog);

export type Asking = "approve" | "deny" | "edit";

interface Props {
  readonly approval: Approval;
  readonly session: Session | null | undefined;
  readonly answered: () => void;
  /** Whether `y` and `n` answer: off where several questions are on one page. */
  readonly keys?: boolean;
}

/** A key that was meant for the question before must not answer the one that has taken its place. */
const SETTLING_MS = 700;

export function Answer({ approval, session, answered, keys = false }: Props) {
  const [asking, setAsking] = useState<Asking | null>(null);
  const since = useRef(0);
  const now = useNow(approval.state === "pending");
  const answer = useAnswer(approval, answered);
  useEffect(() => {
    since.current = performance.now();
  }, [approval.approval_id, approval.digest]);
  const answerable = approval.state === "pending";
  useEffect(() => {
    if (answerable) void loadDialog();
  }, [answerable]);
  const refusal = refusalOf(approval, session);
  const open = approval.state === "pending" && !countdown(approval.expires_at, now).over;
  // While a dialog is on its way, what is typed is meant for it: a reason that begins with `y` must not approve.
  const allowed = open && refusal === null && !answer.isPending && asking === null;
  const begin = (what: Asking): void => {
    if (!allowed) return;
    if (what === "approve" && !isTyped(approval)) answer.mutate({ verdict: "approve", why: "" });
    else setAsking(what);
  };
  const byKey = (what: Asking) => (): void => {
    if (performance.now() - since.current > SETTLING_MS) begin(what);
  };
  useKeys(
    keys
      ? [
          { keys: "y", words: "Approve", group: "Approvals", act: byKey("approve") },
          { keys: "n", words: "Deny", group: "Approvals", act: byKey("deny") },
          { keys: "E", words: "Edit and approve", group: "Approvals", act: byKey("edit") },
        ]
      : [],
  );
  if (approval.state !== "pending") return null;
  if (!open) return <p className={`${style.bar} tone-stop`}>The time to answer is over; the question expires.</p>;
  return (
    <>
      <div className={style.bar} title={refusal ?? undefined}>
        <Button
          variant="filled"
          disabled={!allowed}
          loading={answer.isPending}
          onClick={() => begin("approve")}
          rightSection={keys && <Key>y</Key>}
        >
          {approval.people > 1 ? `Approve (${approval.votes.length + 1} of ${approval.people})` : "Approve"}
        </Button>
        <Button disabled={!allowed} onClick={() => begin("deny")} rightSection={keys && <Key>n</Key>}>
          Deny
        </Button>
        <Button disabled={!allowed} onClick={() => begin("edit")}>
          Edit and approve
        </Button>
        {refusal !== null && <span className={style.note}>{refusal}</span>}
        {refusal === null && isTyped(approval) && (
          <span className={style.note}>can’t be undone: a yes is typed out</span>
        )}
      </div>
      <div className={style.fault}>
        <Fault fault={answer.error} />
      </div>
      <Suspense fallback={null}>
        {asking !== null && (
          <AnswerDialog approval={approval} asking={asking} answered={answered} close={() => setAsking(null)} />
        )}
      </Suspense>
    </>
  );
}
