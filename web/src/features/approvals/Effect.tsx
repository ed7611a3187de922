/** The exact effect in words, and every argument beside what was approved the last time and where it comes from. */
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import type { Approval } from "../../api/shapes";
import { Icon } from "../../ui/Icon";
import { Json } from "../../ui/Json";
import { Chip, RiskChip } from "../../ui/marks";
import { useNow } from "../../ui/now";
import { OriginMark } from "../../ui/origins";
import page from "../../ui/Page.module.css";
import { Plain, Prose } from "../../ui/Prose";
import { clock, plural, shortId, spaced } from "../../ui/words";
import style from "./Effect.module.css";
import { countdown, type Line, linesOf, short, verdictOf } from "./rules";

export function Effect({ approval, linked = true }: { readonly approval: Approval; readonly linked?: boolean }) {
  const now = useNow();
  const left = countdown(approval.expires_at, now);
  const pending = approval.state === "pending";
  return (
    <>
      <div className={style.head}>
        <RiskChip risk={approval.risk_level} always />
        {!pending && <Chip tone={approval.state === "denied" ? "stop" : "quiet"}>{approval.state}</Chip>}
        <span className="muted">{spaced(approval.effect)}</span>
        {pending && <span className={left.urgent ? "tone-stop" : "muted"}>{left.words}</span>}
      </div>
      <h2 className={style.summary}>
        <Plain text={approval.summary || approval.tool} />
      </h2>
      <p className={style.facts}>
        <span>
          <code>{approval.tool}</code>
        </span>
        <span>
          {approval.agent} for <Plain text={approval.user_id} />
        </span>
        <span>
          asked {clock(approval.asked_at, now)}
          {pending && `, ${short(now - Date.parse(approval.asked_at))} ago`}
        </span>
        {linked && (
          <Link to="/runs/$run" params={{ run: approval.run_id }} className={page.link}>
            run {shortId(approval.run_id)}, step {approval.step}
          </Link>
        )}
      </p>
      {(!pending || approval.people > 1) && <Standing approval={approval} />}
      <Arguments approval={approval} />
    </>
  );
}

/** What has been said so far, and what became of it. */
function Standing({ approval }: { readonly approval: Approval }) {
  const now = useNow(false);
  return (
    <div className={style.standing}>
      <p>{verdictOf(approval)}</p>
      {approval.why !== "" && <Prose text={approval.why} lines={6} />}
      {approval.state === "pending" &&
        approval.votes.map((vote) => (
          <p key={vote.by} className="muted">
            <Icon name="check" size={11} /> <Plain text={vote.by} /> said yes at {clock(vote.at, now)}
          </p>
        ))}
      {approval.state === "pending" && (
        <p className="muted">
          {plural(approval.people, "different person", "different people")} have to say yes, to the same arguments.
        </p>
      )}
      {approval.consumed_at !== null && (
        <p className="muted">Used up by the call at {clock(approval.consumed_at, now)}.</p>
      )}
    </div>
  );
}

function Arguments({ approval }: { readonly approval: Approval }) {
  const [raw, setRaw] = useState(false);
  const now = useNow(false);
  const asked = approval.edited ?? approval.arguments;
  // A reviewer's own edit is compared with what the agent wanted; else, with what was approved the last time.
  const edited = approval.edited !== null;
  const previous = previousOf(approval);
  const before = edited ? approval.arguments : (previous?.arguments ?? null);
  const origins = edited ? editedOrigins(approval) : approval.origins;
  const lines = linesOf(asked, before, origins);
  return (
    <>
      <div className={style.title}>
        <h3>
          {edited ? "Arguments, as a reviewer changed them" : "Arguments"}
          {!edited &&
            (before !== null
              ? ", beside those approved last"
              : approval.state === "pending"
                ? ", never approved for this tool before"
                : "")}
          {!edited && previous?.at != null && ` (${clock(previous.at, now)})`}
        </h3>
        <button onClick={() => setRaw(!raw)} aria-expanded={raw}>
          {raw ? "as a table" : "as JSON"}
        </button>
      </div>
      {raw ? (
        <Json value={asked} what="arguments" />
      ) : lines.length === 0 ? (
        <p className={style.none}>It takes none.</p>
      ) : (
        <div className={style.frame}>
          <table className={style.table} aria-label="Arguments">
            <thead>
              <tr>
                <th>Argument</th>
                <th>Value</th>
                {before !== null && <th>{edited ? "As the agent wanted" : "Last approved"}</th>}
                <th>Comes from</th>
              </tr>
            </thead>
            <tbody>
              {lines.map((line) => (
                <tr key={line.path}>
                  <th scope="row">
                    <Plain text={line.path} />
                  </th>
                  <td>
                    <Value line={line} />
                  </td>
                  {before !== null && (
                    <td className={`${style.value} ${style.before}`}>
                      {line.change === "same" ? <span title="The same">=</span> : <Plain text={said(line.before)} />}
                    </td>
                  )}
                  <td>
                    <OriginMark origin={line.origin} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}

const MARKS: Readonly<Record<Line["change"], string>> = {
  same: "",
  alone: "",
  changed: "changed",
  added: "new",
  removed: "gone",
};

function Value({ line }: { readonly line: Line }) {
  const differs = MARKS[line.change] !== "";
  const text = line.change === "removed" ? "–" : said(line.value);
  return (
    <div className={style.value}>
      <span className={differs && line.change !== "removed" ? style.new : undefined}>
        {text.length > 400 ? <Prose text={text} lines={6} mono /> : <Plain text={text} />}
      </span>
      {differs && <span className={style.mark}>{MARKS[line.change]}</span>}
    </div>
  );
}

/** A value as text: words without quotes, all else as JSON. */
function said(value: unknown): string {
  if (value === undefined) return "–";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** What was approved before this question: for one of the past, what is known may have come later, or be itself. */
function previousOf(approval: Approval): Approval["previous"] {
  const { previous } = approval;
  if (previous?.at != null && Date.parse(previous.at) >= Date.parse(approval.asked_at)) return null;
  return previous;
}

/** What a reviewer has put in comes from the reviewer; the rest from where it came. */
function editedOrigins(approval: Approval): Readonly<Record<string, string>> {
  const lines = linesOf(approval.edited ?? {}, approval.arguments, approval.origins);
  return Object.fromEntries(
    lines
      .filter((line) => line.change !== "removed")
      .map((line) => [line.path, line.change === "same" ? (line.origin ?? "model") : "reviewer"]),
  );
}
