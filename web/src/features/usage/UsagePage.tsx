/** Who spends what: over time, by whom, how unevenly, which runs stand out, and what was saved. */
import { getRouteApi } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { actingIn, query } from "../../api/client";
import { USAGE_TABS, type UsageTab } from "../../routes";
import { useKeys } from "../../shell/keys";
import { Bones } from "../../ui/Empty";
import { Filter } from "../../ui/Field";
import { Icon } from "../../ui/Icon";
import { useNow } from "../../ui/now";
import page from "../../ui/Page.module.css";
import { Views } from "../../ui/Views";
import { AMONG, exportParams, keyOf, type Looked, lookedOf, type Period, PERIODS, sinceOf, USUAL } from "./filters";
import { Report } from "./Report";
import style from "./Usage.module.css";

const Spread = lazy(() => import("./Spread"));
const Outlying = lazy(() => import("./Outlying"));
const Saved = lazy(() => import("./Saved"));

const route = getRouteApi("/inside/usage");

const WORDS: Readonly<Record<UsageTab, string>> = {
  report: "Cost over time",
  who: "Who spends most",
  outliers: "Runs that stand out",
  savings: "Savings",
};

export default function UsagePage() {
  const search = route.useSearch();
  const { tab = "report" } = search;
  const navigate = route.useNavigate();
  const looked = lookedOf({ ...search });
  const show = (name: UsageTab): void =>
    void navigate({ search: { ...looked, ...(name === "report" ? {} : { tab: name }) }, replace: true });
  const look = (next: Looked): void =>
    void navigate({ search: { ...looked, ...next, ...(tab === "report" ? {} : { tab }) }, replace: true });
  useKeys(
    USAGE_TABS.map((name, at) => ({ keys: String(at + 1), words: WORDS[name], group: "Usage", act: () => show(name) })),
  );
  const { range = USUAL } = looked;
  return (
    <div className={page.page}>
      <header className={page.head}>
        <h1>Usage</h1>
        <Views label="Parts" view={tab} views={USAGE_TABS.map((name) => [name, WORDS[name]] as const)} show={show} />
        <span className={page.gap} />
        <Export tab={tab} looked={looked} />
        <Filter
          label="Time"
          value={range}
          options={(Object.keys(PERIODS) as Period[]).map((name) => [name, PERIODS[name].word] as const)}
          choose={(next) => look({ range: next })}
        />
      </header>
      {tab === "report" ? (
        <Report looked={looked} look={look} />
      ) : (
        <Suspense fallback={<Bones rows={8} />}>
          {tab === "who" && <Spread looked={looked} look={look} />}
          {tab === "outliers" && <Outlying looked={looked} />}
          {tab === "savings" && <Saved looked={looked} />}
        </Suspense>
      )}
    </div>
  );
}

/** The same figures as a file. */
function Export({ tab, looked }: { readonly tab: UsageTab; readonly looked: Looked }) {
  const now = useNow(false);
  // A link can't name the tenant that an admin looks into: there the shell does it.
  if (actingIn() !== null) return null;
  const since = sinceOf(looked, now);
  const paths: Readonly<Record<UsageTab, string | null>> = {
    report: keyOf(looked) === null ? null : `/v1/usage/report${query(exportParams(looked, now))}`,
    who: `/v1/usage/concentration${query({ ...since, among: looked.among ?? "user", top: 1000, format: "csv" })}`,
    outliers: `/v1/usage/outliers${query({ ...since, limit: 500, format: "csv" })}`,
    savings: `/v1/usage/savings${query({ ...since, by: "model", format: "csv" })}`,
  };
  const path = paths[tab];
  if (path === null) return null;
  return (
    <a className={style.export} href={path} download={`${tab === "who" ? AMONG[looked.among ?? "user"] : tab}.csv`}>
      <Icon name="download" size={12} />
      Export as CSV
    </a>
  );
}
