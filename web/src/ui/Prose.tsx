/** Text that others wrote. Never markup: no HTML, no images, no links of its own. */
import { type ReactNode, useState } from "react";
import { beginning, reveal } from "./prose";
import style from "./ui.module.css";

/** A few words in a line of ours: a title, a cause, a name. What can't be seen in them is shown by its code. */
export function Plain({ text }: { readonly text: string }): ReactNode {
  const pieces = reveal(text);
  if (pieces.length === 1 && pieces[0]?.hidden === false) return text;
  return pieces.map((piece, at) =>
    piece.hidden ? (
      <span key={at} className={style.hidden} title="A character that can't be seen stands here">
        {piece.text}
      </span>
    ) : (
      piece.text
    ),
  );
}

interface Props {
  readonly text: string;
  /** Lines that are shown before one asks for the rest. */
  readonly lines?: number;
  readonly mono?: boolean;
}

export function Prose({ text, lines = 40, mono = false }: Props) {
  const [whole, setWhole] = useState(false);
  const start = beginning(text, lines, lines * 160);
  const shown = whole ? text : start.text;
  return (
    <>
      <div className={`${style.prose} ${mono ? "mono" : ""}`}>
        <Plain text={shown} />
      </div>
      {start.more > 0 && (
        <button className={style.more} onClick={() => setWhole(!whole)} aria-expanded={whole}>
          {whole ? "Show less" : start.more > 1 ? `Show ${start.more} more lines` : "Show all"}
        </button>
      )}
    </>
  );
}
