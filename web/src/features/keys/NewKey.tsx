/** Makes a key and shows its secret, once. */
import "@mantine/core/styles/Input.layer.css";
import "@mantine/core/styles/Popover.layer.css";
import "@mantine/core/styles/ScrollArea.layer.css";
import "@mantine/core/styles/Combobox.layer.css";
import { Button, Select, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type SyntheticEvent, useState } from "react";
import { ask } from "../../api/client";
import { keysQuery } from "../../api/queries";
import type { IssuedKey, Role } from "../../api/shapes";
import { Command } from "../../ui/Empty";
import { Dialog } from "../../ui/Dialog";
import { Fault } from "../../ui/Fault";
import style from "./Keys.module.css";

const ROLES: readonly (readonly [Role, string])[] = [
  ["caller", "submits runs and reads its own"],
  ["operator", "steers runs: cancel, retry, outcomes"],
  ["developer", "registers agents, reads all"],
  ["reviewer", "answers approvals"],
  ["auditor", "reads all, changes nothing"],
  ["owner", "may do everything, keys included"],
];

const DAY = 86_400;
const LIFETIMES = [
  { value: String(30 * DAY), label: "30 days" },
  { value: String(90 * DAY), label: "90 days" },
  { value: String(365 * DAY), label: "a year" },
  { value: "", label: "until revoked" },
];

export default function NewKey({ close }: { readonly close: () => void }) {
  const [name, setName] = useState("");
  const [roles, setRoles] = useState<readonly Role[]>(["caller"]);
  const [lifetime, setLifetime] = useState(LIFETIMES[1]?.value ?? "");
  const [asserts, setAsserts] = useState(false);
  const cache = useQueryClient();
  const issue = useMutation({
    mutationFn: () =>
      ask<IssuedKey>("/v1/keys", {
        method: "POST",
        body: {
          name: name.trim(),
          roles,
          may_assert_user: asserts,
          ...(lifetime === "" ? {} : { expires_in_s: Number(lifetime) }),
        },
      }),
    onSuccess: () => cache.invalidateQueries({ queryKey: keysQuery.queryKey }),
  });
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    issue.mutate();
  };
  const toggle = (role: Role): void =>
    setRoles(roles.includes(role) ? roles.filter((each) => each !== role) : [...roles, role]);
  const secret = issue.data?.secret ?? null;

  if (secret !== null) {
    return (
      <Dialog close={close} title="Copy the key now" size={520} closeBeside={false}>
        <div className={style.form}>
          <p>It is shown this once and kept nowhere: whoever holds it is {name}.</p>
          <Command text={secret} />
          <div className={style.buttons}>
            <Button variant="filled" onClick={close}>
              I have it
            </Button>
          </div>
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog close={close} title="New key" size={460}>
      <form className={style.form} onSubmit={submit}>
        <TextInput
          label="Name"
          description="Who or what holds it; runs are logged under it."
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          required
          withAsterisk={false}
          data-autofocus
        />
        <fieldset className={style.roles}>
          <legend>Roles</legend>
          {ROLES.map(([role, words]) => (
            <label key={role} className={style.role}>
              <input type="checkbox" checked={roles.includes(role)} onChange={() => toggle(role)} />
              <span>
                {role} <small>{words}</small>
              </span>
            </label>
          ))}
        </fieldset>
        <label className={style.role}>
          <input type="checkbox" checked={asserts} onChange={(event) => setAsserts(event.currentTarget.checked)} />
          <span>
            may name its user <small>for a backend that acts for many people</small>
          </span>
        </label>
        <Select
          label="Lasts"
          data={LIFETIMES}
          value={lifetime}
          onChange={(value) => setLifetime(value ?? "")}
          allowDeselect={false}
        />
        <Fault fault={issue.error} />
        <div className={style.buttons}>
          <Button onClick={close}>Not now</Button>
          <Button
            type="submit"
            variant="filled"
            disabled={name.trim() === "" || roles.length === 0}
            loading={issue.isPending}
          >
            Make the key
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
