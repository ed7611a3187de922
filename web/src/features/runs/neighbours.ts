/** Which list a run was opened from, so that `[` and `]` go to the runs beside it there. */
import type { QueryClient } from "@tanstack/react-query";
import { runsQuery } from "../../api/queries";
import type { Filters } from "./filters";

let latest: Filters = {};

export function rememberList(filters: Filters): void {
  latest = filters;
}

export function latestList(): Filters {
  return latest;
}

/** The id of the run `by` places further down the list (newest first), or null at its ends. */
export async function neighbour(cache: QueryClient, run: string, by: 1 | -1): Promise<string | null> {
  const data = await cache.infiniteQuery({ ...runsQuery(latest), staleTime: "static" });
  const ids = data.pages.flatMap((page) => page.items.map((each) => each.run_id));
  const at = ids.indexOf(run);
  return at === -1 ? null : (ids[at + by] ?? null);
}
