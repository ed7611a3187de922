/** A value as JSON: names dimmed so that the values stand out, hidden characters shown, with a button to copy it. */
import { memo, type ReactNode } from "react";
import { CopyButton } from "./Copy";
import { pretty } from "./prose";
import { Plain } from "./Prose";
import style from "./ui.module.css";

// Past this a viewer is the wrong tool; the copy button still has everything.
const LIMIT = 200_000;

export const Json = memo(function Json({ value, what = "JSON" }: { readonly value: unknown; readonly what?: string }) {
  const text = pretty(value);
  return (
    <div className={style.json}>
      <pre tabIndex={0} aria-label={what}>
        {dimmed(text.slice(0, LIMIT))}
      </pre>
      <CopyButton text={text} what={what} />
    </div>
  );
});

function dimmed(text: string): ReactNode[] {
  return text.split("\n").map((line, at) => {
    const name = /^(\s*)("(?:[^"\\]|\\.)*":)(.*)$/.exec(line);
    if (name === null)
      return (
        <span key={at}>
          <Plain text={`${line}\n`} />
        </span>
      );
    return (
      <span key={at}>
        {name[1]}
        <span className={style.jsonKey}>
          <Plain text={name[2] ?? ""} />
        </span>
        <Plain text={`${name[3] ?? ""}\n`} />
      </span>
    );
  });
}
