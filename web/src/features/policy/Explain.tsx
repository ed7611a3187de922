/** Asks what policies say of a call that nobody makes: the verdict, who decided, and what they looked at. */
import "@mantine/core/styles/Input.layer.css";
import { Button, TextInput } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { type SyntheticEvent, useEffect, useState } from "react";
import { ask } from "../../api/client";
import { policiesQuery, releasePoliciesQuery, releaseQuery } from "../../api/gate";
import { agentsQuery } from "../../api/queries";
import type { Explanation } from "../../api/shapes";
import { Empty } from "../../ui/Empty";
import { Fault } from "../../ui/Fault";
import { Choice, type Option } from "../../ui/Field";
import form from "../../ui/Form.module.css";
import { Json } from "../../ui/Json";
import { pretty } from "../../ui/prose";
import { Plain } from "../../ui/Prose";
import { Told } from "../../ui/Told";
import { editedOf, leavesOf, ORIGINS } from "../approvals/rules";
import { Section } from "../run/Section";
import { Cedar } from "./Cedar";
import style from "./Policy.module.css";
import { grantedOf, LEVELS, levelInWords, policyTextOf, sampleOf } from "./rules";

const route = getRouteApi("/inside/policy");

const FROM: readonly Option<string>[] = ORIGINS.map((origin) => [origin, origin]);

export default function Explain() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const agents = useQuery(agentsQuery).data?.items ?? [];
  const agent = agents.find((each) => each.name === search.agent) ?? agents[0];
  const release = useQuery({ ...releaseQuery(agent?.release ?? ""), enabled: agent !== undefined });
  const tools = release.data === undefined ? [] : grantedOf(release.data);
  const tool = tools.find((each) => each.name === search.tool) ?? tools[0];
  const explain = useMutation({
    mutationFn: (question: object) => ask<Explanation>("/v1/policies/explain", { method: "POST", body: question }),
  });
  const choose = (name: "agent" | "tool", value: string): void => {
    explain.reset();
    void navigate({
      search: (before) => ({ ...before, ...(name === "agent" ? { tool: undefined } : {}), [name]: value }),
      replace: true,
    });
  };
  return (
    <div className={style.split}>
      <div className={style.left}>
        <div className={form.form}>
          <div className={form.pair}>
            <Choice
              label="Agent"
              value={agent?.name ?? ""}
              options={agents.map(({ name }): Option<string> => [name, name])}
              choose={(value) => choose("agent", value)}
            />
            <Choice
              label="Tool"
              value={tool?.name ?? ""}
              options={tools.map(({ name }): Option<string> => [name, name])}
              choose={(value) => choose("tool", value)}
            />
          </div>
          {agent !== undefined && tool !== undefined && (
            <Question
              key={`${agent.name} ${tool.name}`}
              sample={sampleOf(tool.parameters)}
              destinations={tool.destinations}
              asking={explain.isPending}
              ask={(question) => explain.mutate({ agent: agent.name, tool: tool.name, ...question })}
            />
          )}
        </div>
      </div>
      <section className={style.right} aria-label="Verdict" aria-live="polite">
        <Fault fault={explain.error} />
        {explain.data !== undefined ? (
          <Verdict said={explain.data} />
        ) : (
          explain.error === null && (
            <Empty
              icon="policy"
              title="Ask about a call that nobody makes"
              command="qd policy explain support-desk refund"
            >
              Nothing is called and nothing is kept. You see the verdict, each policy that decided, and what they saw.
            </Empty>
          )
        )}
      </section>
    </div>
  );
}

interface QuestionProps {
  readonly sample: Record<string, unknown>;
  readonly destinations: readonly string[];
  readonly asking: boolean;
  readonly ask: (question: Record<string, unknown>) => void;
}

