import { useEffect, useState } from "react";
import { Icon, type IconName } from "./Icon";
import style from "./ui.module.css";

/** Puts text on the clipboard; on plain http, where browsers give none, through a selection. */
export async function copy(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    return;
  } catch {
    // Not a secure context, or not allowed: the old way works there.
  }
  const field = document.createElement("textarea");
  field.value = text;
  field.setAttribute("readonly", "");
  field.className = "unseen";
  document.body.append(field);
  field.select();
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- there is nothing else on plain http
  document.execCommand("copy");
  field.remove();
}

interface Props {
  readonly text: string | (() => string);
  readonly what: string;
  readonly icon?: IconName;
}

export function CopyButton({ text, what, icon = "copy" }: Props) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return;
    const timer = setTimeout(() => setDone(false), 1400);
    return () => clearTimeout(timer);
  }, [done]);
  const label = done ? "Copied" : `Copy ${what}`;
  return (
    <button
      className={style.copy}
      title={label}
      aria-label={label}
      onClick={(event) => {
        event.stopPropagation();
        void copy(typeof text === "string" ? text : text()).then(() => setDone(true));
      }}
    >
      <Icon name={done ? "check" : icon} size={13} />
    </button>
  );
}
