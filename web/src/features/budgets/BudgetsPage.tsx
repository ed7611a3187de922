/** What may be spent and what is spent of it, what is wrong with it, and which runs come to their end by it. */
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { alertFacetsQuery } from "../../api/money";
import { sessionQuery } from "../../api/queries";
import { BUDGET_TABS, type BudgetTab } from "../../routes";
import { hasInbox } from "../../shell/Gate";
import { useKeys } from "../../shell/keys";
import { Bones } from "../../ui/Empty";
import page from "../../ui/Page.module.css";
import { Views } from "../../ui/Views";
import { BudgetList } from "./BudgetList";

const Alerts = lazy(() => import("./Alerts"));
const NearLimits = lazy(() => import("./NearLimits"));

const route = getRouteApi("/inside/budgets");

const WORDS: Readonly<Record<BudgetTab, string>> = { budgets: "Budgets", alerts: "Alerts", near: "Runs near a limit" };

export default function BudgetsPage() {
  const { tab = "budgets" } = route.useSearch();
  const navigate = route.useNavigate();
  const session = useQuery(sessionQuery).data ?? null;
  // Runs are a tenant's: an admin who looks at the deployment has none.
  const tabs = BUDGET_TABS.filter((name) => name !== "near" || (session !== null && hasInbox(session)));
  const alerts = useQuery(alertFacetsQuery).data?.severity ?? {};
  const raised = Object.values(alerts).reduce((sum, n) => sum + n, 0);
  const show = (name: BudgetTab): void =>
    void navigate({ search: name === "budgets" ? {} : { tab: name }, replace: true });
  useKeys(
    tabs.map((name, at) => ({ keys: String(at + 1), words: WORDS[name], group: "Budgets", act: () => show(name) })),
  );
  return (
    <div className={page.page}>
      <header className={page.head}>
        <h1>Budgets</h1>
        <Views
          label="Parts"
          view={tab}
          views={tabs.map((name) => [name, WORDS[name], name === "alerts" ? raised : undefined] as const)}
          show={show}
        />
      </header>
      {tab === "budgets" ? (
        <BudgetList session={session} />
      ) : (
        <Suspense fallback={<Bones rows={8} />}>
          {tab === "alerts" && <Alerts session={session} />}
          {tab === "near" && <NearLimits />}
        </Suspense>
      )}
    </div>
  );
}