function Question({ sample, destinations, asking, ask }: QuestionProps) {
  const [text, setText] = useState(() => pretty(sample));
  const [user, setUser] = useState("");
  const [roles, setRoles] = useState("");
  const [claims, setClaims] = useState("");
  const [autonomy, setAutonomy] = useState("");
  const [origins, setOrigins] = useState<Readonly<Record<string, string>>>({});
  const [tainted, setTainted] = useState(false);
  const [approved, setApproved] = useState(false);
  const edit = editedOf(text);
  const said = claims.trim() === "" ? { arguments: {} } : editedOf(claims);
  const paths = leavesOf(edit.arguments ?? {}).map((leaf) => leaf.path);
  const complete = edit.arguments !== undefined && said.arguments !== undefined;
  const put = (): void => {
    if (!complete) return;
    ask({
      arguments: edit.arguments,
      user: user.trim(),
      roles: roles.split(/[\s,]+/).filter((role) => role !== ""),
      claims: said.arguments,
      origins: Object.fromEntries(Object.entries(origins).filter(([path]) => paths.includes(path))),
      ...(autonomy === "" ? {} : { autonomy }),
      ...(tainted ? { tainted: true } : {}),
      approved,
    });
  };
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    put();
  };
  return (
    <form className={form.form} onSubmit={submit}>
      <label className={form.field}>
        <span className={form.name}>Arguments</span>
        <textarea
          className={form.code}
          rows={Math.min(14, Math.max(5, text.split("\n").length + 1))}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) put();
          }}
          spellCheck={false}
          aria-invalid={edit.fault !== undefined}
        />
        {edit.fault !== undefined && <span className={`${style.hint} tone-fail`}>{edit.fault}</span>}
      </label>
      {paths.length > 0 && (
        <fieldset className={style.origins}>
          <legend className={form.name}>Where each value comes from</legend>
          {paths.slice(0, 12).map((path) => (
            <label key={path} className={style.origin}>
              <code>
                <Plain text={path} />
              </code>
              {destinations.includes(path) && <span className="muted">destination</span>}
              <select
                className={form.select}
                value={origins[path] ?? "user"}
                onChange={(event) => setOrigins({ ...origins, [path]: event.currentTarget.value })}
              >
                {FROM.map(([value, words]) => (
                  <option key={value} value={value}>
                    {words}
                  </option>
                ))}
              </select>
            </label>
          ))}
        </fieldset>
      )}
      <div className={form.pair}>
        <TextInput label="For user" value={user} onChange={(event) => setUser(event.currentTarget.value)} />
        <TextInput
          label="With roles"
          placeholder="support, lead"
          value={roles}
          onChange={(event) => setRoles(event.currentTarget.value)}
        />
      </div>
      <div className={form.pair}>
        <Choice
          label="Autonomy"
          value={autonomy}
          options={[
            ["", "as the release allows"],
            ...LEVELS.map((level): Option<string> => [level, levelInWords(level)]),
          ]}
          choose={setAutonomy}
        />
        <TextInput
          label="Claims"
          placeholder='{ "region": "EU" }'
          value={claims}
          error={said.arguments === undefined ? said.fault : undefined}
          onChange={(event) => setClaims(event.currentTarget.value)}
        />
      </div>
      <div>
        <label className={form.check}>
          <input type="checkbox" checked={tainted} onChange={(event) => setTainted(event.currentTarget.checked)} />
          <span>
            Untrusted content was read <small>by the run before this call</small>
          </span>
        </label>
        <label className={form.check}>
          <input type="checkbox" checked={approved} onChange={(event) => setApproved(event.currentTarget.checked)} />
          <span>
            A person has approved it <small>so that nothing asks any more</small>
          </span>
        </label>
      </div>
      <div className={form.buttons}>
        <Button type="submit" variant="filled" disabled={!complete} loading={asking}>
          Explain
        </Button>
      </div>
    </form>
  );
}

const VERDICTS: Readonly<Record<string, readonly [string, string]>> = {
  allow: ["Allowed", ""],
  ask: ["A person is asked", "tone-wait"],
  deny: ["Denied", "tone-stop"],
};

function Verdict({ said }: { readonly said: Explanation }) {
  const own = useQuery({ ...policiesQuery, retry: false });
  const release = useQuery({ ...releasePoliciesQuery(said.release), retry: false });
  const [words, tone] = VERDICTS[said.verdict] ?? [said.verdict, "tone-stop"];
  useEffect(() => {
    document.getElementById("verdict")?.scrollIntoView({ block: "nearest" });
  }, [said]);
  return (
    <>
      <p id="verdict" className={style.verdict}>
        <strong className={tone}>{words}</strong>
        {said.reason !== "" && (
          <span>
            <Plain text={said.reason} />
          </span>
        )}
      </p>
      {said.errors.length > 0 && (
        <Section name="Errors, each of which denies" tone="fail">
          {said.errors.map((error) => (
            <p key={error}>
              <Plain text={error} />
            </p>
          ))}
        </Section>
      )}
      <Section name={said.policies.length === 0 ? "No policy spoke: what is not granted is denied" : "Decided by"}>
        <ul className={style.conditions}>
          {said.policies.map((policy) => {
            const found = policyTextOf(policy.id, release.data?.texts ?? [], own.data?.items ?? []);
            return (
              <li key={policy.id}>
                <code>{policy.id}</code>
                {policy.says !== "" && (
                  <p>
                    <Told text={policy.says} />
                  </p>
                )}
                {found !== null && found.text !== "" && <Cedar text={found.text} numbered={false} />}
              </li>
            );
          })}
        </ul>
      </Section>
      <Section name="What they saw" beside={<code className="muted">{said.release.slice(0, 12)}</code>}>
        <Json value={said.context} what="context" />
      </Section>
    </>
  );
}
