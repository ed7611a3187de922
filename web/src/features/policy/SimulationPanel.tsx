/** A changed policy on the calls of the last days: which of them it would have judged differently. Nothing is kept. */
import { Button } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { ask } from "../../api/client";
import type { Simulation } from "../../api/shapes";
import { Fault } from "../../ui/Fault";
import { Filter, type Option } from "../../ui/Field";
import { Chip } from "../../ui/marks";
import { useNow } from "../../ui/now";
import page from "../../ui/Page.module.css";
import { Plain } from "../../ui/Prose";
import { clock, count, plural, shortId } from "../../ui/words";
import { Section } from "../run/Section";
import style from "./Policy.module.css";
import { toneOf } from "./rules";
import { type Found, NOTHING, together } from "./simulating";

const DAYS: readonly Option<string>[] = [
  ["1", "last day"],
  ["7", "last 7 days"],
  ["30", "last 30 days"],
  ["90", "last 90 days"],
];

interface Props {
  readonly name: string;
  /** Null: as if it were removed. */
  readonly text: string | null;
}

/** Rows that are shown; the number of all is said. */
const SHOWN = 200;

export function SimulationPanel({ name, text }: Props) {
  const [days, setDays] = useState("7");
  const { found, running, fault, begin, stop } = useSimulation(name, text);
  const now = useNow(false);
  const whole = !running && found !== null && fault === null;
  return (
    <Section
      name={text === null ? "If it were removed" : "On past calls"}
      beside={
        <span className={style.bar}>
          <Filter label="How far back" value={days} options={DAYS} choose={setDays} />
          {running ? (
            <Button size="compact-xs" onClick={stop}>
              Stop
            </Button>
          ) : (
            <Button size="compact-xs" onClick={() => begin(Number(days))}>
              {found === null ? "Try it" : "Again"}
            </Button>
          )}
        </span>
      }
    >
      {running && (
        <div className={style.progress} role="progressbar" aria-label="Looking at past calls">
          <i />
        </div>
      )}
      <Fault fault={fault} />
      {found !== null && (
        <p role="status">
          {whole ? "" : "So far: "}
          {plural(found.calls, "call")} of {plural(found.runs, "run")} looked at,{" "}
          <strong>
            {found.changed.length === 0
              ? "none judged differently"
              : `${count(found.changed.length)} judged differently`}
          </strong>
          {found.unread > 0 && `; ${plural(found.unread, "call")} of releases that are gone`}.
        </p>
      )}
      {found !== null && found.changed.length > 0 && (
        <table className={page.table} aria-label="Calls that would be judged differently">
          <thead>
            <tr>
              <th>Call</th>
              <th>Agent</th>
              <th>Before</th>
              <th>After</th>
              <th>Why</th>
              <th>Run</th>
            </tr>
          </thead>
          <tbody>
            {found.changed.slice(0, SHOWN).map((call) => (
              <tr key={`${call.run} ${call.step} ${call.call}`}>
                <td>
                  <code>{call.tool}</code>
                </td>
                <td>{call.agent}</td>
                <td>
                  <Chip tone={toneOf(call.before)}>{call.before}</Chip>
                </td>
                <td>
                  <Chip tone={toneOf(call.after)}>{call.after}</Chip>
                </td>
                <td className={style.list} title={`${call.reason} ${call.policies.join(", ")}`}>
                  <Plain text={call.reason === "" ? call.policies.join(", ") : call.reason} />
                </td>
                <td>
                  <Link to="/runs/$run" params={{ run: call.run }} className={page.link}>
                    {shortId(call.run)}
                  </Link>{" "}
                  <span className="muted">{clock(call.at, now)}</span>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {found !== null && found.changed.length > SHOWN && (
        <p className="muted">These are the first {SHOWN}; `qd policy simulate` lists all.</p>
      )}
    </Section>
  );
}

/** Asks page after page, and shows what was found so far. */
function useSimulation(name: string, text: string | null) {
  const [found, setFound] = useState<Found | null>(null);
  const [running, setRunning] = useState(false);
  const [fault, setFault] = useState<Error | null>(null);
  const control = useRef<AbortController | null>(null);
  useEffect(() => () => control.current?.abort(), []);
  const begin = (days: number): void => {
    control.current?.abort();
    const own = new AbortController();
    control.current = own;
    setRunning(true);
    setFault(null);
    setFound(NOTHING);
    const look = async (): Promise<void> => {
      let cursor: string | null = null;
      let all = NOTHING;
      do {
        const part: Simulation = await ask<Simulation>("/v1/policies/simulate", {
          method: "POST",
          body: { name, text, days, ...(cursor === null ? {} : { cursor }) },
          signal: own.signal,
        });
        all = together(all, part);
        setFound(all);
        cursor = part.next_cursor;
      } while (cursor !== null && !own.signal.aborted);
    };
    look()
      .catch((failed: unknown) => {
        if (!own.signal.aborted) setFault(failed instanceof Error ? failed : new Error(String(failed)));
      })
      .finally(() => {
        if (control.current === own) setRunning(false);
      });
  };
  const stop = (): void => {
    control.current?.abort();
    setRunning(false);
  };
  return { found, running, fault, begin, stop };
}
