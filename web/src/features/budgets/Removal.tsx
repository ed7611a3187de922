/** Takes a budget away. What others say of the same thing still holds, and what was spent stays on record. */
import { Button } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { ask } from "../../api/client";
import { isProblem } from "../../api/problems";
import type { Budget } from "../../api/shapes";
import { Dialog } from "../../ui/Dialog";
import { Fault } from "../../ui/Fault";
import form from "../../ui/Form.module.css";
import { limitsInWords, whoInWords } from "./rules";

interface Props {
  readonly budget: Budget;
  readonly etag: string | null;
  readonly close: () => void;
  readonly done: () => void;
}

export default function Removal({ budget, etag, close, done }: Props) {
  const cache = useQueryClient();
  const remove = useMutation({
    mutationFn: () => ask(`/v1/budgets/${encodeURIComponent(budget.name)}`, { method: "DELETE", ifMatch: etag }),
    onSuccess: async () => {
      done();
      await cache.invalidateQueries({ queryKey: ["budgets", "list"] });
    },
  });
  return (
    <Dialog close={close} title={`Remove ${budget.name}?`} size={460}>
      <form
        className={form.form}
        onSubmit={(event) => {
          event.preventDefault();
          remove.mutate();
        }}
      >
        <p className={form.text}>
          {whoInWords(budget)} may then spend more than {limitsInWords(budget).join(", ")}, from the very next call on.
          What releases and the deployment say still holds.
        </p>
        <Fault fault={remove.error} />
        {isProblem(remove.error, 412) && (
          <p className="tone-stop">Somebody has changed it meanwhile. Close this and look at what it says now.</p>
        )}
        <div className={form.buttons}>
          <Button onClick={close} data-autofocus>
            Leave it
          </Button>
          <Button type="submit" variant="filled" data-danger loading={remove.isPending}>
            Remove it
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
