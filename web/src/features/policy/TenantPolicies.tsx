/** The tenant's own policies: they narrow what releases grant, for every agent, at once. */
import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { differenceQuery, policiesQuery, policyQuery, versionsQuery } from "../../api/gate";
import { sessionQuery } from "../../api/queries";
import type { Policy } from "../../api/shapes";
import { Bones, Empty, Trouble } from "../../ui/Empty";
import { Icon } from "../../ui/Icon";
import { useNow } from "../../ui/now";
import page from "../../ui/Page.module.css";
import { Plain } from "../../ui/Prose";
import { Told } from "../../ui/Told";
import { ago, clock } from "../../ui/words";
import { Section } from "../run/Section";
import { may } from "../sessions/rules";
import { Cedar } from "./Cedar";
import { Editor } from "./Editor";
import style from "./Policy.module.css";
import { Removal } from "./Removal";
import { SimulationPanel } from "./SimulationPanel";

const route = getRouteApi("/inside/policy");

export default function TenantPolicies() {
  const { name } = route.useSearch();
  const navigate = route.useNavigate();
  const list = useQuery(policiesQuery);
  const { data: session } = useQuery(sessionQuery);
  const [making, setMaking] = useState(false);
  const owns = session != null && may(session);
  const choose = (chosen: string | undefined): void => {
    setMaking(false);
    void navigate({ search: (before) => ({ ...before, name: chosen }), replace: true });
  };
  if (list.data === undefined) {
    if (list.error === null) return <Bones rows={6} />;
    return <Trouble fault={list.error} what="the policies of this tenant" retry={() => void list.refetch()} />;
  }
  const { items } = list.data;
  const begin = owns && (
    <Button leftSection={<Icon name="plus" size={12} />} onClick={() => setMaking(true)}>
      New policy
    </Button>
  );
  if (items.length === 0 && !making && name === undefined) {
    return (
      <Empty
        icon="policy"
        title="No policy of your own"
        command="qd policy set no-night-refunds rules.cedar"
        actions={begin}
      >
        Releases say what agents may do. A policy of yours forbids or asks beyond that, for all of them, at once; it can
        never allow more.
      </Empty>
    );
  }
  const open = making ? undefined : (name ?? items[0]?.name);
  return (
    <div className={`${style.split} ${style.narrow}`}>
      <div className={style.policies}>
        <div className={style.make}>{begin}</div>
        <Listed policies={items} open={open} choose={choose} />
      </div>
      <div className={style.right}>
        {making ? (
          <Editor kept={null} done={(kept) => choose(kept)} leave={() => setMaking(false)} />
        ) : (
          open !== undefined && <Shown key={open} name={open} owns={owns} />
        )}
      </div>
    </div>
  );
}

interface ListedProps {
  readonly policies: readonly Policy[];
  readonly open: string | undefined;
  readonly choose: (name: string) => void;
}

function Listed({ policies, open, choose }: ListedProps) {
  const now = useNow();
  return (
    <ul>
      {policies.map((policy) => (
        <li key={policy.name}>
          <button
            className={style.policy}
            aria-current={policy.name === open || undefined}
            onClick={() => choose(policy.name)}
          >
            <strong>{policy.name}</strong>
            <span>
              version {policy.version}, {ago(policy.set_at, now)} by {policy.set_by}
            </span>
          </button>
        </li>
      ))}
    </ul>
  );
}

type Doing = "editing" | "removing" | "simulating" | null;

function Shown({ name, owns }: { readonly name: string; readonly owns: boolean }) {
  const policy = useQuery(policyQuery(name));
  const [doing, setDoing] = useState<Doing>(null);
  const now = useNow();
  if (policy.data === undefined) {
    if (policy.error === null) return <Bones rows={6} />;
    return <Trouble fault={policy.error} what="this policy" retry={() => void policy.refetch()} />;
  }
  const { data } = policy;
  if (doing === "editing") {
    return <Editor kept={data} done={() => setDoing(null)} leave={() => setDoing(null)} />;
  }
  return (
    <>
      <div className={style.title}>
        <h2>{data.name}</h2>
        <span className="muted">version {data.version}</span>
        <span className={style.gap} />
        <Button onClick={() => setDoing(doing === "simulating" ? null : "simulating")}>What if it were gone?</Button>
        <span title={owns ? undefined : "Policies are changed by owners"}>
          <Button disabled={!owns} onClick={() => setDoing("removing")}>
            Remove
          </Button>
        </span>
        <span title={owns ? undefined : "Policies are changed by owners"}>
          <Button
            variant="filled"
            disabled={!owns}
            onClick={() => setDoing("editing")}
            leftSection={<Icon name="edit" size={12} />}
          >
            Edit
          </Button>
        </span>
      </div>
      <p className="muted">
        Set by {data.set_by}, <span title={clock(data.set_at, now)}>{ago(data.set_at, now)}</span>
        {data.why !== "" && (
          <>
            : <Plain text={data.why} />
          </>
        )}
      </p>
      {data.says.length > 0 && (
        <ul className={style.says}>
          {data.says.map((said) => (
            <li key={said}>
              <Told text={said} />
            </li>
          ))}
        </ul>
      )}
      {doing === "simulating" && <SimulationPanel name={data.name} text={null} />}
      <Cedar text={data.text ?? ""} />
      <Versions name={name} />
      {doing === "removing" && <Removal policy={data} close={() => setDoing(null)} />}
    </>
  );
}

function Versions({ name }: { readonly name: string }) {
  const versions = useQuery(versionsQuery(name));
  const [open, setOpen] = useState<number | null>(null);
  const now = useNow(false);
  if (versions.data === undefined) return null;
  return (
    <Section name="History">
      <ul className={style.versions}>
        {versions.data.map((version) => (
          <li key={version.version}>
            <div className={style.version}>
              <span className="muted">v{version.version}</span>
              <span>
                {version.text === null ? "removed" : ""} <Plain text={version.why} />{" "}
                <span className="muted">
                  {version.set_by}, {clock(version.set_at, now)}
                </span>
              </span>
              <button
                className={page.link}
                aria-expanded={open === version.version}
                onClick={() => setOpen(open === version.version ? null : version.version)}
              >
                What changed
              </button>
            </div>
            {open === version.version && <Changes name={name} version={version} />}
          </li>
        ))}
      </ul>
    </Section>
  );
}

function Changes({ name, version }: { readonly name: string; readonly version: Policy }) {
  const first = version.version === 1;
  const difference = useQuery({ ...differenceQuery(name, version.version), enabled: !first });
  return (
    <>
      {first && <p className="muted">The first of its name.</p>}
      {difference.error !== null && <p className="muted">{difference.error.message}</p>}
      {difference.data?.changes.length === 0 && <p className="muted">It says the same in other words.</p>}
      {difference.data !== undefined && (
        <ul className={style.says}>
          {difference.data.changes.map((change) => (
            <li key={change}>
              <Told text={change} />
            </li>
          ))}
        </ul>
      )}
      {version.text !== null && <Cedar text={version.text} />}
    </>
  );
}
