/** Runs under what they have in common: one line a cause, the most frequent first. */
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { Empty } from "../../ui/Empty";
import { Icon } from "../../ui/Icon";
import { State } from "../../ui/marks";
import { Plain } from "../../ui/Prose";
import { useNow } from "../../ui/now";
import { ago, clock, count, plural, shortId } from "../../ui/words";
import type { Group } from "./filters";
import style from "./Groups.module.css";

interface Props {
  readonly groups: readonly Group[];
  readonly seen: number;
  readonly complete: boolean;
}

export function Groups({ groups, seen, complete }: Props) {
  const scope = complete ? `all ${plural(seen, "run")}` : `the latest ${plural(seen, "run")}`;
  if (groups.length === 0) {
    return (
      <Empty icon="check" title="Nothing to group">
        Of {scope} in this view, none failed, stopped or waits for a person.
      </Empty>
    );
  }
  const most = groups[0]?.runs.length ?? 1;
  return (
    <div className={style.groups}>
      {groups.map((group) => (
        <Cause key={group.cause} group={group} most={most} />
      ))}
      <p className={style.scope}>Counted over {scope} in this view.</p>
    </div>
  );
}

const SHOWN = 30;

function Cause({ group, most }: { readonly group: Group; readonly most: number }) {
  const [open, setOpen] = useState(false);
  const now = useNow();
  return (
    <section className={style.cause}>
      <button className={style.head} aria-expanded={open} onClick={() => setOpen(!open)}>
        <Icon name={open ? "down" : "chevron"} size={12} />
        <span className={style.count}>{count(group.runs.length)}</span>
        <span className={style.meter} aria-hidden>
          <span style={{ width: `${(100 * group.runs.length) / most}%` }} />
        </span>
        <State status={group.status} />
        <span className={style.words}>
          <Plain text={group.cause} />
        </span>
        <span className={style.where}>
          {group.agents.join(", ")}
          {" · "}
          {group.releases.length === 1 ? (
            <code>{group.releases[0]?.slice(0, 8)}</code>
          ) : (
            plural(group.releases.length, "release")
          )}
        </span>
        <span className={style.when}>{ago(group.latest, now)}</span>
      </button>
      {open && (
        <ul className={style.runs}>
          {group.runs.slice(0, SHOWN).map((run) => (
            <li key={run.run_id}>
              <Link to="/runs/$run" params={{ run: run.run_id }} className={style.run}>
                <span className={style.when}>{clock(run.created_at, now)}</span>
                <span className={style.user}>{run.user_id}</span>
                <span className={style.title}>
                  <Plain text={run.title} />
                </span>
                <span className={style.why}>
                  <Plain text={run.why} />
                </span>
                <code>{shortId(run.run_id)}</code>
              </Link>
            </li>
          ))}
          {group.runs.length > SHOWN && <li className={style.rest}>and {count(group.runs.length - SHOWN)} more</li>}
        </ul>
      )}
    </section>
  );
}
