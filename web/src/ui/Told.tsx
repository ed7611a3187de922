/** A sentence of the server's in which `names` stand between backticks: they are set as code, all else as it is. */
import type { ReactNode } from "react";
import { Plain } from "./Prose";

export function Told({ text }: { readonly text: string }): ReactNode {
  // Every second piece stands between two backticks; one that is never closed is left as it was written.
  const pieces = text.split("`");
  if (pieces.length % 2 === 0) return <Plain text={text} />;
  return pieces.map((piece, at) =>
    at % 2 === 1 ? (
      <code key={at}>
        <Plain text={piece} />
      </code>
    ) : (
      <Plain key={at} text={piece} />
    ),
  );
}
