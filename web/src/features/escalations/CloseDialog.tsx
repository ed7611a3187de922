/** Says what came of a conversation; the note stays with the run. */
import "@mantine/core/styles/Input.layer.css";
import { Button, Textarea } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type SyntheticEvent, useState } from "react";
import { ask } from "../../api/client";
import type { Escalation } from "../../api/shapes";
import { Dialog } from "../../ui/Dialog";
import { Fault } from "../../ui/Fault";
import form from "../../ui/Form.module.css";

export function CloseDialog({ escalation, close }: { readonly escalation: Escalation; readonly close: () => void }) {
  const [note, setNote] = useState("");
  const cache = useQueryClient();
  const act = useMutation({
    mutationFn: () =>
      ask(`/v1/escalations/${escalation.escalation_id}/close`, { method: "POST", body: { note: note.trim() } }),
    onSuccess: async () => {
      close();
      await cache.invalidateQueries({ queryKey: ["escalations"] });
    },
  });
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    act.mutate();
  };
  return (
    <Dialog close={close} title="Close this escalation" size={460}>
      <form onSubmit={submit} className={form.form}>
        <Textarea
          label="What came of it"
          description="For whoever reads the run later."
          value={note}
          onChange={(event) => setNote(event.currentTarget.value)}
          rows={4}
          data-autofocus
        />
        <Fault fault={act.error} />
        <div className={form.buttons}>
          <Button onClick={close}>Not yet</Button>
          <Button type="submit" variant="filled" disabled={note.trim() === ""} loading={act.isPending}>
            Close it
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
