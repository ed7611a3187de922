/** What agents may do: their tools with what was declared of each, who may do what, and the tenant's own policies. */
import { getRouteApi } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { POLICY_TABS, type PolicyTab } from "../../routes";
import { useKeys } from "../../shell/keys";
import { Bones } from "../../ui/Empty";
import page from "../../ui/Page.module.css";
import { Views } from "../../ui/Views";
import { Catalogue } from "./Catalogue";

const Who = lazy(() => import("./Who"));
const Explain = lazy(() => import("./Explain"));
const TenantPolicies = lazy(() => import("./TenantPolicies"));
const Advice = lazy(() => import("./Advice"));

const route = getRouteApi("/inside/policy");

const WORDS: Readonly<Record<PolicyTab, string>> = {
  tools: "Tools",
  who: "Who may do what",
  explain: "Explain",
  policies: "Own policies",
  advice: "Advice",
};

export default function PolicyPage() {
  const { tab = "tools" } = route.useSearch();
  const navigate = route.useNavigate();
  const show = (name: PolicyTab): void =>
    void navigate({
      search: ({ agent, tool }) => ({ agent, tool, ...(name === "tools" ? {} : { tab: name }) }),
      replace: true,
    });
  useKeys(
    POLICY_TABS.map((name, at) => ({
      keys: String(at + 1),
      words: WORDS[name],
      group: "Tools & policy",
      act: () => show(name),
    })),
  );
  return (
    <div className={page.page}>
      <header className={page.head}>
        <h1>Tools & policy</h1>
        <Views label="Parts" view={tab} views={POLICY_TABS.map((name) => [name, WORDS[name]] as const)} show={show} />
      </header>
      {tab === "tools" ? (
        <Catalogue />
      ) : (
        <Suspense fallback={<Bones rows={8} />}>
          {tab === "who" && <Who />}
          {tab === "explain" && <Explain />}
          {tab === "policies" && <TenantPolicies />}
          {tab === "advice" && <Advice />}
        </Suspense>
      )}
    </div>
  );
}
