/** Writes a policy: checked while one types, tried on the calls of the last days, kept with a reason. */
import "@mantine/core/styles/Input.layer.css";
import { Button, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type SyntheticEvent, useEffect, useState } from "react";
import { ask } from "../../api/client";
import { isProblem } from "../../api/problems";
import type { Findings, KeptPolicy, Policy } from "../../api/shapes";
import { Fault } from "../../ui/Fault";
import form from "../../ui/Form.module.css";
import { Told } from "../../ui/Told";
import { plural } from "../../ui/words";
import { Cedar } from "./Cedar";
import style from "./Policy.module.css";
import { SimulationPanel } from "./SimulationPanel";

const BEGIN = `@ask("Why a person is asked.")
forbid (principal, action == Action::"TOOL", resource)
when { context.arguments.amount > 100 }
unless { context.approved };
`;

interface Props {
  /** Null where it is a new one. */
  readonly kept: Policy | null;
  readonly done: (name: string) => void;
  readonly leave: () => void;
}

export function Editor({ kept, done, leave }: Props) {
  const [name, setName] = useState(kept?.name ?? "");
  const [text, setText] = useState(kept?.text ?? BEGIN);
  const [why, setWhy] = useState("");
  const [simulating, setSimulating] = useState(false);
  const cache = useQueryClient();
  const settled = useSettled(text, 350);
  const check = useQuery({
    queryKey: ["policies", "check", settled],
    queryFn: ({ signal }) =>
      ask<Findings>("/v1/policies/check", {
        method: "POST",
        body: { text: settled, name: kept?.name ?? "policy" },
        signal,
      }),
    enabled: settled.trim() !== "",
    placeholderData: (before) => before,
    retry: false,
    gcTime: 10_000,
  });
  const save = useMutation({
    mutationFn: () =>
      ask<KeptPolicy>(`/v1/policies/${name.trim()}`, {
        method: "PUT",
        body: { text, why: why.trim() },
        ifMatch: kept?.etag,
      }),
    onSuccess: async (saved) => {
      await cache.invalidateQueries({ queryKey: ["policies"] });
      done(saved.name);
    },
  });
  const findings = check.data?.findings ?? [];
  const errors = findings.filter((finding) => !finding.warning).length;
  const fresh = settled === text && !check.isPlaceholderData && check.data !== undefined;
  const ready = errors === 0 && fresh;
  const complete = ready && /^[a-z0-9][a-z0-9-]{0,62}$/.test(name.trim()) && why.trim() !== "" && text !== kept?.text;
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <form className={form.form} onSubmit={submit}>
      <div className={style.title}>
        <h2>{kept === null ? "New policy" : `Edit ${kept.name}`}</h2>
        {kept !== null && <span className="muted">from version {kept.version}</span>}
      </div>
      {kept === null && (
        <TextInput
          label="Name"
          description="Small letters, digits and dashes."
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          autoFocus
        />
      )}
      <label className={form.field}>
        <span className={form.name}>Text, in Cedar</span>
        <textarea
          className={form.code}
          rows={Math.min(26, Math.max(8, text.split("\n").length + 1))}
          value={text}
          onChange={(event) => {
            setText(event.currentTarget.value);
            setSimulating(false);
          }}
          spellCheck={false}
          aria-invalid={errors > 0}
          aria-describedby="found"
        />
      </label>
      <Found check={check} text={settled} errors={errors} fresh={fresh} />
      {simulating && <SimulationPanel name={name.trim() === "" ? "policy" : name.trim()} text={text} />}
      <TextInput
        label="Why"
        description="Kept with this version, for whoever reads it later."
        value={why}
        onChange={(event) => setWhy(event.currentTarget.value)}
      />
      <Fault fault={save.error} />
      {isProblem(save.error, 412) && (
        <p className="tone-stop">
          Somebody has saved another version meanwhile. Copy your text, leave, and begin from theirs.
        </p>
      )}
      <div className={form.buttons}>
        <Button className={form.left} onClick={leave}>
          Leave it
        </Button>
        <Button disabled={!ready} onClick={() => setSimulating(true)}>
          Try it on past calls
        </Button>
        <Button type="submit" variant="filled" disabled={!complete} loading={save.isPending}>
          Put in force
        </Button>
      </div>
    </form>
  );
}

interface FoundProps {
  readonly check: { readonly data: Findings | undefined; readonly error: Error | null };
  readonly text: string;
  readonly errors: number;
  readonly fresh: boolean;
}

/** What is wrong, beside its line; else what the text comes to, in words. */
function Found({ check, text, errors, fresh }: FoundProps) {
  const { findings, says } = check.data ?? { findings: [], says: [] };
  return (
    <div id="found" role="status" aria-live="polite">
      <Fault fault={check.error} />
      {findings.length > 0 ? (
        <>
          <p className={errors > 0 ? "tone-fail" : "tone-stop"}>
            {errors > 0 ? plural(errors, "error") : plural(findings.length, "warning")}, beside the line:
          </p>
          <Cedar text={text} findings={findings} label="Text with what was found" />
        </>
      ) : (
        check.data !== undefined && (
          <>
            <p className="muted">{fresh ? "It can be put in force. It says:" : "Checking…"}</p>
            <ul className={style.says}>
              {says.map((said) => (
                <li key={said}>
                  <Told text={said} />
                </li>
              ))}
            </ul>
          </>
        )
      )}
    </div>
  );
}

/** The latest value, once it has not changed for so long. */
function useSettled(value: string, ms: number): string {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return settled;
}
