/** Reports as figures one can draw: stretches of time without gaps, groups with their shares, axes with round marks. */
import type { UsageLine, UsageReport } from "../../api/shapes";
import { money } from "../../ui/words";
import type { Every } from "./filters";

/** When each stretch begins, from the one that holds `since` to the one that holds `until`; none is left out. */
export function stretchesOf(since: number, until: number, every: Every): number[] {
  const found: number[] = [];
  for (let at = beginOf(new Date(since), every); at.getTime() < until && found.length < 2_000; at = next(at, every))
    found.push(at.getTime());
  return found;
}

function beginOf(at: Date, every: Every): Date {
  const [year, month, day] = [at.getFullYear(), at.getMonth(), at.getDate()];
  if (every === "month") return new Date(year, month, 1);
  return every === "day" ? new Date(year, month, day) : new Date(Math.floor(at.getTime() / 3_600_000) * 3_600_000);
}

/** By the calendar: days of 23 and 25 hours are days too. */
function next(at: Date, every: Every): Date {
  if (every === "hour") return new Date(at.getTime() + 3_600_000);
  const [year, month, day] = [at.getFullYear(), at.getMonth(), at.getDate()];
  return every === "month" ? new Date(year, month + 1, 1) : new Date(year, month, day + 1);
}

export interface Group {
  /** Stable among the groups of one report; `rest` for all that are behind the largest. */
  readonly id: string;
  /** Null where calls have none of what one asks by. */
  readonly name: string | null;
  readonly rest: boolean;
  /** How many groups stand for this one: more than one only for the rest. */
  readonly groups: number;
  readonly cost: number;
  readonly calls: number;
  readonly input: number;
  readonly cached: number;
  readonly output: number;
  readonly presumed: number;
  readonly saved: number;
  /** Cost in each stretch. */
  readonly costs: readonly number[];
}

export interface Series {
  readonly stretches: readonly number[];
  /** Cost of all in each stretch. */
  readonly costs: readonly number[];
  readonly calls: readonly number[];
  /** The dearest first, the rest last. */
  readonly groups: readonly Group[];
}

export const REST = "\u0000rest";
const NONE = "\u0000none";

/** A report as series. `key` is what it is told apart by. */
export function seriesOf(report: UsageReport, key: string, every: Every): Series {
  const stretches = stretchesOf(Date.parse(report.since), Date.parse(report.until), every);
  const costs = stretches.map(() => 0);
  const calls = stretches.map(() => 0);
  const groups = new Map<string, Mutable>();
  for (const line of report.lines) {
    const name = line.keys[key] ?? null;
    const id = line.rest ? REST : (name ?? NONE);
    const group = groups.get(id) ?? begun(id, name, line, stretches.length);
    groups.set(id, group);
    const at = placeOf(stretches, line.at);
    add(group, line, at);
    costs[at] = (costs[at] ?? 0) + line.cost_micro_usd;
    calls[at] = (calls[at] ?? 0) + line.calls;
  }
  const sorted = [...groups.values()].sort(
    (a, b) => Number(a.rest) - Number(b.rest) || b.cost - a.cost || b.calls - a.calls,
  );
  return { stretches, costs, calls, groups: sorted };
}

type Mutable = { -readonly [Name in keyof Group]: Group[Name] extends readonly number[] ? number[] : Group[Name] };

function begun(id: string, name: string | null, line: UsageLine, length: number): Mutable {
  const nothing = { cost: 0, calls: 0, input: 0, cached: 0, output: 0, presumed: 0, saved: 0 };
  return { id, name, rest: line.rest, groups: line.groups, ...nothing, costs: Array.from({ length }, () => 0) };
}

function add(group: Mutable, line: UsageLine, at: number): void {
  group.groups = Math.max(group.groups, line.groups);
  group.cost += line.cost_micro_usd;
  group.calls += line.calls;
  group.input += line.input_tokens;
  group.cached += line.cache_read_tokens;
  group.output += line.output_tokens;
  group.presumed += line.presumed_micro_usd;
  group.saved += savedBy(line);
  group.costs[at] = (group.costs[at] ?? 0) + line.cost_micro_usd;
}

export function savedBy(
  line: Pick<UsageLine, "saved_cache_micro_usd" | "saved_route_micro_usd" | "saved_trim_micro_usd">,
): number {
  return line.saved_cache_micro_usd + line.saved_route_micro_usd + line.saved_trim_micro_usd;
}

/** The last stretch that begins no later than a line of the report does. */
function placeOf(stretches: readonly number[], at: string | null): number {
  const moment = at === null ? 0 : Date.parse(at);
  return Math.max(
    0,
    stretches.findLastIndex((begins) => begins <= moment),
  );
}

/** Round marks from zero to a little above the largest, at most four above zero. */
export function ticksOf(largest: number): number[] {
  if (largest <= 0) return [0, 1];
  const rough = largest / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((each) => each >= rough) ?? 10 * power;
  const found = [0];
  while ((found.at(-1) ?? 0) < largest) found.push(step * found.length);
  return found;
}

/** Micro-dollars on an axis: no more digits than the marks differ by. */
export function tickInWords(micro: number): string {
  if (micro === 0) return "$0";
  const usd = micro / 1e6;
  if (usd >= 1000) return `$${(usd / 1000).toLocaleString("en-US", { maximumFractionDigits: 1 })}k`;
  return usd >= 0.01 ? `$${Number(usd.toPrecision(3))}` : money(micro);
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** What a stretch is called: `14:00`, `12 Nov`, `Nov 2026`; longer where one reads it alone. */
export function stretchInWords(at: number, every: Every, alone = false): string {
  const then = new Date(at);
  const month = MONTHS[then.getMonth()] ?? "";
  const day = `${then.getDate()} ${month}`;
  if (every === "month") return alone ? `${month} ${then.getFullYear()}` : month;
  if (every === "day") return alone ? `${day} ${then.getFullYear()}` : day;
  const hour = `${String(then.getHours()).padStart(2, "0")}:00`;
  return alone ? `${day}, ${hour}` : hour;
}

/** Money that can be less than nothing: what was saved. */
export function signed(micro: number): string {
  return micro < 0 ? `−${money(-micro)}` : money(micro);
}

/** `41 %`, `0.4 %`; never 0 % for what is something. */
export function share(part: number): string {
  const percent = 100 * part;
  if (percent > 0 && percent < 0.1) return "< 0.1 %";
  return `${percent < 10 ? Number(percent.toFixed(1)) : Math.round(percent)} %`;
}
