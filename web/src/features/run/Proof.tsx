/** Whether every edge of a run (input, models, tools, results, output) has its decision, from the log alone. */
import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { proofQuery } from "../../api/money";
import type { Proof, WholeRun } from "../../api/shapes";
import { Fault } from "../../ui/Fault";
import { Icon } from "../../ui/Icon";
import { Plain } from "../../ui/Prose";
import { count, plural, STANDINGS } from "../../ui/words";
import { RunLink } from "./GateFacts";
import style from "./Proof.module.css";
import { Section } from "./Section";

/** The log is read whole for it: of a long run only when somebody asks. */
const AT_ONCE = 400;

export function ProofPanel({ run, goTo }: { readonly run: WholeRun; readonly goTo: (seq: number) => void }) {
  const atOnce = STANDINGS[run.status].ended && run.last_seq <= AT_ONCE;
  const proof = useQuery({ ...proofQuery(run.run_id, run.last_seq), enabled: atOnce, retry: false });
  return (
    <Section
      name="Proof"
      tone={proof.data?.proven === false ? "fail" : "quiet"}
      beside={
        !atOnce && (
          <Button size="compact-xs" loading={proof.isFetching} onClick={() => void proof.refetch()}>
            {proof.data === undefined ? "Prove every edge" : "Again"}
          </Button>
        )
      }
    >
      <Fault fault={proof.error} />
      {proof.data !== undefined ? (
        <Found proof={proof.data} goTo={goTo} />
      ) : (
        proof.error === null && (
          <p className="muted">
            {proof.isFetching ? "Reading the log…" : "Each edge with the decision before it, from the log alone."}
          </p>
        )
      )}
    </Section>
  );
}

function Found({ proof, goTo }: { readonly proof: Proof; readonly goTo: (seq: number) => void }) {
  return (
    <div className={style.proof} data-proven={proof.proven || undefined} role="status">
      {proof.proven ? (
        <p>
          <Icon name="shield" size={13} /> Every edge is proven: {byEdge(proof)}, in {plural(proof.events, "event")}
          {proof.ended ? "." : ", as far as the run has come."}
        </p>
      ) : (
        <>
          <p className="tone-fail">
            <Icon name="warn" size={13} /> {plural(proof.gaps.length, "edge")} without the decision that had to come
            before:
          </p>
          <ul>
            {proof.gaps.map((gap) => (
              <li key={`${gap.seq} ${gap.what}`}>
                <button className={style.gap} onClick={() => goTo(gap.seq)}>
                  {gap.edge}, event {gap.seq}
                </button>
                : <Plain text={gap.what} />
              </li>
            ))}
          </ul>
        </>
      )}
      {proof.children.length > 0 && (
        <p className="muted">
          With proofs of their own:{" "}
          {proof.children.map((child) => (
            <span key={child}>
              <RunLink run={child} />{" "}
            </span>
          ))}
        </p>
      )}
    </div>
  );
}

/** `1 input, 3 model, 2 tool` */
function byEdge(proof: Proof): string {
  const counts = new Map<string, number>();
  for (const { edge } of proof.edges) counts.set(edge, (counts.get(edge) ?? 0) + 1);
  return [...counts].map(([edge, n]) => `${count(n)} ${edge}`).join(", ") || "none was crossed";
}
