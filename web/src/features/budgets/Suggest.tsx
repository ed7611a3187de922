/** What measured use suggests: the figures that it rests on, and the form filled in from them. */
import { Button } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { ask } from "../../api/client";
import type { Suggestion } from "../../api/shapes";
import { Fault } from "../../ui/Fault";
import { Icon } from "../../ui/Icon";
import { Plain } from "../../ui/Prose";
import { count, plural } from "../../ui/words";
import style from "./Budgets.module.css";
import { dollars, type Draft, suggested } from "./rules";

interface Props {
  readonly draft: Draft;
  readonly change: (draft: Draft) => void;
}

export function Suggest({ draft, change }: Props) {
  const asking = useMutation({
    mutationFn: () =>
      ask<Suggestion>("/v1/budgets/suggest", {
        method: "POST",
        body: {
          scope: draft.scope,
          budget_duration: measuredIn(draft),
          target: draft.target.trim() === "" ? "*" : draft.target.trim(),
        },
      }),
    onSuccess: (found) => change(suggested(draft, found)),
  });
  const { data: found } = asking;
  // Evidence about somebody else than the form now speaks of would mislead.
  const fits =
    found?.scope === draft.scope && found.target === (draft.target.trim() === "" ? "*" : draft.target.trim());
  return (
    <div className={style.suggest}>
      <div className={style.bar}>
        <Button
          size="compact-sm"
          loading={asking.isPending}
          onClick={() => asking.mutate()}
          leftSection={<Icon name="usage" size={12} />}
        >
          Suggest from use
        </Button>
        <span className="muted">Twice what is usual, measured from what was spent.</span>
      </div>
      <Fault fault={asking.error} />
      {found !== undefined && fits && <Evidence found={found} />}
    </div>
  );
}

/** Requests, runs and threads are measured as wholes; what others use in total depends on how long they live. */
function measuredIn({ scope, duration }: Draft): string {
  if (scope === "request" || scope === "run" || scope === "thread") return "total";
  return duration === "total" ? "1d" : duration;
}

function Evidence({ found }: { readonly found: Suggestion }) {
  const usd = (n: number | null): string => (n === null ? "–" : dollars(n));
  const whole = (n: number | null): string => (n === null ? "–" : count(n));
  return (
    <div role="status" aria-label="What it rests on">
      <p>
        <Plain text={found.words} />
      </p>
      <table className={style.evidence}>
        <thead>
          <tr>
            <th>
              <span className="unseen">Of</span>
            </th>
            <th>half under</th>
            <th>99 % under</th>
            <th>most</th>
            <th>suggested</th>
            <th>would have met it</th>
          </tr>
        </thead>
        <tbody>
          {(
            [
              ["US dollars", found.max_budget, usd],
              ["Tokens", found.max_tokens, whole],
            ] as const
          ).map(([name, spread, say]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{say(spread.p50)}</td>
              <td>{say(spread.p99)}</td>
              <td>{say(spread.max)}</td>
              <td>
                <strong>{say(spread.suggested)}</strong>
              </td>
              <td>{spread.suggested === null ? "–" : `${count(spread.over)} of ${count(found.samples)}`}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p className="muted">
        {plural(found.samples, "sample")} of {plural(found.instances, "instance")} in {plural(found.windows, "window")}
      </p>
      {found.warnings.map((warning) => (
        <p key={warning} className="tone-stop">
          <Icon name="warn" size={11} /> <Plain text={warning} />
        </p>
      ))}
    </div>
  );
}
