/** ⌘K: pages, agents and runs in one list; a pasted run id goes straight to the run. */
import "@mantine/core/styles/Paper.layer.css";
import "@mantine/core/styles/Overlay.layer.css";
import "@mantine/core/styles/ModalBase.layer.css";
import "@mantine/core/styles/Modal.layer.css";
import { Modal } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type KeyboardEvent, type ReactNode, useDeferredValue, useId, useState } from "react";
import { ask } from "../api/client";
import { agentsQuery } from "../api/queries";
import type { RunPage, Session } from "../api/shapes";
import { may } from "../features/sessions/rules";
import { openSwitches } from "../features/switches/panel";
import { Icon, type IconName } from "../ui/Icon";
import { State } from "../ui/marks";
import { Plain } from "../ui/Prose";
import { shortId } from "../ui/words";
import { READERS } from "./Gate";
import style from "./Palette.module.css";
import type { Place } from "./Shell";

interface Entry {
  readonly id: string;
  readonly group: string;
  readonly icon: IconName;
  readonly words: string;
  readonly beside: ReactNode;
  readonly go: () => void;
}

const RUN_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

interface Props {
  readonly places: readonly Place[];
  readonly session: Session;
  readonly close: () => void;
}

export default function Palette({ places, session, close }: Props) {
  const [words, setWords] = useState("");
  const [at, setAt] = useState(0);
  const list = useId();
  const entries = useEntries(words.trim(), places, session);
  const chosen = Math.min(at, entries.length - 1);

  const go = (entry: Entry | undefined): void => {
    if (entry === undefined) return;
    close();
    entry.go();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0) {
      event.preventDefault();
      setAt((chosen + step + entries.length) % Math.max(1, entries.length));
    } else if (event.key === "Enter") {
      event.preventDefault();
      go(entries[chosen]);
    }
  };

  return (
    <Modal.Root opened onClose={close} padding={0} size={580}>
      <Modal.Overlay backgroundOpacity={0.32} />
      <Modal.Content aria-label="Find anything">
        <div className={style.box}>
          <Icon name="search" size={15} className={style.lens} />
          <input
            className={style.field}
            placeholder="Find a run, an agent, a page, or paste a run id"
            aria-label="Find"
            role="combobox"
            aria-expanded
            aria-controls={list}
            aria-activedescendant={entries[chosen] && `${list}-${entries[chosen].id}`}
            data-autofocus
            value={words}
            onChange={(event) => {
              setWords(event.currentTarget.value);
              setAt(0);
            }}
            onKeyDown={onKeyDown}
          />
        </div>
        <div id={list} role="listbox" aria-label="Found" className={style.list}>
          {entries.map((entry, index) => (
            <div key={entry.id} role="presentation">
              {entries[index - 1]?.group !== entry.group && (
                <div className={style.group} aria-hidden>
                  {entry.group}
                </div>
              )}
              <div
                id={`${list}-${entry.id}`}
                role="option"
                aria-selected={index === chosen}
                className={style.entry}
                onMouseMove={() => setAt(index)}
                onClick={() => go(entry)}
              >
                <Icon name={entry.icon} />
                <span className={style.words}>
                  <Plain text={entry.words} />
                </span>
                <span className={style.beside}>{entry.beside}</span>
              </div>
            </div>
          ))}
          {entries.length === 0 && <p className={style.none}>Nothing is called that.</p>}
        </div>
      </Modal.Content>
    </Modal.Root>
  );
}

function useEntries(words: string, places: readonly Place[], session: Session): Entry[] {
  const navigate = useNavigate();
  const wanted = useDeferredValue(words);
  const agents = useQuery(agentsQuery).data?.items ?? [];
  const runs = useQuery({
    queryKey: ["runs", "find", wanted],
    queryFn: ({ signal }) => ask<RunPage>("/v1/runs", { params: { q: wanted, limit: 8 }, signal }),
    enabled: !RUN_ID.test(wanted),
    placeholderData: (before) => before,
  }).data;

  if (RUN_ID.test(words)) {
    const go = (): void => void navigate({ to: "/runs/$run", params: { run: words.toLowerCase() } });
    return [{ id: "id", group: "Run", icon: "run", words: `Open run ${shortId(words)}`, beside: null, go }];
  }
  const fits = (name: string): boolean => name.toLowerCase().includes(words.toLowerCase());
  const deed = (id: string, words: string, beside: string, go: () => void): Entry => {
    return { id, group: "Switches", icon: "hand", words, beside, go };
  };
  const deeds: Entry[] = [
    ...(session.admin || may(session, "operator")
      ? [deed("throw", "Throw a switch: stop something now", "", () => openSwitches({}))]
      : []),
    ...(session.admin || may(session, ...READERS)
      ? [
          deed("standing", "Switches that stand, to lift them", "g s", () => openSwitches()),
          deed("thrown", "All switches that were ever thrown", "", () => void navigate({ to: "/switches" })),
        ]
      : []),
  ];
  return [
    ...places
      .filter((place) => fits(place.word))
      .map((place) => ({
        id: place.to,
        group: "Pages",
        icon: place.icon,
        words: place.word,
        beside: `g ${place.key}`,
        go: () => void navigate({ to: place.to }),
      })),
    ...deeds.filter((deed) => fits(deed.words)),
    ...agents
      .filter((agent) => fits(agent.name))
      .slice(0, 5)
      .map((agent) => ({
        id: `agent-${agent.name}`,
        group: "Runs of an agent",
        icon: "agents" as const,
        words: agent.name,
        beside: agent.owner,
        go: () => void navigate({ to: "/runs", search: { agent: agent.name } }),
      })),
    ...(runs?.items ?? []).map((run) => ({
      id: run.run_id,
      group: words === "" ? "Latest runs" : "Runs",
      icon: "run" as const,
      words: run.title || run.agent,
      beside: <State status={run.status} />,
      go: () => void navigate({ to: "/runs/$run", params: { run: run.run_id } }),
    })),
  ];
}
