/** Asks before a run is cancelled or sent back, and says what that means for what it has done. */
import "@mantine/core/styles/Input.layer.css";
import { Button, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type SyntheticEvent, useState } from "react";
import { ask } from "../../api/client";
import type { Run } from "../../api/shapes";
import { Dialog } from "../../ui/Dialog";
import { Fault } from "../../ui/Fault";
import style from "./Dialog.module.css";

const WORDS = {
  cancel: {
    title: "Cancel this run?",
    text: "What is in flight is interrupted and accounted for; then the run ends with a handoff. Effects that took place stay.",
    verb: "Cancel the run",
    danger: true,
  },
  retry: {
    title: "Retry this run?",
    text: "It is queued again and goes on from its last checkpoint. Effects that took place stay and are not repeated.",
    verb: "Retry the run",
    danger: false,
  },
} as const;

interface Props {
  readonly run: Run;
  readonly verb: "cancel" | "retry";
  readonly close: () => void;
}

export default function ControlDialog({ run, verb, close }: Props) {
  const [why, setWhy] = useState("");
  const cache = useQueryClient();
  const words = WORDS[verb];
  const act = useMutation({
    mutationFn: () =>
      ask(`/v1/runs/${run.run_id}/${verb}`, { method: "POST", body: why.trim() === "" ? {} : { why: why.trim() } }),
    onSuccess: async () => {
      close();
      await Promise.all([
        cache.invalidateQueries({ queryKey: ["run", run.run_id] }),
        cache.invalidateQueries({ queryKey: ["runs"] }),
      ]);
    },
  });
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    act.mutate();
  };
  return (
    <Dialog close={close} title={words.title} size={440}>
      <form onSubmit={submit} className={style.form}>
        <p className={style.text}>{words.text}</p>
        <TextInput
          label="Why"
          description="Kept in the run's log, for whoever reads it later."
          value={why}
          onChange={(event) => setWhy(event.currentTarget.value)}
          data-autofocus
        />
        <Fault fault={act.error} />
        <div className={style.buttons}>
          <Button onClick={close}>Leave it</Button>
          <Button type="submit" variant="filled" data-danger={words.danger || undefined} loading={act.isPending}>
            {words.verb}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
