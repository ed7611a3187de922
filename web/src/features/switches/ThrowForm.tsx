/** Throws a switch. What it will hit is shown before one can confirm, and again whenever something is changed. */
import "@mantine/core/styles/Input.layer.css";
import "@mantine/core/styles/Popover.layer.css";
import "@mantine/core/styles/ScrollArea.layer.css";
import "@mantine/core/styles/Combobox.layer.css";
import { Autocomplete, Button, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type SyntheticEvent, useDeferredValue, useState } from "react";
import { actingIn, ask } from "../../api/client";
import { whoQuery } from "../../api/gate";
import { agentsQuery } from "../../api/queries";
import type { Action, Reach, Scope, Session, Switch } from "../../api/shapes";
import { Fault } from "../../ui/Fault";
import { Choice, type Option } from "../../ui/Field";
import form from "../../ui/Form.module.css";
import { Plain } from "../../ui/Prose";
import {
  ACTIONS,
  bodyOf,
  DRAFT,
  type Draft,
  drafted,
  fitting,
  hitsFlights,
  isPerAgent,
  reachInWords,
  SCOPES,
} from "./rules";
import style from "./Switches.module.css";

const LASTS: readonly Option<string>[] = [
  ["", "until somebody lifts it"],
  ["900", "15 minutes"],
  ["3600", "an hour"],
  ["14400", "4 hours"],
  ["86400", "a day"],
  ["604800", "a week"],
];

const LEVELS: readonly Option<string>[] = [
  ["suggest", "suggest: only reads are made"],
  ["ask_always", "ask always"],
  ["ask_when_risky", "ask when risky"],
];

interface Props {
  readonly session: Session;
  readonly begun: Partial<Draft>;
  readonly done: () => void;
  readonly back: () => void;
}

export function ThrowForm({ session, begun, done, back }: Props) {
  const [draft, setDraft] = useState<Draft>({ ...DRAFT, ...begun });
  const [why, setWhy] = useState("");
  const cache = useQueryClient();
  const here = session.tenant ?? actingIn();
  const body = bodyOf(draft, here);
  const change = (part: Partial<Draft>): void => setDraft((before) => drafted(before, part));
  const reach = useReach(body);
  const act = useMutation({
    mutationFn: () => ask<Switch>("/v1/switches", { method: "POST", body: { ...body, why: why.trim() } }),
    onSuccess: async () => {
      done();
      await Promise.all([
        cache.invalidateQueries({ queryKey: ["switches"] }),
        cache.invalidateQueries({ queryKey: ["runs"] }),
      ]);
    },
  });
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    act.mutate();
  };
  const scopes = (Object.keys(SCOPES) as Scope[])
    .filter((scope) => scope !== "everything" || session.admin)
    .map((scope): Option<Scope> => [scope, SCOPES[scope]]);
  return (
    <form className={form.form} onSubmit={submit}>
      <div className={form.pair}>
        <Choice label="What" value={draft.scope} options={scopes} choose={(scope) => change({ scope })} />
        <Target draft={draft} change={change} here={here} />
      </div>
      <div className={form.pair}>
        <Choice
          label="Do"
          value={draft.action}
          options={fitting(draft.scope).map((action): Option<Action> => [action, ACTIONS[action]])}
          choose={(action) => change({ action })}
        />
        <Value draft={draft} change={change} />
      </div>
      {hitsFlights(draft.action) && (
        <label className={form.check}>
          <input
            type="checkbox"
            checked={draft.cancel}
            onChange={(event) => change({ cancel: event.currentTarget.checked })}
          />
          <span>
            Cancel calls under way <small>else they may finish; each is accounted for either way</small>
          </span>
        </label>
      )}
      <div className={form.pair}>
        <Choice label="For how long" value={draft.lasts} options={LASTS} choose={(lasts) => change({ lasts })} />
        <TextInput
          label="Why"
          value={why}
          onChange={(event) => setWhy(event.currentTarget.value)}
          placeholder="Shown to everybody whom it hits"
          maxLength={1000}
        />
      </div>
      <Preview reach={reach} missing={body === null} />
      <Fault fault={act.error} />
      <div className={form.buttons}>
        <Button onClick={back} className={form.left}>
          Back
        </Button>
        <Button
          type="submit"
          variant="filled"
          data-danger
          disabled={body === null || reach.data === undefined || reach.stale || why.trim() === ""}
          loading={act.isPending}
        >
          Throw it
        </Button>
      </div>
    </form>
  );
}

interface Part {
  readonly draft: Draft;
  readonly change: (part: Partial<Draft>) => void;
}

