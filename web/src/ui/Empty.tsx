/** Places where there is nothing to see say why, and what to do: none yet, filtered away, not permitted, out of reach. */
import { Button } from "@mantine/core";
import type { ReactNode } from "react";
import { isProblem } from "../api/problems";
import { MOST } from "../api/queries";
import { CopyButton } from "./Copy";
import { Icon, type IconName } from "./Icon";
import style from "./ui.module.css";

interface Props {
  readonly icon: IconName;
  readonly title: string;
  readonly children?: ReactNode;
  readonly command?: string;
  readonly actions?: ReactNode;
}

export function Empty({ icon, title, children, command, actions }: Props) {
  return (
    <div className={style.empty}>
      <Icon name={icon} size={22} className={style.emptyIcon} />
      <h2>{title}</h2>
      {children !== undefined && <p>{children}</p>}
      {command !== undefined && <Command text={command} />}
      {actions !== undefined && <div className={style.emptyActions}>{actions}</div>}
    </div>
  );
}

export function Command({ text }: { readonly text: string }) {
  return (
    <div className={style.command}>
      <code>{text}</code>
      <CopyButton text={text} what="command" />
    </div>
  );
}

/** A view that could not be loaded. What kind of no it was decides what is offered. */
export function Trouble({
  fault,
  retry,
  what,
}: {
  readonly fault: unknown;
  readonly retry?: () => void;
  readonly what: string;
}) {
  if (isProblem(fault, 403)) {
    return (
      <Empty icon="policy" title={`You may not see ${what}`}>
        {fault.facts.detail} Ask an owner of this tenant for a key with another role.
      </Empty>
    );
  }
  if (isProblem(fault, 404)) {
    return (
      <Empty icon="search" title={`There is no such thing here`}>
        It may belong to another tenant, or the link is cut short.
      </Empty>
    );
  }
  const again = retry !== undefined && (
    <Button onClick={retry} leftSection={<Icon name="retry" />}>
      Try again
    </Button>
  );
  if (!isProblem(fault)) {
    return (
      <Empty icon="warn" title={`Something went wrong while showing ${what}`} actions={again}>
        {fault instanceof Error ? fault.message : String(fault)}
      </Empty>
    );
  }
  return (
    <Empty icon="warn" title={fault.facts.title} actions={again}>
      {fault.facts.detail !== fault.facts.title && `${fault.facts.detail} `}
      <span className="muted">
        {fault.facts.code}
        {fault.facts.request !== null && ` · request ${fault.facts.request}`}
      </span>
    </Empty>
  );
}

const WIDTHS = [62, 48, 71, 55, 66, 43, 58, 69, 51, 61];

/** Rows that are on their way. */
export function Bones({ rows = 10 }: { readonly rows?: number }) {
  return (
    <div className={style.bones} role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, at) => (
        <div
          key={at}
          className={style.bone}
          style={{ "--w": `${WIDTHS[at % WIDTHS.length]}%` } as React.CSSProperties}
        />
      ))}
    </div>
  );
}

export function Key({ children }: { readonly children: string }) {
  return <kbd className={style.kbd}>{children}</kbd>;
}

/** Says that a list goes on where it ends. */
export function Rest({ next, what }: { readonly next: string | null; readonly what: string }) {
  if (next === null) return null;
  return (
    <p className={style.rest}>
      These are the first {MOST} {what}; the API and `qd` list all of them.
    </p>
  );
}
