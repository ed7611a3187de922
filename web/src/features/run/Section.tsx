/** The parts of the detail pane: a named block, and names with values. */
import type { ReactNode } from "react";
import type { Tone } from "../../ui/words";
import style from "./Section.module.css";

interface Props {
  readonly name: string;
  readonly tone?: Tone;
  readonly beside?: ReactNode;
  readonly children: ReactNode;
}

export function Section({ name, tone = "quiet", beside, children }: Props) {
  return (
    <section className={style.section}>
      <div className={style.head}>
        <h3 className={tone === "quiet" ? "" : `tone-${tone}`}>{name}</h3>
        <span className={style.beside}>{beside}</span>
      </div>
      {children}
    </section>
  );
}

export function Pairs({ pairs }: { readonly pairs: readonly (readonly [string, ReactNode])[] }) {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  if (known.length === 0) return null;
  return (
    <dl className={style.pairs}>
      {known.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