function Target({ draft, change, here }: Part & { readonly here: string | null }) {
  const agents = useQuery(agentsQuery).data?.items ?? [];
  const who = useQuery({ ...whoQuery(undefined), enabled: draft.scope === "server", retry: false }).data ?? [];
  if (draft.scope === "everything") {
    return <p className={`${form.text} tone-fail`}>Every run of every tenant of this deployment.</p>;
  }
  if (draft.scope === "tenant")
    return <p className={form.text}>Every agent of {here ?? "the tenant that you look into"}.</p>;
  const known: Readonly<Record<string, readonly string[]>> = {
    tool: agents.flatMap((agent) => agent.tools),
    agent: agents.map((agent) => agent.name),
    model: agents.flatMap((agent) => [agent.model.id, `${agent.model.provider}/${agent.model.id}`]),
    server: who.map((line) => line.server),
  };
  return (
    <Autocomplete
      label="Which"
      value={draft.target}
      data={distinct(known[draft.scope] ?? []).filter((name) => name !== draft.target)}
      limit={50}
      onChange={(target) => change({ target })}
      data-autofocus
    />
  );
}

/** What the action needs beside its name, or for whom it is narrowed. */
function Value({ draft, change }: Part) {
  const agents = useQuery(agentsQuery).data?.items ?? [];
  if (draft.action === "cap_steps") {
    return (
      <TextInput
        label="Steps"
        inputMode="numeric"
        value={draft.steps}
        onChange={(event) => change({ steps: event.currentTarget.value })}
      />
    );
  }
  if (draft.action === "cap_budget") {
    return (
      <TextInput
        label="USD"
        inputMode="decimal"
        value={draft.budget}
        onChange={(event) => change({ budget: event.currentTarget.value })}
      />
    );
  }
  if (draft.action === "lower_autonomy") {
    return <Choice label="To" value={draft.level} options={LEVELS} choose={(level) => change({ level })} />;
  }
  if (draft.action === "switch_model") {
    const models = distinct(agents.map((agent) => agent.model.id));
    const providers = distinct(agents.map((agent) => agent.model.provider));
    return (
      <div className={form.pair}>
        <Autocomplete
          label="Connection"
          value={draft.provider}
          data={providers}
          onChange={(provider) => change({ provider })}
        />
        <Autocomplete label="Exact model" value={draft.model} data={models} onChange={(model) => change({ model })} />
      </div>
    );
  }
  if (!isPerAgent(draft.scope)) return null;
  const options: Option<string>[] = [
    ["", "whoever uses it"],
    ...agents.map(({ name }): Option<string> => [name, name]),
  ];
  return <Choice label="Only for" value={draft.agent} options={options} choose={(agent) => change({ agent })} />;
}

interface Asked {
  readonly data: Reach | undefined;
  readonly error: Error | null;
  /** What is shown was asked for a moment ago, about other words. */
  readonly stale: boolean;
}

function useReach(body: Record<string, unknown> | null): Asked {
  const latest = useDeferredValue(body === null ? "" : JSON.stringify(body));
  const present = body === null ? "" : JSON.stringify(body);
  const reach = useQuery({
    queryKey: ["switches", "preview", latest],
    queryFn: ({ signal }) =>
      ask<Reach>("/v1/switches/preview", { method: "POST", body: JSON.parse(latest) as unknown, signal }),
    enabled: latest !== "",
    retry: false,
    refetchInterval: 5_000,
    gcTime: 10_000,
  });
  return { data: latest === "" ? undefined : reach.data, error: reach.error, stale: latest !== present };
}

function Preview({ reach, missing }: { readonly reach: Asked; readonly missing: boolean }) {
  return (
    <section
      className={style.reach}
      aria-label="What it will hit"
      aria-live="polite"
      aria-busy={reach.data === undefined}
    >
      <h3>What it will hit</h3>
      {missing ? (
        <p className="muted">Say what and which: you will see here what it hits before you throw it.</p>
      ) : reach.error !== null ? (
        <Fault fault={reach.error} />
      ) : reach.data === undefined ? (
        <p className="muted">Looking…</p>
      ) : (
        <>
          <p>
            <strong>{reachInWords(reach.data)}</strong>
          </p>
          <Names words="Agents" names={reach.data.agents} />
          <Names words="Tools" names={reach.data.tools} />
        </>
      )}
    </section>
  );
}

function Names({ words, names }: { readonly words: string; readonly names: readonly string[] }) {
  if (names.length === 0) return null;
  return (
    <p className={style.names}>
      <span className="muted">{words}</span>
      {names.map((name) => (
        <code key={name}>
          <Plain text={name} />
        </code>
      ))}
    </p>
  );
}

function distinct(words: readonly string[]): string[] {
  return [...new Set(words)].sort();
}
