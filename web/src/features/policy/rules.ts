/** What policies and grants come to, for people: pure, so that a table of examples can hold it. */
import { isObject } from "../../api/problems";
import type { Finding, May, Policy, ReleasePolicies, WholeRelease } from "../../api/shapes";
import { spaced, type Tone } from "../../ui/words";

export interface Speaking {
  /** Of the file, or of the tenant's policy. */
  readonly name: string;
  /** The one policy as it is written; empty where it can't be found in the text. */
  readonly text: string;
  readonly tenant: boolean;
}

/** What stands behind a policy's id: `FILE/its-id`, or `FILE:LINE`. Null where the text is not to be had. */
export function policyTextOf(
  id: string,
  texts: ReleasePolicies["texts"],
  own: readonly Pick<Policy, "name" | "text">[],
): Speaking | null {
  const holds = (name: string): boolean => id.startsWith(`${name}/`) || id.startsWith(`${name}:`);
  const mine = own.find((policy) => holds(policy.name));
  if (mine !== undefined) return { name: mine.name, text: pieceOf(id, mine.name, mine.text ?? ""), tenant: true };
  const text = texts.find((each) => holds(each.name));
  return text === undefined ? null : { name: text.name, text: pieceOf(id, text.name, text.text), tenant: false };
}

/** The policy in a text, from its first line to the semicolon that ends it. */
function pieceOf(id: string, name: string, text: string): string {
  const rest = id.slice(name.length + 1);
  const lines = text.split("\n");
  let from = /^\d+$/.test(rest) && id[name.length] === ":" ? Number(rest) - 1 : -1;
  if (from === -1) from = lines.findIndex((line) => line.includes(`@id("${rest}")`));
  if (from < 0 || from >= lines.length) return "";
  const end = lines.findIndex((line, at) => at >= from && line.trimEnd().endsWith(";"));
  return lines.slice(from, end === -1 ? undefined : end + 1).join("\n");
}

export const LEVELS = ["suggest", "ask_always", "ask_when_risky", "free"] as const;
export type LevelName = (typeof LEVELS)[number];

const LEVEL_WORDS: Readonly<Record<string, string>> = {
  suggest: "suggests only",
  ask_always: "asks always",
  ask_when_risky: "asks when risky",
  free: "acts freely",
};

export function levelInWords(level: string): string {
  return LEVEL_WORDS[level] ?? spaced(level);
}

/** Levels that a release allows: up to its ceiling. */
export function upTo(ceiling: string): readonly LevelName[] {
  const at = LEVELS.indexOf(ceiling as LevelName);
  return at === -1 ? LEVELS : LEVELS.slice(0, at + 1);
}

/** One tool of a release, as its manifest declares it. What is missing or of another type is left out. */
export interface Granted {
  readonly name: string;
  readonly server: string;
  readonly description: string;
  readonly effect: string;
  readonly repeat: string;
  readonly trust: string;
  readonly autonomy: string;
  readonly destinations: readonly string[];
  readonly payload: readonly string[];
  readonly secrets: readonly string[];
  readonly rates: readonly string[];
  readonly parameters: unknown;
  readonly asking: { readonly roles: readonly string[]; readonly people: number } | null;
}

export function grantedOf(release: Pick<WholeRelease, "manifest">): Granted[] {
  const { tools } = release.manifest;
  if (!Array.isArray(tools)) return [];
  return (tools as unknown[]).filter(isObject).map((tool) => ({
    name: text(tool.name),
    server: text(tool.server),
    description: text(tool.description),
    effect: text(tool.effect),
    repeat: text(tool.repeat),
    trust: text(tool.trust),
    autonomy: text(tool.autonomy),
    destinations: texts(tool.destinations),
    payload: texts(tool.payload),
    secrets: texts(tool.secrets),
    rates: [
      ...(Array.isArray(tool.rates) ? (tool.rates as unknown[]).filter(isObject).map(rateInWords) : []),
      ...(typeof tool.concurrency === "number" && tool.concurrency > 0 ? [`${tool.concurrency} at once`] : []),
    ],
    parameters: tool.parameters ?? null,
    asking: isObject(tool.asking)
      ? {
          roles: texts(tool.asking.roles),
          people: typeof tool.asking.people === "number" ? tool.asking.people : 1,
        }
      : null,
  }));
}

/** `10 a minute per user` */
export function rateInWords(rate: Readonly<Record<string, unknown>>): string {
  const seconds = Number(rate.seconds ?? rate.every ?? 0);
  const per = typeof rate.per === "string" ? ` per ${rate.per}` : "";
  return `${String(rate.calls)} ${periodInWords(seconds)}${per}`;
}

export function periodInWords(seconds: number): string {
  const named = new Map([
    [1, "a second"],
    [60, "a minute"],
    [3600, "an hour"],
    [86_400, "a day"],
  ]);
  return named.get(seconds) ?? `in ${seconds} s`;
}

export type VerdictWord = "allow" | "ask" | "deny" | "depends";

/** How a verdict is shown: quiet where it is allowed, coloured where somebody has to do something or nobody may. */
export function toneOf(verdict: string): Tone {
  if (verdict === "deny") return "stop";
  return verdict === "ask" ? "wait" : "quiet";
}

/** A condition of a policy in one line: `asks if arguments.amount > 100 (agent.yaml/…)`. */
export function conditionInWords(condition: May["conditions"][number]): string {
  const verbs: Readonly<Record<string, string>> = {
    permit: "allowed",
    allow: "allowed",
    ask: "asked",
    forbid: "denied",
    deny: "denied",
  };
  const verb = verbs[condition.verb] ?? condition.verb;
  return condition.when.length === 0 ? `${verb} always` : `${verb} if ${condition.when.join(" and ")}`;
}

/** Findings by line, so that each can stand beside the line that it is about; those about none at line 0. */
export function byLine(findings: readonly Finding[], lines: number): ReadonlyMap<number, readonly Finding[]> {
  const found = new Map<number, Finding[]>();
  for (const finding of findings) {
    const line = finding.line >= 1 && finding.line <= lines ? finding.line : 0;
    const there = found.get(line);
    if (there === undefined) found.set(line, [finding]);
    else there.push(finding);
  }
  return found;
}

/** Arguments to begin an explanation with: each that is required, with a value of its type. */
export function sampleOf(parameters: unknown): Record<string, unknown> {
  if (!isObject(parameters) || !isObject(parameters.properties)) return {};
  const required = texts(parameters.required);
  const entries = Object.entries(parameters.properties).filter(([name]) => required.includes(name));
  return Object.fromEntries(entries.map(([name, schema]) => [name, valueOf(schema)]));
}

const VALUES: Readonly<Record<string, unknown>> = {
  string: "",
  integer: 1,
  number: 1,
  boolean: false,
  array: [],
  object: {},
};

function valueOf(schema: unknown): unknown {
  if (!isObject(schema)) return "";
  if (schema.default !== undefined) return schema.default;
  if (Array.isArray(schema.enum)) return (schema.enum as unknown[])[0];
  return VALUES[typeof schema.type === "string" ? schema.type : "string"] ?? "";
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? (value as unknown[]).filter((each) => typeof each === "string") : [];
}
