/** API keys: who may do what until when; a secret is shown once, when it is made. */
import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { keysQuery, sessionQuery } from "../../api/queries";
import type { ApiKey } from "../../api/shapes";
import { Bones, Empty, Rest, Trouble } from "../../ui/Empty";
import { useNow } from "../../ui/now";
import page from "../../ui/Page.module.css";
import { ago, clock } from "../../ui/words";
import { may } from "../sessions/rules";
import NewKey from "./NewKey";
import Revoke from "./Revoke";

export default function KeysPage() {
  const keys = useQuery(keysQuery);
  const { data: session } = useQuery(sessionQuery);
  const [making, setMaking] = useState(false);
  const [revoking, setRevoking] = useState<ApiKey | null>(null);
  const owns = session != null && may(session);
  return (
    <div className={page.page}>
      <header className={page.head}>
        <h1>Keys</h1>
        <span className={page.gap} />
        {owns && (
          <Button variant="filled" onClick={() => setMaking(true)}>
            New key
          </Button>
        )}
      </header>
      <div className={page.body}>
        {keys.data !== undefined ? (
          <>
            <Listed keys={keys.data.items} own={session?.key_id} revoke={owns ? setRevoking : null} />
            <Rest next={keys.data.next_cursor} what="keys" />
          </>
        ) : keys.isPending ? (
          <Bones rows={6} />
        ) : (
          <Trouble fault={keys.error} what="the keys of this tenant" retry={() => void keys.refetch()} />
        )}
      </div>
      {making && <NewKey close={() => setMaking(false)} />}
      {revoking !== null && <Revoke issued={revoking} close={() => setRevoking(null)} />}
    </div>
  );
}

interface Props {
  readonly keys: readonly ApiKey[];
  readonly own: string | undefined;
  readonly revoke: ((key: ApiKey) => void) | null;
}

function Listed({ keys, own, revoke }: Props) {
  const now = useNow();
  if (keys.length === 0) return <Empty icon="keys" title="No key yet" />;
  return (
    <table className={page.table}>
      <thead>
        <tr>
          <th>Name</th>
          <th>Roles</th>
          <th>Agents</th>
          <th>Made</th>
          <th>Expires</th>
          <th>Last used</th>
          <th>State</th>
          <th>
            <span className="unseen">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {keys.map((key) => (
          <tr key={key.id} className={key.status === "active" ? undefined : "muted"}>
            <td>
              <strong>{key.name}</strong> <code className="muted">qd_{key.id}_…</code>
              {key.id === own && <span className="muted"> · yours</span>}
            </td>
            <td>
              {key.deployment ? "deployment admin" : key.roles.join(", ")}
              {key.may_assert_user && <span className="muted"> · may name its user</span>}
            </td>
            <td>{key.agents === null ? <span className="muted">every agent</span> : key.agents.join(", ")}</td>
            <td>
              {clock(key.created_at, now)} <span className="muted">by {key.created_by}</span>
            </td>
            <td>{key.expires_at === null ? <span className="muted">never</span> : clock(key.expires_at, now)}</td>
            <td className="muted">{key.last_used_at === null ? "never" : ago(key.last_used_at, now)}</td>
            <td>{key.status}</td>
            <td className={page.right}>
              {revoke !== null && key.status === "active" && (
                <button className={page.link} onClick={() => revoke(key)}>
                  Revoke
                </button>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
