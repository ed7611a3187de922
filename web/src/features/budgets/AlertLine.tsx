/** One alert: how soon somebody should look, what is wrong in a sentence, where to look, and who has seen it. */
import { Button } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ask } from "../../api/client";
import type { Alert, Session } from "../../api/shapes";
import { Fault } from "../../ui/Fault";
import { Icon } from "../../ui/Icon";
import { Chip } from "../../ui/marks";
import { useNow } from "../../ui/now";
import { Plain } from "../../ui/Prose";
import { Told } from "../../ui/Told";
import { ago, spaced } from "../../ui/words";
import { may } from "../sessions/rules";
import style from "./Alerts.module.css";
import { SEVERITIES } from "./rules";

export function AlertLine({ alert, session }: { readonly alert: Alert; readonly session: Session | null }) {
  const now = useNow();
  const cache = useQueryClient();
  const seen = useMutation({
    mutationFn: () => ask<Alert>(`/v1/alerts/${alert.alert_id}/acknowledge`, { method: "POST" }),
    onSuccess: () => cache.invalidateQueries({ queryKey: ["alerts"] }),
  });
  const { word, tone } = SEVERITIES[alert.severity];
  const over = alert.state === "resolved";
  return (
    <li className={style.alert} data-tone={over ? "quiet" : tone} data-state={alert.state}>
      <span className={style.mark}>
        <Chip tone={over ? "quiet" : tone}>
          {!over && tone !== "quiet" && <Icon name={tone === "fail" ? "alarm" : "warn"} size={11} />}
          {word}
        </Chip>
      </span>
      <div className={style.said}>
        <p className={style.words}>
          <Told text={alert.words} />
        </p>
        <p className={style.about}>
          <span>{spaced(alert.kind).replace(".", " ")}</span>
          <About alert={alert} />
          <span title={alert.raised_at}>raised {ago(alert.raised_at, now)}</span>
          {alert.resolved_at !== null && (
            <span>
              over {ago(alert.resolved_at, now)}
              {alert.resolved_why !== "" && <>: {alert.resolved_why}</>}
            </span>
          )}
          {alert.acknowledged_at !== null && (
            <span>
              seen by <Plain text={alert.acknowledged_by ?? "somebody"} /> {ago(alert.acknowledged_at, now)}
            </span>
          )}
        </p>
        <Fault fault={seen.error} />
      </div>
      {alert.state === "raised" && session !== null && may(session, "operator") && (
        <Button
          size="compact-sm"
          loading={seen.isPending}
          onClick={() => seen.mutate()}
          aria-label={`Acknowledge: ${alert.words}`}
          leftSection={<Icon name="check" size={12} />}
        >
          Acknowledge
        </Button>
      )}
    </li>
  );
}

/** Where to look: the budget, or what the agent has spent. */
function About({ alert }: { readonly alert: Alert }) {
  const [kind, ...rest] = alert.subject.split(":");
  const name = rest.join(":");
  if (kind === "budget" && name !== "") {
    return (
      <Link to="/budgets" search={{ name }} className={style.link}>
        budget <Plain text={name} />
      </Link>
    );
  }
  if (kind === "agent" && name !== "") {
    return (
      <Link to="/usage" search={{ by: "agent", pick: name, range: "24h" }} className={style.link}>
        usage of <Plain text={name} />
      </Link>
    );
  }
  return (
    <span>
      <Plain text={alert.subject} />
    </span>
  );
}
