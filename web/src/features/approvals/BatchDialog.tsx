/** One answer to several low risks. Each is answered by itself: what is wrong with one leaves the others alone. */
import "@mantine/core/styles/Input.layer.css";
import { Button, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type SyntheticEvent, useState } from "react";
import { ask } from "../../api/client";
import type { Approval, BatchAnswer } from "../../api/shapes";
import { Dialog } from "../../ui/Dialog";
import { Fault } from "../../ui/Fault";
import form from "../../ui/Form.module.css";
import { RiskChip } from "../../ui/marks";
import { Plain } from "../../ui/Prose";
import { plural } from "../../ui/words";
import style from "./AnswerDialog.module.css";
import { refresh } from "./answering";

interface Props {
  readonly approvals: readonly Approval[];
  readonly verdict: "approve" | "deny";
  readonly close: () => void;
}

export default function BatchDialog({ approvals, verdict, close }: Props) {
  // What was chosen when it was opened: the list beneath goes on changing.
  const [chosen] = useState(approvals);
  const [why, setWhy] = useState("");
  const cache = useQueryClient();
  const answer = useMutation({
    mutationFn: () =>
      ask<BatchAnswer>("/v1/approvals/batch", {
        method: "POST",
        body: { ids: chosen.map((one) => one.approval_id), verdict, why: why.trim() },
      }),
    onSuccess: (answers) => {
      void refresh(cache);
      if (answers.items.every((item) => item.code === null)) close();
    },
  });
  const faults = (answer.data?.items ?? []).filter((item) => item.code !== null);
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    answer.mutate();
  };
  const questions = plural(chosen.length, "question");
  return (
    <Dialog close={close} title={verdict === "approve" ? `Approve ${questions}?` : `Deny ${questions}?`} size={520}>
      <form onSubmit={submit} className={form.form}>
        <ul className={style.list}>
          {chosen.map((one) => (
            <li key={one.approval_id} className={style.one}>
              <RiskChip risk={one.risk_level} always />
              <span>
                <Plain text={one.summary || one.tool} />
              </span>
            </li>
          ))}
        </ul>
        {faults.length === 0 ? (
          <TextInput
            label={verdict === "deny" ? "Why not" : "Why"}
            description={verdict === "deny" ? "The agents are told." : "Kept with each answer."}
            value={why}
            onChange={(event) => setWhy(event.currentTarget.value)}
            data-autofocus
          />
        ) : (
          <ul className="tone-fail">
            {faults.map((item) => (
              <li key={item.approval_id}>
                <Plain text={chosen.find((one) => one.approval_id === item.approval_id)?.summary ?? item.approval_id} />
                : {item.detail}
              </li>
            ))}
          </ul>
        )}
        <Fault fault={answer.error} />
        <div className={form.buttons}>
          <Button onClick={close}>{faults.length > 0 ? "Close" : "Not now"}</Button>
          {faults.length === 0 && (
            <Button
              type="submit"
              variant="filled"
              disabled={verdict === "deny" && why.trim() === ""}
              loading={answer.isPending}
            >
              {verdict === "approve" ? "Approve them" : "Deny them"}
            </Button>
          )}
        </div>
      </form>
    </Dialog>
  );
}
