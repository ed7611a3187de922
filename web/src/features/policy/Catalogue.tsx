/** Every tool that an agent of this tenant is granted: how risky, how far by itself, to where, with which secrets. */
import { useQueries, useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { Fragment, useState } from "react";
import { autonomyQuery, ratesQuery, releaseQuery } from "../../api/gate";
import { agentsQuery } from "../../api/queries";
import type { Agent, AutonomyLine, RatePage } from "../../api/shapes";
import { Bones, Empty, Trouble } from "../../ui/Empty";
import { Filter, type Option } from "../../ui/Field";
import { Icon } from "../../ui/Icon";
import { Json } from "../../ui/Json";
import { Chip, RiskChip } from "../../ui/marks";
import page from "../../ui/Page.module.css";
import { Plain, Prose } from "../../ui/Prose";
import { count, riskOf, spaced } from "../../ui/words";
import { Pairs, Section } from "../run/Section";
import { openSwitches } from "../switches/panel";
import { LevelPanel } from "./LevelPanel";
import style from "./Policy.module.css";
import { type Granted, grantedOf, levelInWords, rateInWords } from "./rules";

const route = getRouteApi("/inside/policy");

interface Line {
  readonly agent: Agent;
  readonly tool: Granted;
}

export function Catalogue() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const agents = useQuery(agentsQuery);
  const listed = agents.data?.items ?? [];
  const releases = useQueries({ queries: listed.map((agent) => releaseQuery(agent.release)) });
  const levels = useQuery({ ...autonomyQuery, refetchInterval: 10_000 });
  const rates = useQuery({ ...ratesQuery, retry: false });
  if (agents.data === undefined) {
    if (agents.error === null) return <Bones rows={10} />;
    return <Trouble fault={agents.error} what="the tools of this tenant" retry={() => void agents.refetch()} />;
  }
  if (listed.length === 0) {
    return (
      <Empty icon="tool" title="No agent, and so no tool" command="qd agent register ./my-agent">
        Tools are granted by an agent’s release; nothing else can be called.
      </Empty>
    );
  }
  const fault = releases.find((release) => release.error !== null)?.error;
  const lines = listed
    .flatMap((agent, at) => {
      const release = releases[at]?.data;
      return release === undefined ? [] : grantedOf(release).map((tool): Line => ({ agent, tool }));
    })
    .filter(
      ({ agent, tool }) =>
        (search.agent === undefined || agent.name === search.agent) &&
        (search.tool === undefined || tool.name === search.tool),
    );
  const choose = (name: "agent" | "tool", value: string): void =>
    void navigate({ search: (before) => ({ ...before, [name]: value === "" ? undefined : value }), replace: true });
  const names = [...new Set(listed.flatMap((agent) => agent.tools))].sort();
  return (
    <div className={page.body}>
      <div className={style.bar}>
        <Filter
          label="Agent"
          value={search.agent ?? ""}
          options={[["", "Any agent"], ...listed.map(({ name }): Option<string> => [name, name])]}
          choose={(value) => choose("agent", value)}
        />
        <Filter
          label="Tool"
          value={search.tool ?? ""}
          options={[["", "Any tool"], ...names.map((name): Option<string> => [name, name])]}
          choose={(value) => choose("tool", value)}
        />
        <span className={style.gap} />
        <TenantRates rates={rates.data ?? []} />
      </div>
      {fault != null && <Trouble fault={fault} what="what the releases grant" />}
      {fault == null && releases.some((release) => release.isPending) && <Bones rows={4} />}
      {lines.length === 0 ? (
        releases.every((release) => release.isSuccess) && (
          <NoTool filtered={search.agent !== undefined || search.tool !== undefined} />
        )
      ) : (
        <Table lines={lines} levels={levels.data ?? []} />
      )}
    </div>
  );
}

function NoTool({ filtered }: { readonly filtered: boolean }) {
  if (filtered) return <Empty icon="filter" title="No tool fits" />;
  return (
    <Empty icon="tool" title="No tool is granted">
      These agents can only talk. Grant a tool in agent.yaml, under `tools`, and register the agent again.
    </Empty>
  );
}

function TenantRates({ rates }: { readonly rates: RatePage["items"] }) {
  if (rates.length === 0) return null;
  return (
    <span className="muted">
      Tenant’s limits:{" "}
      {rates
        .map((rate) =>
          [
            rate.target === "*" ? `each ${rate.scope}` : `${rate.scope} ${rate.target}`,
            rate.calls === null ? "" : rateInWords({ calls: rate.calls, seconds: rate.every ?? 0 }),
            rate.concurrency === null ? "" : `${rate.concurrency} at once`,
          ]
            .filter((each) => each !== "")
            .join(" "),
        )
        .join("; ")}
    </span>
  );
}

