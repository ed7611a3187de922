/** Parts of a simulation, put together as they come. */
import type { Simulation } from "../../api/shapes";

export type Found = Pick<Simulation, "runs" | "calls" | "unread" | "changed">;

export const NOTHING: Found = { runs: 0, calls: 0, unread: 0, changed: [] };

export function together(all: Found, part: Found): Found {
  return {
    runs: all.runs + part.runs,
    calls: all.calls + part.calls,
    unread: all.unread + part.unread,
    changed: [...all.changed, ...part.changed],
  };
}
