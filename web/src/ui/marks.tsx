/** State and risk as people see them: a shape, a word and, only where something is at stake, a colour. */
import { memo, type ReactNode } from "react";
import type { Risk, Status } from "../api/shapes";
import { Icon } from "./Icon";
import style from "./marks.module.css";
import { RISKS, STANDINGS, type Tone } from "./words";

/** Each state has a shape of its own, so that nothing is told by colour alone. */
const SHAPES: Readonly<Record<Status, ReactNode>> = {
  queued: (
    <circle cx="5" cy="5" r="3.6" fill="none" stroke="currentColor" strokeWidth="1.3" strokeDasharray="1.9 1.87" />
  ),
  running: (
    <g className={style.spin}>
      <circle cx="5" cy="5" r="3.8" fill="none" stroke="currentColor" strokeWidth="1.6" opacity="0.3" />
      <path d="M5 1.2A3.8 3.8 0 0 1 8.8 5" fill="none" stroke="currentColor" strokeWidth="1.8" strokeLinecap="round" />
    </g>
  ),
  waiting_for_approval: <path d="M5 0.3L9.7 5 5 9.7 0.3 5z" fill="currentColor" />,
  waiting_for_connection: <path d="M5 0.3L9.7 5 5 9.7 0.3 5z" fill="currentColor" />,
  waiting_for_outcome: <path d="M5 0.3L9.7 5 5 9.7 0.3 5z" fill="currentColor" />,
  waiting_for_retry: (
    <path d="M8.6 5A3.6 3.6 0 1 1 7.3 2.2M8.8 0.6v2.2H6.6" fill="none" stroke="currentColor" strokeWidth="1.4" />
  ),
  cancelling: (
    <rect x="1.4" y="1.4" width="7.2" height="7.2" rx="1" fill="none" stroke="currentColor" strokeWidth="1.6" />
  ),
  succeeded: <circle cx="5" cy="5" r="3" fill="currentColor" />,
  failed: <path d="M1.5 1.5l7 7M8.5 1.5l-7 7" stroke="currentColor" strokeWidth="2.1" strokeLinecap="round" />,
  stopped: <rect x="1" y="1" width="8" height="8" rx="1.2" fill="currentColor" />,
  cancelled: <path d="M1.5 5h7" stroke="currentColor" strokeWidth="2" strokeLinecap="round" />,
};

const Glyph = memo(function Glyph({ status, tone }: { readonly status: Status; readonly tone: Tone }) {
  return (
    <svg
      className={`${style.glyph} ${tone === "quiet" ? style.quietGlyph : ""}`}
      viewBox="0 0 10 10"
      aria-hidden="true"
    >
      {SHAPES[status]}
    </svg>
  );
});

export function State({ status, strong = false }: { readonly status: Status; readonly strong?: boolean }) {
  const standing = STANDINGS[status];
  const tone = standing.tone === "quiet" ? "" : `tone-${standing.tone}`;
  return (
    <span className={`${style.state} ${tone}`}>
      <Glyph status={status} tone={standing.tone} />
      <span className={strong || standing.tone !== "quiet" ? style.word : undefined}>{standing.word}</span>
    </span>
  );
}

/** Nothing for reads: quiet is the rule, risk is what stands out. */
export function RiskChip({ risk, always = false }: { readonly risk: Risk | null; readonly always?: boolean }) {
  if (risk === null || (risk === "read" && !always)) return null;
  const { word, tone } = RISKS[risk];
  return (
    <span className={`${style.chip} tone-${tone} ${risk === "read" ? style.plain : ""}`} title={`Risk: ${word}`}>
      {risk === "irreversible" && <Icon name="warn" size={11} />}
      {word}
    </span>
  );
}

export function Chip({ tone = "quiet", children }: { readonly tone?: Tone; readonly children: ReactNode }) {
  return <span className={`${style.chip} tone-${tone} ${tone === "quiet" ? style.plain : ""}`}>{children}</span>;
}
