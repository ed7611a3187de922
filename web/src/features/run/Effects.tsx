/** The ledger of what this run did to the world: sent once, or unknown. */
import { Button } from "@mantine/core";
import { lazy, Suspense, useState } from "react";
import type { Doubt, EffectRow, Trace } from "../../api/shapes";
import { CopyButton } from "../../ui/Copy";
import { Empty } from "../../ui/Empty";
import { RiskChip } from "../../ui/marks";
import { clock, riskOf, spaced, type Tone } from "../../ui/words";
import { doubtOf } from "./doubts";
import style from "./Table.module.css";
import { ledgerName } from "./tree";

const ResolveDialog = lazy(() => import("./ResolveDialog"));

const TONES: Readonly<Record<EffectRow["state"], Tone>> = {
  intended: "run",
  happened: "quiet",
  failed: "fail",
  unknown: "wait",
  did_not_happen: "quiet",
};

interface Props {
  readonly trace: Trace;
  readonly goTo: (seq: number) => void;
}

export default function Effects({ trace, goTo }: Props) {
  const [asked, setAsked] = useState<Doubt | null>(null);
  const day = Date.parse(trace.run.created_at);
  if (trace.effects.length === 0) {
    return (
      <Empty icon="check" title="This run changed nothing in the world">
        Only calls that are not reads stand here: each is written down before it is sent.
      </Empty>
    );
  }
  const seqOf = new Map(trace.spans.map((span) => [ledgerName(span), span.seq]));
  return (
    <div className={style.box}>
      <table className={style.table}>
        <thead>
          <tr>
            <th>State</th>
            <th>Tool</th>
            <th>Effect</th>
            <th>Repeat</th>
            <th>Intended</th>
            <th>Settled</th>
            <th>By</th>
            <th>Idempotency key</th>
            <th>
              <span className="unseen">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {trace.effects.map((effect) => {
            const seq = seqOf.get(effect.call);
            const doubt = doubtOf(trace.run, effect);
            return (
              <tr key={effect.call}>
                <td className={`tone-${TONES[effect.state]}`}>{spaced(effect.state)}</td>
                <td>
                  {seq === undefined ? (
                    effect.tool
                  ) : (
                    <button className={style.link} onClick={() => goTo(seq)}>
                      {effect.tool}
                    </button>
                  )}
                </td>
                <td>
                  <span className={style.pair}>
                    {spaced(effect.effect)} <RiskChip risk={riskOf(effect.effect)} />
                  </span>
                </td>
                <td>{effect.repeat}</td>
                <td>{clock(effect.intended_at, day)}</td>
                <td>{effect.settled_at === null ? "–" : clock(effect.settled_at, day)}</td>
                <td>{effect.settled_by ?? "–"}</td>
                <td>
                  <span className={style.pair}>
                    <code className={style.short}>{effect.key}</code>
                    <CopyButton text={effect.key} what="key" />
                  </span>
                </td>
                <td>
                  {doubt !== undefined && (
                    <Button size="compact-xs" onClick={() => setAsked(doubt)}>
                      Say what happened
                    </Button>
                  )}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {asked !== null && (
        <Suspense fallback={null}>
          <ResolveDialog run={trace.run} doubts={[asked]} close={() => setAsked(null)} />
        </Suspense>
      )}
    </div>
  );
}
