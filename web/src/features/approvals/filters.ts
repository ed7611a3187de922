/** What the inbox shows, as it stands in the URL. */
import type { Params } from "../../api/client";
import type { ApprovalState, Risk } from "../../api/shapes";

export interface Asked {
  readonly state?: ApprovalState | "all";
  readonly agent?: string;
  readonly tool?: string;
  readonly risk?: Risk;
  readonly run?: string;
}

/** States that one can look at, the inbox itself first: without one, what waits for an answer. */
export const STATES: readonly (readonly [ApprovalState | "all", string])[] = [
  ["pending", "Waiting"],
  ["approved", "Approved"],
  ["denied", "Denied"],
  ["expired", "Expired"],
  ["withdrawn", "Withdrawn"],
  ["all", "All"],
];

const RISKS: readonly Risk[] = ["read", "write", "money", "irreversible"];

/** The filters that a URL's search asks for; what is unknown is left out rather than refused. */
export function askedOf(search: Readonly<Record<string, unknown>>): Asked {
  const state = STATES.find(([name]) => name === search.state && name !== "pending")?.[0];
  const risk = RISKS.find((name) => name === search.risk);
  return {
    ...(state === undefined ? {} : { state }),
    ...word("agent", search.agent),
    ...word("tool", search.tool),
    ...(risk === undefined ? {} : { risk }),
    ...word("run", search.run),
  };
}

/** The same as the API takes it. */
export function askedParams(asked: Asked): Params {
  const { state = "pending", ...rest } = asked;
  return { ...rest, state: state === "all" ? undefined : state };
}

/** What is filtered beside the state, in words. */
export function askedInWords(asked: Asked): string[] {
  const found: string[] = [];
  if (asked.agent !== undefined) found.push(`agent ${asked.agent}`);
  if (asked.tool !== undefined) found.push(`tool ${asked.tool}`);
  if (asked.risk !== undefined) found.push(`risk ${asked.risk}`);
  if (asked.run !== undefined) found.push(`run ${asked.run.slice(-8)}`);
  return found;
}

function word<Name extends string>(name: Name, value: unknown): Partial<Record<Name, string>> {
  if (typeof value !== "string" || value === "") return {};
  const made: Partial<Record<Name, string>> = {};
  made[name] = value;
  return made;
}
