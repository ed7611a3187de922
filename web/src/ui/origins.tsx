/** Where a value can have come from: a shape and a word, with a colour only where outsiders can have written it. */
import type { ReactNode } from "react";
import style from "./origins.module.css";
import { Plain } from "./Prose";

interface Said {
  readonly word: string;
  readonly title: string;
  readonly shape: ReactNode;
}

const DISC = <circle cx="5" cy="5" r="3.6" fill="currentColor" />;
const RING = <circle cx="5" cy="5" r="3.4" fill="none" stroke="currentColor" strokeWidth="1.4" />;
const SQUARE = <rect x="1.6" y="1.6" width="6.8" height="6.8" rx="1" fill="currentColor" />;
const DASHED = (
  <circle cx="5" cy="5" r="3.6" fill="none" stroke="currentColor" strokeWidth="1.3" strokeDasharray="1.9 1.87" />
);
const WARNING = <path d="M5 0.8L9.6 9H0.4z" fill="currentColor" />;

const SAID: Readonly<Record<string, Said>> = {
  author: { word: "author", title: "Stands in the agent's own prompt or settings", shape: DISC },
  user: { word: "user", title: "The user's own words", shape: DISC },
  reviewer: { word: "reviewer", title: "A reviewer has put it there", shape: DISC },
  trusted: { word: "trusted tool", title: "The answer of a tool that outsiders can't write to", shape: SQUARE },
  endorsed: { word: "user named it", title: "Read from outside, and the user's own words name it", shape: RING },
  model: { word: "model", title: "Found nowhere but in the model's own words", shape: DASHED },
  untrusted: { word: "untrusted", title: "Outsiders can have written this", shape: WARNING },
};

export function OriginMark({ origin }: { readonly origin: string | null }) {
  if (origin === null) return <span className="muted">–</span>;
  const said = SAID[origin];
  const bad = origin === "untrusted" || said === undefined;
  return (
    <span className={`${style.origin} ${bad ? "tone-stop" : ""}`} title={said?.title}>
      <svg className={style.shape} viewBox="0 0 10 10" aria-hidden="true">
        {said?.shape ?? WARNING}
      </svg>
      {said?.word ?? <Plain text={origin} />}
    </span>
  );
}
