/** The agents of a tenant: who answers for each, what it runs as, and its releases. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Fragment, useState } from "react";
import { isProblem } from "../../api/problems";
import { agentsQuery, releasesQuery } from "../../api/queries";
import type { Agent } from "../../api/shapes";
import { CopyButton } from "../../ui/Copy";
import { Bones, Empty, Rest, Trouble } from "../../ui/Empty";
import { Icon } from "../../ui/Icon";
import { Chip } from "../../ui/marks";
import page from "../../ui/Page.module.css";
import { useNow } from "../../ui/now";
import { ago, clock, count } from "../../ui/words";
import style from "./AgentsPage.module.css";

export default function AgentsPage() {
  const agents = useQuery(agentsQuery);
  return (
    <div className={page.page}>
      <header className={page.head}>
        <h1>Agents</h1>
      </header>
      <div className={page.body}>
        {agents.data !== undefined ? (
          <>
            <Listed agents={agents.data.items} />
            <Rest next={agents.data.next_cursor} what="agents" />
          </>
        ) : agents.isPending ? (
          <Bones rows={6} />
        ) : (
          <Trouble fault={agents.error} what="the agents of this tenant" retry={() => void agents.refetch()} />
        )}
      </div>
    </div>
  );
}

function Listed({ agents }: { readonly agents: readonly Agent[] }) {
  const [open, setOpen] = useState<string | null>(null);
  const now = useNow();
  if (agents.length === 0) {
    return (
      <Empty icon="agents" title="No agent yet" command="qd agent register ./my-agent">
        An agent is a folder; registering it makes a version that never changes.
      </Empty>
    );
  }
  return (
    <table className={page.table}>
      <thead>
        <tr>
          <th>Agent</th>
          <th>Owner</th>
          <th>Model</th>
          <th className={page.right}>Tools</th>
          <th>Release</th>
          <th>Registered</th>
          <th>
            <span className="unseen">Runs</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {agents.map((agent) => (
          <Fragment key={agent.name}>
            <tr data-open={open === agent.name || undefined}>
              <td>
                <button
                  className={style.name}
                  aria-expanded={open === agent.name}
                  onClick={() => setOpen(open === agent.name ? null : agent.name)}
                >
                  <Icon name={open === agent.name ? "down" : "chevron"} size={11} />
                  {agent.name}
                </button>
                {agent.disabled && <Chip tone="stop">out of service</Chip>}
              </td>
              <td>{agent.owner}</td>
              <td>
                <code>{agent.model.id}</code> <span className="muted">on {agent.model.provider}</span>
              </td>
              <td className={page.right}>{count(agent.tools.length)}</td>
              <td>
                <code>{agent.release.slice(0, 12)}</code>
              </td>
              <td className="muted">{ago(agent.updated_at, now)}</td>
              <td className={page.right}>
                <Link to="/runs" search={{ agent: agent.name }} className={page.link}>
                  Runs
                </Link>
              </td>
            </tr>
            {open === agent.name && (
              <tr className={style.more}>
                <td colSpan={7}>
                  <More agent={agent} />
                </td>
              </tr>
            )}
          </Fragment>
        ))}
      </tbody>
    </table>
  );
}

function More({ agent }: { readonly agent: Agent }) {
  const releases = useQuery(releasesQuery(agent.name));
  const now = useNow(false);
  return (
    <div className={style.box}>
      <p className={style.text}>{agent.description}</p>
      {agent.tools.length > 0 && (
        <p className={style.tools}>
          {agent.tools.map((tool) => (
            <code key={tool}>{tool}</code>
          ))}
        </p>
      )}
      <h2 className={style.title}>Releases</h2>
      {releases.data === undefined ? (
        <p className="muted">
          {isProblem(releases.error, 403)
            ? "Your key may submit runs; releases are shown to developers and operators."
            : (releases.error?.message ?? "Loading…")}
        </p>
      ) : (
        <ul>
          {releases.data.map((release) => (
            <li key={release.release} className={style.release}>
              <code>{release.release.slice(0, 12)}</code>
              <CopyButton text={release.release} what="release id" />
              <span>{release.label}</span>
              <span className="muted">
                {clock(release.registered_at, now)} by {release.registered_by}
              </span>
              {release.current && <Chip>current</Chip>}
              <Link to="/runs" search={{ release: release.release }} className={page.link}>
                Runs
              </Link>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
