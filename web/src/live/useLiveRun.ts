/** Keeps a run's page fresh: opens the one stream and marks by event kind what the cache no longer knows. */
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { traceQuery } from "../api/queries";
import { type Delta, drafts } from "./deltas";
import { follow, type Link } from "./follow";
import type { Frame } from "./frames";
import { settling, staleAfter } from "./rules";

interface Wanted {
  readonly run: string;
  /** The last sequence number that the page has; null while it has none. */
  readonly after: number | null;
  readonly ended: boolean;
}

/** The state of the stream; null where there is nothing to follow. */
export function useLiveRun({ run, after, ended }: Wanted): Link | null {
  const cache = useQueryClient();
  const [link, setLink] = useState<Link | null>(null);
  const wanted = after !== null && !ended;

  useEffect(() => {
    if (!wanted) return;
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let lastMs = 0;

    const refresh = (): void => {
      timer = undefined;
      const began = performance.now();
      void cache.invalidateQueries({ queryKey: ["run", run] }).then(() => {
        lastMs = performance.now() - began;
      });
    };
    const onFrame = (frame: Frame): void => {
      if (frame.event === "message.delta") drafts.add(run, JSON.parse(frame.data) as Delta);
      else if (frame.event === "message.reset") drafts.drop(run);
      else if (frame.event === "model.answered" && frame.seq !== null) drafts.replace(run, frame.seq);
      const stale = staleAfter(frame.event);
      if (stale.includes("lists")) void cache.invalidateQueries({ queryKey: ["runs"] });
      for (const inbox of ["approvals", "escalations"] as const)
        if (stale.includes(inbox)) void cache.invalidateQueries({ queryKey: [inbox] });
      if (stale.length > 0) timer ??= setTimeout(refresh, settling(lastMs));
    };

    const seen = cache.getQueryData(traceQuery(run).queryKey)?.run.last_seq ?? 0;
    void follow({ path: `/v1/runs/${run}/events`, after: seen, onFrame, onLink: setLink }, stop.signal);
    return () => {
      stop.abort();
      clearTimeout(timer);
      drafts.drop(run);
    };
  }, [run, wanted, cache]);

  return wanted || link?.state === "ended" ? link : null;
}