function Table({ lines, levels }: { readonly lines: readonly Line[]; readonly levels: readonly AutonomyLine[] }) {
  const [open, setOpen] = useState<string | null>(null);
  return (
    <table className={page.table}>
      <thead>
        <tr>
          <th>Tool</th>
          <th>Risk</th>
          <th>Effect</th>
          <th>Autonomy</th>
          <th>Answers</th>
          <th>Repeat</th>
          <th>Goes to</th>
          <th>Secrets</th>
          <th>Limits</th>
          <th>Server</th>
        </tr>
      </thead>
      <tbody>
        {lines.map(({ agent, tool }, at) => {
          const id = `${agent.name} ${tool.name}`;
          const level = levels.find((each) => each.agent === agent.name && each.tool === tool.name);
          return (
            <Fragment key={id}>
              {lines[at - 1]?.agent !== agent && (
                <Head agent={agent} n={lines.filter((line) => line.agent === agent).length} />
              )}
              <tr data-open={open === id || undefined}>
                <td>
                  <button
                    className={style.name}
                    aria-expanded={open === id}
                    onClick={() => setOpen(open === id ? null : id)}
                  >
                    <Icon name={open === id ? "down" : "chevron"} size={11} />
                    {tool.name}
                  </button>
                </td>
                <td>
                  <RiskChip risk={riskOf(tool.effect)} always />
                </td>
                <td>{spaced(tool.effect)}</td>
                <td>
                  <Level tool={tool} level={level} />
                </td>
                <td>{tool.trust === "trusted" ? <span className="muted">trusted</span> : "untrusted"}</td>
                <td className="muted">{tool.repeat}</td>
                <td className={style.list}>
                  <Words words={tool.destinations} none="" />
                </td>
                <td className={style.list}>
                  <Words words={tool.secrets} none="" />
                </td>
                <td className={style.list}>{tool.rates.join(", ")}</td>
                <td className="muted">{tool.server}</td>
              </tr>
              {open === id && (
                <tr className={style.more}>
                  <td colSpan={10}>
                    <More agent={agent} tool={tool} level={level} />
                  </td>
                </tr>
              )}
            </Fragment>
          );
        })}
      </tbody>
    </table>
  );
}

function Head({ agent, n }: { readonly agent: Agent; readonly n: number }) {
  return (
    <tr className={style.group}>
      <td colSpan={10}>
        <strong>{agent.name}</strong> · {count(n)} {n === 1 ? "tool" : "tools"} · release{" "}
        <code>{agent.release.slice(0, 12)}</code> {agent.disabled && <Chip tone="stop">out of service</Chip>}
      </td>
    </tr>
  );
}

/** What holds now; where that is less than the release grants, both. */
function Level({ tool, level }: { readonly tool: Granted; readonly level: AutonomyLine | undefined }) {
  if (tool.effect === "read") return <span className="muted">reads freely</span>;
  const holds = level?.level ?? tool.autonomy;
  if (level === undefined || level.level === level.ceiling) return <>{levelInWords(holds)}</>;
  return (
    <span className={style.lowered} title={`The release grants: ${levelInWords(level.ceiling)}`}>
      {levelInWords(holds)} <Icon name="down" size={10} />
      <span className="muted">lowered</span>
    </span>
  );
}

function Words({ words, none }: { readonly words: readonly string[]; readonly none: string }) {
  if (words.length === 0) return <span className="muted">{none}</span>;
  return (
    <code title={words.join(", ")}>
      <Plain text={words.join(", ")} />
    </code>
  );
}

function More({ agent, tool, level }: Line & { readonly level: AutonomyLine | undefined }) {
  return (
    <div className={style.box}>
      <div>
        <Section name="What it says it does">
          <Prose text={tool.description === "" ? "Nothing." : tool.description} lines={8} />
        </Section>
        <Section name="Declared">
          <Pairs
            pairs={[
              ["Content only", tool.payload.length > 0 ? <code key="payload">{tool.payload.join(", ")}</code> : null],
              [
                "A yes is given by",
                tool.asking === null || (tool.asking.roles.length === 0 && tool.asking.people === 1)
                  ? null
                  : `${tool.asking.people > 1 ? `${tool.asking.people} different people: ` : ""}${tool.asking.roles.join(", ") || "reviewer"}`,
              ],
              [
                "See also",
                <span key="links">
                  <Link to="/policy" search={{ tab: "who", agent: agent.name, tool: tool.name }} className={page.link}>
                    who may call it
                  </Link>
                  {" · "}
                  <Link
                    to="/policy"
                    search={{ tab: "explain", agent: agent.name, tool: tool.name }}
                    className={page.link}
                  >
                    explain a call
                  </Link>
                  {" · "}
                  <button
                    className={page.link}
                    onClick={() => openSwitches({ scope: "tool", target: tool.name, agent: agent.name })}
                  >
                    stop it
                  </button>
                </span>,
              ],
            ]}
          />
        </Section>
        <Section name="Arguments">
          <Json value={tool.parameters} what="schema of the arguments" />
        </Section>
      </div>
      {level !== undefined && <LevelPanel line={level} />}
    </div>
  );
}
