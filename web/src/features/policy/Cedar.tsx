/** The text of a policy, with what was found in it beside the line that it is about. */
import { Fragment } from "react";
import type { Finding } from "../../api/shapes";
import { Plain } from "../../ui/Prose";
import { Told } from "../../ui/Told";
import style from "./Policy.module.css";
import { byLine } from "./rules";

interface Props {
  readonly text: string;
  readonly findings?: readonly Finding[];
  readonly numbered?: boolean;
  readonly label?: string;
}

export function Cedar({ text, findings = [], numbered = true, label = "Policy text" }: Props) {
  const lines = text.split("\n");
  const found = byLine(findings, lines.length);
  return (
    <pre className={style.cedar} data-plain={!numbered || undefined} tabIndex={0} aria-label={label}>
      <Said findings={found.get(0) ?? []} />
      {lines.map((line, at) => (
        <Fragment key={at}>
          <span
            className={style.row}
            data-bad={(found.get(at + 1) ?? []).some((finding) => !finding.warning) || undefined}
          >
            <Plain text={line === "" ? " " : line} />
          </span>
          <Said findings={found.get(at + 1) ?? []} />
        </Fragment>
      ))}
    </pre>
  );
}

function Said({ findings }: { readonly findings: readonly Finding[] }) {
  return findings.map((finding, at) => (
    <span key={at} className={`${style.finding} ${finding.warning ? "tone-stop" : "tone-fail"}`}>
      {finding.line >= 1 && `${finding.line}:${finding.column} `}
      <Told text={`${finding.problem}; ${finding.fix}`} />
    </span>
  ));
}
