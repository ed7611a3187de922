/** What a look along the audit's chain found, in words. */
import type { Chain, Verification, WholeAuditRow } from "../../api/shapes";
import { count, plural, type Tone } from "../../ui/words";

const FAULTS: Readonly<Record<string, string>> = {
  changed: "a row was changed after it was sealed",
  missing: "rows are missing",
  out_of_order: "rows stand in another order",
  payload_changed: "inputs or outputs are not what was sealed",
  rewritten: "the chain was written anew from here",
  not_signed: "a head is not signed",
  bad_signature: "a signature is not this deployment’s",
  unreadable: "a row can’t be read",
  cut_off: "the end was cut off",
};

/** What is wrong, and at which positions. */
export function faultInWords({ fault, first, last }: Verification["findings"][number]): string {
  const where = first === last ? `at position ${count(first)}` : `between positions ${count(first)} and ${count(last)}`;
  return `${FAULTS[fault] ?? fault.replaceAll("_", " ")}, ${where}`;
}

export interface Report {
  readonly tone: Tone;
  readonly sentence: string;
  readonly facts: readonly string[];
}

export function reportOf(found: Verification): Report {
  const facts = [
    `${plural(found.kept, "payload")} as sealed`,
    found.erased > 0 ? `${count(found.erased)} erased on purpose` : "",
    found.unsealed > 0 ? `${plural(found.unsealed, "row")} not sealed yet` : "",
    found.floor === null ? "" : `what is at or below ${count(found.floor.position)} was pruned`,
    `looked at in ${count(found.ms)} ms`,
  ].filter((each) => each !== "");
  if (found.valid) {
    const rows = plural(found.sealed, "sealed row");
    return {
      tone: "quiet",
      sentence: found.sealed === 0 ? "Nothing is sealed yet." : `Whole: ${rows}, each as it was sealed.`,
      facts,
    };
  }
  return {
    tone: "fail",
    sentence: `Broken: ${plural(found.faults, "fault")} in ${plural(found.sealed, "row")}.`,
    facts,
  };
}

/** Where the chain stands, before anybody has looked along it. */
export function chainInWords(chain: Chain): string {
  if (chain.head === null)
    return chain.unsealed === 0 ? "Nothing is sealed yet" : `${plural(chain.unsealed, "row")} wait for their seal`;
  const sealed = `Sealed up to position ${count(chain.head.position)}`;
  return chain.unsealed === 0 ? sealed : `${sealed}, ${plural(chain.unsealed, "row")} to come`;
}

export const PAYLOADS: Readonly<Record<WholeAuditRow["payload_state"], readonly [string, Tone]>> = {
  none: ["has none", "quiet"],
  kept: ["as it was sealed", "quiet"],
  erased: ["erased; the row and the chain stay valid", "quiet"],
  changed: ["not what was sealed", "fail"],
};
