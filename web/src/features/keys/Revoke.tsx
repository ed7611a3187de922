/** Ends a key for good, and says so before. */
import { Button } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { ask } from "../../api/client";
import { keysQuery } from "../../api/queries";
import type { ApiKey } from "../../api/shapes";
import { Dialog } from "../../ui/Dialog";
import { Fault } from "../../ui/Fault";
import style from "./Keys.module.css";

export default function Revoke({ issued, close }: { readonly issued: ApiKey; readonly close: () => void }) {
  const cache = useQueryClient();
  const revoke = useMutation({
    mutationFn: () => ask(`/v1/keys/${issued.id}`, { method: "DELETE" }),
    onSuccess: async () => {
      close();
      await cache.invalidateQueries({ queryKey: keysQuery.queryKey });
    },
  });
  return (
    <Dialog close={close} title={`Revoke ${issued.name}?`} size={420}>
      <div className={style.form}>
        <p>
          Requests with it are refused within seconds, and its sessions end. Runs that it submitted go on. This can't be
          undone.
        </p>
        <Fault fault={revoke.error} />
        <div className={style.buttons}>
          <Button onClick={close} data-autofocus>
            Leave it
          </Button>
          <Button variant="filled" data-danger onClick={() => revoke.mutate()} loading={revoke.isPending}>
            Revoke the key
          </Button>
        </div>
      </div>
    </Dialog>
  );
}
