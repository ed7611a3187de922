/** A person says what became of an effect that nobody knows: never by a slip, so the tool's name is typed. */
import "@mantine/core/styles/Input.layer.css";
import "@mantine/core/styles/Popover.layer.css";
import "@mantine/core/styles/ScrollArea.layer.css";
import "@mantine/core/styles/Combobox.layer.css";
import { Button, Select, Textarea, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type SyntheticEvent, useState } from "react";
import { ask } from "../../api/client";
import type { Doubt, WholeRun } from "../../api/shapes";
import { Dialog } from "../../ui/Dialog";
import { Fault } from "../../ui/Fault";
import { Json } from "../../ui/Json";
import { useNow } from "../../ui/now";
import { gist } from "../../ui/prose";
import { clock } from "../../ui/words";
import style from "./Dialog.module.css";

type Outcome = "happened" | "did_not_happen";

interface Props {
  readonly run: WholeRun;
  readonly doubts: readonly Doubt[];
  readonly close: () => void;
}

export default function ResolveDialog({ run, doubts, close }: Props) {
  const [call, setCall] = useState(doubts[0]?.call ?? "");
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const [result, setResult] = useState("");
  const [why, setWhy] = useState("");
  const [typed, setTyped] = useState("");
  const cache = useQueryClient();
  const now = useNow();
  const doubt = doubts.find((each) => each.call === call) ?? doubts[0];
  const resolve = useMutation({
    mutationFn: () =>
      ask(`/v1/runs/${run.run_id}/outcome`, {
        method: "POST",
        body: {
          call,
          outcome,
          ...(outcome === "happened" && result.trim() !== "" ? { result: result.trim() } : {}),
          ...(why.trim() === "" ? {} : { why: why.trim() }),
        },
      }),
    onSuccess: async () => {
      close();
      await Promise.all([
        cache.invalidateQueries({ queryKey: ["run", run.run_id] }),
        cache.invalidateQueries({ queryKey: ["runs"] }),
      ]);
    },
  });
  if (doubt === undefined) return null;
  const early = now < doubt.ask_after;
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    resolve.mutate();
  };
  return (
    <Dialog close={close} title="What became of this call?" size={520}>
      <form onSubmit={submit} className={style.form}>
        {doubts.length > 1 && (
          <Select
            label="Call"
            data={doubts.map((each) => ({
              value: each.call,
              label: `${each.tool} ${gist(each.arguments, 60)}`,
            }))}
            value={call}
            onChange={(value) => setCall(value ?? call)}
            allowDeselect={false}
          />
        )}
        <Asked doubt={doubt} early={early} />
        <fieldset className={style.choices}>
          <legend>In the other system I found that it</legend>
          <label className={style.choice}>
            <input
              type="radio"
              name="outcome"
              checked={outcome === "happened"}
              onChange={() => setOutcome("happened")}
              data-autofocus
            />
            <span>
              took place
              <small>The run goes on with the result below.</small>
            </span>
          </label>
          <label className={style.choice}>
            <input
              type="radio"
              name="outcome"
              checked={outcome === "did_not_happen"}
              onChange={() => setOutcome("did_not_happen")}
            />
            <span>
              did not take place
              <small>The model is told so, and may ask for it again.</small>
            </span>
          </label>
        </fieldset>
        {outcome === "happened" && (
          <Textarea
            label="Result"
            description="What the tool would have answered; the model reads it."
            value={result}
            onChange={(event) => setResult(event.currentTarget.value)}
            rows={3}
          />
        )}
        <TextInput label="How you know" value={why} onChange={(event) => setWhy(event.currentTarget.value)} />
        <TextInput
          label={
            <>
              Type <span className={style.confirm}>{doubt.tool}</span> to confirm
            </>
          }
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
          autoComplete="off"
          spellCheck={false}
        />
        <Fault fault={resolve.error} />
        <div className={style.buttons}>
          <Button onClick={close}>Not now</Button>
          <Button
            type="submit"
            variant="filled"
            disabled={early || outcome === null || typed.trim() !== doubt.tool}
            loading={resolve.isPending}
          >
            {outcome === "did_not_happen" ? "It did not take place" : "It took place"}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** The call as it was sent, so that one can look it up. */
function Asked({ doubt, early }: { readonly doubt: Doubt; readonly early: boolean }) {
  return (
    <div className={style.call}>
      <strong>{doubt.tool}</strong>
      <Json value={doubt.arguments} what="arguments" />
      {early && (
        <p className="tone-wait">
          It could still be sent until {clock(new Date(doubt.ask_after).toISOString(), doubt.ask_after)}; nobody can
          know before then.
        </p>
      )}
    </div>
  );
}
