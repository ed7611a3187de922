/** A few ways to look at the same page, side by side. */
import { count } from "./words";
import style from "./Views.module.css";

interface Props<Name extends string> {
  readonly label: string;
  readonly views: readonly (readonly [name: Name, words: string, n?: number | undefined])[];
  readonly view: Name;
  readonly show: (name: Name) => void;
}

export function Views<Name extends string>({ label, views, view, show }: Props<Name>) {
  return (
    <div className={style.views} role="group" aria-label={label}>
      {views.map(([name, words, n]) => (
        <button key={name} className={style.view} aria-pressed={name === view} onClick={() => show(name)}>
          {words}
          {n !== undefined && n > 0 && <span className={style.n}>{count(n)}</span>}
        </button>
      ))}
    </div>
  );
}
