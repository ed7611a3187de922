/** The frame around every page: where one is, who one is, and the way to anything. */
import { ActionIcon, useMantineColorScheme } from "@mantine/core";
import { Link, Outlet, useNavigate } from "@tanstack/react-router";
import { lazy, Suspense, useState } from "react";
import type { Role, Session } from "../api/shapes";
import { may } from "../features/sessions/rules";
import { Icon, type IconName } from "../ui/Icon";
import { Chip } from "../ui/marks";
import { Key } from "../ui/Empty";
import { openSwitches } from "../features/switches/panel";
import { Account } from "./Account";
import { AlertCount, READERS, StandingBar, SwitchesButton, SwitchesLayer, WaitingCount } from "./Gate";
import { type Binding, useKeys } from "./keys";
import style from "./Shell.module.css";

const Palette = lazy(() => import("./Palette"));
const Help = lazy(() => import("./Help"));

export interface Place {
  readonly to: "/runs" | "/approvals" | "/agents" | "/policy" | "/budgets" | "/usage" | "/audit" | "/keys";
  readonly word: string;
  readonly icon: IconName;
  readonly key: string;
  /** Who finds something there; everybody where it is left out. */
  readonly roles?: readonly Role[];
}

/** Only what exists. */
const PLACES: readonly Place[] = [
  { to: "/runs", word: "Runs", icon: "runs", key: "r" },
  { to: "/approvals", word: "Approvals", icon: "approval", key: "a", roles: READERS },
  { to: "/agents", word: "Agents", icon: "agents", key: "e" },
  { to: "/policy", word: "Tools & policy", icon: "policy", key: "p", roles: READERS },
  { to: "/budgets", word: "Budgets", icon: "budget", key: "b", roles: READERS },
  { to: "/usage", word: "Usage", icon: "usage", key: "c", roles: READERS },
  { to: "/audit", word: "Audit", icon: "audit", key: "u", roles: ["auditor"] },
  { to: "/keys", word: "Keys", icon: "keys", key: "k", roles: ["owner", "auditor"] },
];

export function placesOf(session: Session): readonly Place[] {
  return PLACES.filter((place) => place.roles === undefined || may(session, ...place.roles));
}

/** Which deployment this is, as the server wrote it into the page. Only production calls for attention. */
function Environment() {
  const name = document.querySelector<HTMLMetaElement>("meta[name=environment]")?.content ?? "";
  if (name === "") return null;
  return (
    <span className={style.environment}>
      <Chip tone={name === "production" ? "stop" : "quiet"}>{name}</Chip>
    </span>
  );
}

type Open = "palette" | "help" | null;

export function Shell({ session }: { readonly session: Session }) {
  const [open, setOpen] = useState<Open>(null);
  const navigate = useNavigate();
  const places = placesOf(session);
  const { colorScheme, setColorScheme } = useMantineColorScheme({ keepTransitions: true });
  const dark = colorScheme === "dark" || (colorScheme === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  const turn = (): void => setColorScheme(dark ? "light" : "dark");

  useKeys([
    { keys: "mod+k", words: "Find a run, an agent or a page", group: "Everywhere", act: () => setOpen("palette") },
    { keys: "?", words: "This help", group: "Everywhere", act: () => setOpen("help") },
    { keys: "g d", words: "Light or dark", group: "Everywhere", act: turn },
    ...(session.admin || may(session, ...READERS)
      ? [{ keys: "g s", words: "Switches: stop something now", group: "Everywhere", act: () => openSwitches() }]
      : []),
    ...places.map((place): Binding => ({
      keys: `g ${place.key}`,
      words: `Go to ${place.word}`,
      group: "Everywhere",
      act: () => void navigate({ to: place.to }),
    })),
  ]);

  return (
    <div className={style.shell}>
      <a className={style.skip} href="#main">
        Skip to the content
      </a>
      <header className={style.header}>
        <div className={style.home}>
          <Link to="/runs" className={style.brand} aria-label="Quarterdeck, to the runs">
            <Icon name="brand" size={18} />
            <span className={style.brandWord}>Quarterdeck</span>
          </Link>
          <Environment />
        </div>
        <button className={style.find} onClick={() => setOpen("palette")}>
          <Icon name="search" />
          <span className={style.findWord}>Find a run, an agent, a page</span>
          <Key>⌘K</Key>
        </button>
        <div className={style.tools}>
          <SwitchesButton session={session} />
          <ActionIcon title="Keyboard" aria-label="Keyboard help" onClick={() => setOpen("help")}>
            <Icon name="help" size={16} />
          </ActionIcon>

          <ActionIcon
            title={dark ? "Light" : "Dark"}
            aria-label={dark ? "Use light colours" : "Use dark colours"}
            onClick={turn}
          >
            <Icon name={dark ? "sun" : "moon"} size={16} />
          </ActionIcon>

          <Account session={session} />
        </div>
      </header>
      <StandingBar session={session} />
      <nav className={style.nav} aria-label="Pages">
        {places.map((place) => (
          <Link key={place.to} to={place.to} className={style.place} activeProps={{ "data-here": true }}>
            <Icon name={place.icon} size={15} />
            <span className={style.placeWord}>{place.word}</span>
            {place.to === "/approvals" && <WaitingCount session={session} />}
            {place.to === "/budgets" && <AlertCount session={session} />}
          </Link>
        ))}
      </nav>
      <main id="main" className={style.main} tabIndex={-1}>
        <Outlet />
      </main>
      <Suspense fallback={null}>
        {open === "palette" && <Palette places={places} session={session} close={() => setOpen(null)} />}
        {open === "help" && <Help close={() => setOpen(null)} />}
      </Suspense>
      <SwitchesLayer />
    </div>
  );
}
