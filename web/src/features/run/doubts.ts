/** Calls that may or may not have taken effect, and when somebody may say so. */
import type { Doubt, EffectRow, WholeRun } from "../../api/shapes";

/** The doubt behind a row of the ledger; undefined where there is none, or no longer. */
export function doubtOf(run: WholeRun, effect: EffectRow): Doubt | undefined {
  if (effect.state !== "unknown") return undefined;
  return run.unknown_outcomes.find((doubt) => effect.call.endsWith(`/${doubt.call}`) && doubt.tool === effect.tool);
}
