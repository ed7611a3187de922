/** The five ways to look at a run. */
import { type KeyboardEvent, useRef } from "react";
import type { Trace } from "../../api/shapes";
import { TABS, type Tab } from "../../routes";
import { count } from "../../ui/words";
import { linesOf } from "./costs";
import style from "./Tabs.module.css";

interface Props {
  readonly trace: Trace;
  readonly tab: Tab;
  readonly show: (tab: Tab) => void;
}

const WORDS: Readonly<Record<Tab, string>> = {
  waterfall: "Waterfall",
  conversation: "Conversation",
  effects: "Effects",
  cost: "Cost",
  raw: "Raw",
};

export function Tabs({ trace, tab, show }: Props) {
  const list = useRef<HTMLDivElement>(null);
  const counts: Readonly<Record<Tab, number>> = {
    waterfall: trace.spans.length,
    conversation: trace.conversation.length,
    effects: trace.effects.length,
    cost: linesOf(trace).length,
    raw: trace.run.last_seq,
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (by === 0) return;
    event.preventDefault();
    event.stopPropagation();
    const next = TABS[(TABS.indexOf(tab) + by + TABS.length) % TABS.length] ?? tab;
    show(next);
    list.current?.querySelector<HTMLElement>(`#tab-${next}`)?.focus();
  };
  return (
    <div ref={list} className={style.tabs} role="tablist" aria-label="Views of the run" onKeyDown={onKeyDown}>
      {TABS.map((name) => (
        <button
          key={name}
          id={`tab-${name}`}
          role="tab"
          aria-selected={name === tab}
          aria-controls={`panel-${name}`}
          tabIndex={name === tab ? 0 : -1}
          className={style.tab}
          onClick={() => show(name)}
        >
          {WORDS[name]}
          <span className={style.n}>{count(counts[name])}</span>
        </button>
      ))}
    </div>
  );
}
