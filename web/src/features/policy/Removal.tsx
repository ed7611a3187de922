/** Puts a policy out of force, with a reason; its history stays. */
import "@mantine/core/styles/Input.layer.css";
import { Button, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { type SyntheticEvent, useState } from "react";
import { ask } from "../../api/client";
import type { Policy } from "../../api/shapes";
import { Dialog } from "../../ui/Dialog";
import { Fault } from "../../ui/Fault";
import form from "../../ui/Form.module.css";

const route = getRouteApi("/inside/policy");

export function Removal({ policy, close }: { readonly policy: Policy; readonly close: () => void }) {
  const [why, setWhy] = useState("");
  const cache = useQueryClient();
  const navigate = route.useNavigate();
  const remove = useMutation({
    mutationFn: () =>
      ask(`/v1/policies/${policy.name}`, { method: "DELETE", params: { why: why.trim() }, ifMatch: policy.etag }),
    onSuccess: async () => {
      close();
      await navigate({ search: (before) => ({ ...before, name: undefined }), replace: true });
      cache.removeQueries({ queryKey: ["policies", "one", policy.name] });
      await cache.invalidateQueries({ queryKey: ["policies"] });
    },
  });
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    remove.mutate();
  };
  return (
    <Dialog close={close} title={`Remove ${policy.name}?`} size={460}>
      <form onSubmit={submit} className={form.form}>
        <p className={form.text}>What it forbids or asks about is allowed again wherever releases grant it, at once.</p>
        <TextInput label="Why" value={why} onChange={(event) => setWhy(event.currentTarget.value)} data-autofocus />
        <Fault fault={remove.error} />
        <div className={form.buttons}>
          <Button onClick={close}>Leave it</Button>
          <Button type="submit" variant="filled" data-danger disabled={why.trim() === ""} loading={remove.isPending}>
            Remove it
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
