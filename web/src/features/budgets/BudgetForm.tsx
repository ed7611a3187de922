/** Sets a budget or changes one: judged while one types as the API will judge it, and filled in from measured use. */
import "@mantine/core/styles/Input.layer.css";
import { Button, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type SyntheticEvent, useState } from "react";
import { actingIn, ask, type Tagged } from "../../api/client";
import { isProblem } from "../../api/problems";
import type { Budget, BudgetScope, Session } from "../../api/shapes";
import { Dialog } from "../../ui/Dialog";
import { Fault } from "../../ui/Fault";
import { Choice, type Option } from "../../ui/Field";
import form from "../../ui/Form.module.css";
import style from "./Budgets.module.css";
import {
  bodyOf,
  DRAFT,
  type Draft,
  drafted,
  draftOf,
  durationsOf,
  type Field,
  faultsOf,
  isNamed,
  SCOPES,
} from "./rules";
import { Suggest } from "./Suggest";

interface Props {
  readonly session: Session | null;
  /** What is changed, with the version of it that one has seen; null where it is a new one. */
  readonly present: { readonly budget: Budget; readonly etag: Tagged<Budget>["etag"] } | null;
  /** Budgets that are there: a new one must not replace one of them unseen. */
  readonly taken: readonly Budget[];
  readonly close: () => void;
  readonly done: (saved: Budget) => void;
}

export default function BudgetForm({ session, present, taken, close, done }: Props) {
  const [draft, setDraft] = useState<Draft>(present === null ? DRAFT : draftOf(present.budget));
  const [tried, setTried] = useState(false);
  const deployment = session?.admin === true && actingIn() === null;
  const save = useSave(present?.etag ?? null, done);
  const faults = faultsOf(draft);
  const own = deployment ? "deployment" : "tenant";
  if (present === null && taken.some((budget) => budget.name === draft.name.trim() && budget.source === own))
    faults.name = "There is one of this name: open it to change it.";
  const change = (part: Partial<Draft>): void => setDraft((before) => drafted(before, part));
  // What nobody has typed yet is no mistake; once one has tried to save, all that is missing is.
  const said = (field: Field): string | undefined => {
    const typed = field === "limits" ? "" : draft[field];
    return tried || typed.trim() !== "" ? faults[field] : undefined;
  };
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    event.stopPropagation();
    setTried(true);
    if (Object.keys(faults).length === 0) save.mutate(draft);
  };
  const typed = (field: Exclude<keyof Draft, "scope" | "duration">) => ({
    value: draft[field],
    error: said(field),
    onChange: (event: React.ChangeEvent<HTMLInputElement>) => change({ [field]: event.currentTarget.value }),
  });
  return (
    <Dialog
      close={close}
      title={present === null ? "Set a budget" : `Change ${present.budget.name}`}
      size={560}
      closeBeside={false}
    >
      <form className={form.form} onSubmit={submit} noValidate>
        {present === null && (
          <TextInput label="Name" description="Small letters, digits and dashes." data-autofocus {...typed("name")} />
        )}
        <Whom draft={draft} change={change} deployment={deployment} typed={typed("target")} />
        <Suggest draft={draft} change={setDraft} />
        <fieldset className={style.limits} aria-describedby={said("limits") === undefined ? undefined : "limits-fault"}>
          <legend>Limits, at least one; 0 lets nothing through</legend>
          <div className={form.pair}>
            <TextInput label="US dollars" placeholder="12.50" inputMode="decimal" {...typed("usd")} />
            <Choice
              label="Counted for"
              value={draft.duration}
              options={durationsOf(draft.scope)}
              choose={(duration) => change({ duration })}
            />
          </div>
          <div className={style.three}>
            <TextInput label="Tokens" inputMode="numeric" {...typed("tokens")} />
            <TextInput
              label="Calls a minute"
              inputMode="numeric"
              disabled={draft.scope === "request"}
              {...typed("rpm")}
            />
            <TextInput
              label="Tokens a minute"
              inputMode="numeric"
              disabled={draft.scope === "request"}
              {...typed("tpm")}
            />
          </div>
          {said("limits") !== undefined && (
            <p id="limits-fault" className="tone-fail" role="alert">
              {said("limits")}
            </p>
          )}
        </fieldset>
        <div className={form.pair}>
          <TextInput label="Alert at, per cent" {...typed("alertAt")} />
          <TextInput label="Why" placeholder="For whoever runs into it" maxLength={500} {...typed("why")} />
        </div>
        <Fault fault={save.error} />
        {isProblem(save.error, 412) && (
          <p className="tone-stop">
            Somebody has changed it meanwhile. Close this, look at what it says now, and change it from there.
          </p>
        )}
        <div className={form.buttons}>
          <span className={`${form.left} muted`}>It holds for the very next call; what was spent stands.</span>
          <Button onClick={close}>Leave it</Button>
          <Button type="submit" variant="filled" loading={save.isPending}>
            {present === null ? "Set it" : "Change it"}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function useSave(etag: string | null, done: (saved: Budget) => void) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (draft: Draft) =>
      ask<Budget>(`/v1/budgets/${encodeURIComponent(draft.name.trim())}`, {
        method: "PUT",
        body: bodyOf(draft),
        ifMatch: etag,
      }),
    onSuccess: async (saved) => {
      await cache.invalidateQueries({ queryKey: ["budgets"] });
      done(saved);
    },
  });
}

interface WhomProps {
  readonly draft: Draft;
  readonly change: (part: Partial<Draft>) => void;
  readonly deployment: boolean;
  readonly typed: {
    readonly value: string;
    readonly error: string | undefined;
    readonly onChange: (event: React.ChangeEvent<HTMLInputElement>) => void;
  };
}

function Whom({ draft, change, deployment, typed }: WhomProps) {
  const scopes = (Object.keys(SCOPES) as BudgetScope[])
    .filter((scope) => scope !== "everything" || deployment)
    .map((scope): Option<BudgetScope> => [scope, deployment && scope === "tenant" ? "tenants" : SCOPES[scope]]);
  return (
    <div className={form.pair}>
      <Choice label="For" value={draft.scope} options={scopes} choose={(scope) => change({ scope })} />
      {isNamed(draft.scope, deployment) && (
        <TextInput
          label={`Which ${draft.scope}`}
          placeholder={`each ${draft.scope} by itself`}
          maxLength={300}
          {...typed}
        />
      )}
    </div>
  );
}
