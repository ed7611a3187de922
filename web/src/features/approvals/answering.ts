/** Sends an answer and puts right what it makes stale. */
import { type QueryClient, useMutation, useQueryClient } from "@tanstack/react-query";
import { ask } from "../../api/client";
import { approvalQuery } from "../../api/gate";
import { isProblem } from "../../api/problems";
import type { Approval } from "../../api/shapes";

export type Said =
  | { readonly verdict: "approve"; readonly why: string; readonly arguments?: Record<string, unknown> }
  | { readonly verdict: "deny"; readonly why: string };

/** What an answer changes elsewhere: the inbox, the run and the lists that it stands in. */
export async function refresh(cache: QueryClient, run?: string): Promise<void> {
  await Promise.all([
    cache.invalidateQueries({ queryKey: ["approvals"] }),
    cache.invalidateQueries({ queryKey: ["runs"] }),
    ...(run === undefined ? [] : [cache.invalidateQueries({ queryKey: ["run", run] })]),
  ]);
}

/** A yes is to the arguments that one saw, named by their digest: it never counts for others. */
export function useAnswer(approval: Pick<Approval, "approval_id" | "digest" | "run_id">, answered: () => void) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (said: Said) =>
      ask<Approval>(`/v1/approvals/${approval.approval_id}/${said.verdict}`, {
        method: "POST",
        body:
          said.verdict === "deny"
            ? { why: said.why }
            : { digest: approval.digest, why: said.why, ...(said.arguments ? { arguments: said.arguments } : {}) },
      }),
    onSuccess: (settled) => {
      cache.setQueryData(approvalQuery(approval.approval_id).queryKey, settled);
      void refresh(cache, approval.run_id);
      // A first yes of two leaves the question where it is.
      if (settled.state !== "pending") answered();
    },
    onError: (fault) => {
      if (isProblem(fault, 404, 409)) void refresh(cache, approval.run_id);
    },
  });
}
