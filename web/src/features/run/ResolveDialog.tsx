/** A person says what became of an effect that nobody knows: never by a slip, so the tool's name is typed. */
import { Button, Modal, Select, Textarea, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type SyntheticEvent, useState } from "react";
import { ask } from "../../api/client";
import { eventQuery, traceQuery } from "../../api/queries";
import type { EffectRow, Run } from "../../api/shapes";
import { Fault } from "../../ui/Fault";
import { Json } from "../../ui/Json";
import { useNow } from "../../ui/now";
import { clock, spaced } from "../../ui/words";
import style from "./Dialog.module.css";

type Outcome = "happened" | "did_not_happen";

interface Props {
  readonly run: Run;
  readonly effects: readonly EffectRow[];
  readonly close: () => void;
}

export default function ResolveDialog({ run, effects, close }: Props) {
  const [call, setCall] = useState(effects[0]?.call ?? "");
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const [result, setResult] = useState("");
  const [why, setWhy] = useState("");
  const [typed, setTyped] = useState("");
  const cache = useQueryClient();
  const now = useNow(false);
  const effect = effects.find((each) => each.call === call) ?? effects[0];
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
  if (effect === undefined) return null;
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    resolve.mutate();
  };
  return (
    <Modal
      opened
      onClose={close}
      title="What became of this call?"
      size={520}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <form onSubmit={submit} className={style.form}>
        {effects.length > 1 && (
          <Select
            label="Call"
            data={effects.map((each) => ({
              value: each.call,
              label: `${each.tool}, ${clock(each.intended_at, now)}`,
            }))}
            value={call}
            onChange={(value) => setCall(value ?? call)}
            allowDeselect={false}
          />
        )}
        <Asked run={run} effect={effect} />
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
              Type <span className={style.confirm}>{effect.tool}</span> to confirm
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
            disabled={outcome === null || typed.trim() !== effect.tool}
            loading={resolve.isPending}
          >
            {outcome === "did_not_happen" ? "It did not take place" : "It took place"}
          </Button>
        </div>
      </form>
    </Modal>
  );
}

/** The call as it was sent, so that one can look it up. */
function Asked({ run, effect }: { readonly run: Run; readonly effect: EffectRow }) {
  const now = useNow(false);
  const trace = useQuery(traceQuery(run.run_id)).data;
  const seq = trace?.spans.find((span) => span.attributes.call === effect.call)?.seq;
  const event = useQuery({ ...eventQuery(run.run_id, seq ?? 0), enabled: seq !== undefined }).data;
  return (
    <div className={style.call}>
      <strong>{effect.tool}</strong>{" "}
      <span className="muted">
        {spaced(effect.effect)}, sent {clock(effect.intended_at, now)}
      </span>
      {event?.data.arguments !== undefined && <Json value={event.data.arguments} what="arguments" />}
    </div>
  );
}
