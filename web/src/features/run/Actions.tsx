/** What one can do about a run: cancel it, send it back, say what became of an effect, pass on a link. */
import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { lazy, Suspense, useState } from "react";
import { sessionQuery } from "../../api/queries";
import type { WholeRun } from "../../api/shapes";
import { useKeys } from "../../shell/keys";
import { CopyButton } from "../../ui/Copy";
import { Icon } from "../../ui/Icon";
import { STANDINGS } from "../../ui/words";
import { may } from "../sessions/rules";
import { linkTo } from "./links";
import style from "./Actions.module.css";

const ControlDialog = lazy(() => import("./ControlDialog"));
const ResolveDialog = lazy(() => import("./ResolveDialog"));

interface Props {
  readonly run: WholeRun;
  readonly span: string | null;
}

type Open = "cancel" | "retry" | "resolve" | null;

export function Actions({ run, span }: Props) {
  const [open, setOpen] = useState<Open>(null);
  const { data: session } = useQuery(sessionQuery);
  const allowed = session != null && may(session, "operator", "caller");
  const { ended } = STANDINGS[run.status];
  const doubts = run.unknown_outcomes;
  const question = run.pending_approvals[0];
  const navigate = useNavigate();
  const canCancel = !ended && run.status !== "cancelling";
  const canRetry = ended && run.status !== "succeeded";
  const close = (): void => setOpen(null);
  useKeys([
    ...(allowed && canCancel
      ? [{ keys: "X", words: "Cancel the run", group: "Run", act: () => setOpen("cancel") }]
      : []),
    ...(question !== undefined
      ? [
          {
            keys: "a",
            words: "Answer what it asks",
            group: "Run",
            act: () => void navigate({ to: "/approvals", search: { id: question.approval_id } }),
          },
        ]
      : []),
    ...(allowed && canRetry ? [{ keys: "R", words: "Retry the run", group: "Run", act: () => setOpen("retry") }] : []),
    ...(allowed && doubts.length > 0
      ? [{ keys: "o", words: "Say what happened", group: "Run", act: () => setOpen("resolve") }]
      : []),
  ]);
  return (
    <div className={style.actions}>
      <CopyButton text={() => linkTo(span)} what="link" icon="link" />
      <div
        className={style.actions}
        title={allowed ? undefined : "Your key may look, not steer: that takes the role operator"}
      >
        {canRetry && (
          <Button disabled={!allowed} leftSection={<Icon name="retry" size={13} />} onClick={() => setOpen("retry")}>
            Retry
          </Button>
        )}
        {canCancel && (
          <Button disabled={!allowed} leftSection={<Icon name="stop" size={12} />} onClick={() => setOpen("cancel")}>
            Cancel
          </Button>
        )}
        {question !== undefined && (
          <Button
            variant="filled"
            leftSection={<Icon name="approval" size={13} />}
            renderRoot={(props) => <Link to="/approvals" search={{ id: question.approval_id }} {...props} />}
          >
            {run.pending_approvals.length > 1 ? `Answer ${run.pending_approvals.length} questions` : "Answer"}
          </Button>
        )}
        {doubts.length > 0 && (
          <Button variant="filled" disabled={!allowed} onClick={() => setOpen("resolve")}>
            Say what happened
          </Button>
        )}
      </div>
      <Suspense fallback={null}>
        {(open === "cancel" || open === "retry") && <ControlDialog run={run} verb={open} close={close} />}
        {open === "resolve" && <ResolveDialog run={run} doubts={doubts} close={close} />}
      </Suspense>
    </div>
  );
}
