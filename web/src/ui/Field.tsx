/** A choice of a few words: the browser's own select, which every keyboard and screen reader knows. */
import type { ReactNode } from "react";
import style from "./Form.module.css";

export type Option<Value extends string> = readonly [value: Value, words: string];

interface Props<Value extends string> {
  readonly label: string;
  readonly value: Value;
  readonly options: readonly Option<Value>[];
  readonly choose: (value: Value) => void;
  readonly hint?: ReactNode;
}

/** In a form, under its name. */
export function Choice<Value extends string>({ label, value, options, choose, hint }: Props<Value>) {
  return (
    <label className={style.field}>
      <span className={style.name}>{label}</span>
      {hint !== undefined && <span className={style.hint}>{hint}</span>}
      <Options value={value} options={options} choose={choose} />
    </label>
  );
}

/** In a bar above a list, named for those who can't see it; marked where it filters. */
export function Filter<Value extends string>({ label, value, options, choose }: Omit<Props<Value>, "hint">) {
  return (
    <Options
      label={label}
      value={value}
      options={options}
      choose={choose}
      on={options[0]?.[0] === "" && value !== ""}
    />
  );
}

function Options<Value extends string>({
  label,
  value,
  options,
  choose,
  on = false,
}: Omit<Props<Value>, "label" | "hint"> & { readonly label?: string; readonly on?: boolean }) {
  // What is chosen can always be seen, also where nothing of it is left to choose.
  const all = options.some(([each]) => each === value) ? options : [...options, [value, value] as const];
  return (
    <select
      className={style.select}
      aria-label={label}
      data-on={on || undefined}
      value={value}
      onChange={(event) => choose(event.currentTarget.value as Value)}
    >
      {all.map(([each, words]) => (
        <option key={each} value={each}>
          {words}
        </option>
      ))}
    </select>
  );
}
