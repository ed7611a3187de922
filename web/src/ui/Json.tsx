/** A value as JSON: names dimmed so that the values stand out, hidden characters shown, with a button to copy it. */
import { memo, type ReactNode } from "react";
import { CopyButton } from "./Copy";
import { pretty, reveal } from "./prose";
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
    if (name === null) return <span key={at}>{shown(`${line}\n`)}</span>;
    return (
      <span key={at}>
        {name[1]}
        <span className={style.jsonKey}>{shown(name[2] ?? "")}</span>
        {shown(`${name[3] ?? ""}\n`)}
      </span>
    );
  });
}

function shown(text: string): ReactNode {
  const pieces = reveal(text);
  if (pieces.length === 1 && pieces[0]?.hidden === false) return text;
  return pieces.map((piece, at) =>
    piece.hidden ? (
      <span key={at} className={style.hidden}>
        {piece.text}
      </span>
    ) : (
      piece.text
    ),
  );
}
