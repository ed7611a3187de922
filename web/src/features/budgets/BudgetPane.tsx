/** One budget in full: what it says and who set it, how its fullest accounts stand, who else spends from it. */
import { Button } from "@mantine/core";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { lazy, Suspense, useState } from "react";
import { actingIn } from "../../api/client";
import { accountsQuery, budgetQuery, type Source } from "../../api/money";
import { isProblem } from "../../api/problems";
import type { Account, Budget, Session, Spending } from "../../api/shapes";
import { Bones, Empty, Trouble } from "../../ui/Empty";
import { Icon } from "../../ui/Icon";
import { More } from "../../ui/More";
import { useNow } from "../../ui/now";
import page from "../../ui/Page.module.css";
import { Plain } from "../../ui/Prose";
import { Views } from "../../ui/Views";
import { clock, shortId } from "../../ui/words";
import { Pairs, Section } from "../run/Section";
import { may } from "../sessions/rules";
import style from "./Budgets.module.css";
import { Gauge, StandingMark, Used } from "./Gauge";
import { amount, limitsInWords, standingOf, type Unit, until, whoInWords } from "./rules";

const BudgetForm = lazy(() => import("./BudgetForm"));
const Removal = lazy(() => import("./Removal"));

interface Props {
  readonly name: string;
  readonly source: Source | undefined;
  readonly session: Session | null;
  readonly close: () => void;
}

export function BudgetPane({ name, source, session, close }: Props) {
  const found = useQuery({ ...budgetQuery(name, source), refetchInterval: 5_000, retry: false });
  const [open, setOpen] = useState<"form" | "removal" | null>(null);
  if (found.data === undefined || isProblem(found.error, 404)) {
    return (
      <aside className={style.pane} aria-label="Budget">
        {found.error === null ? (
          <Bones rows={6} />
        ) : isProblem(found.error, 404) ? (
          <Empty icon="budget" title="There is no such budget" actions={<Button onClick={close}>Close</Button>}>
            It was removed, or somebody else's limit is called like this.
          </Empty>
        ) : (
          <Trouble fault={found.error} what="this budget" retry={() => void found.refetch()} />
        )}
      </aside>
    );
  }
  const { value: budget, etag } = found.data;
  const ours =
    session !== null &&
    may(session, "operator") &&
    budget.source === (here(session) === null ? "deployment" : "tenant");
  return (
    <aside className={style.pane} aria-label="Budget">
      <div className={style.paneHead}>
        <h2>
          <Plain text={budget.name} />
        </h2>
        <button className={style.close} aria-label="Close the budget" onClick={close}>
          <Icon name="cross" size={13} />
        </button>
      </div>
      <p className="muted">
        <Plain text={whoInWords(budget)} />: {limitsInWords(budget).join(", ")}
      </p>
      {ours && etag !== null && (
        <div className={style.buttons}>
          <Button leftSection={<Icon name="edit" size={12} />} onClick={() => setOpen("form")}>
            Change
          </Button>
          <Button leftSection={<Icon name="cross" size={11} />} onClick={() => setOpen("removal")}>
            Remove
          </Button>
        </div>
      )}
      {budget.spending.map((spending) => (
        <Fullest key={spending.unit} budget={budget} spending={spending} />
      ))}
      {budget.source !== "release" && (budget.max_budget !== null || budget.max_tokens !== null) && (
        <Spenders budget={budget} source={budget.source} />
      )}
      <Section name="As it was set">
        <Pairs pairs={setAs(budget)} />
      </Section>
      <Suspense fallback={null}>
        {open === "form" && (
          <BudgetForm
            session={session}
            present={{ budget, etag }}
            taken={[]}
            close={() => setOpen(null)}
            done={() => setOpen(null)}
          />
        )}
        {open === "removal" && <Removal budget={budget} etag={etag} close={() => setOpen(null)} done={close} />}
      </Suspense>
    </aside>
  );
}

function here(session: Session): string | null {
  return session.tenant ?? actingIn();
}

function setAs(budget: Budget): readonly (readonly [string, React.ReactNode])[] {
  return [
    ["Why", budget.why === "" ? null : <Plain key="why" text={budget.why} />],
    ["By", budget.set_by === "" ? null : <Plain key="by" text={budget.set_by} />],
    ["Since", budget.updated_at === null ? null : clock(budget.updated_at, Date.now())],
    [
      "Declared by",
      budget.agent === null ? null : (
        <span key="agent">
          {budget.agent}
          {budget.release !== null && (
            <>
              {" "}
              <code>{budget.release.slice(0, 12)}</code>
            </>
          )}
        </span>
      ),
    ],
    ["Says so", budget.source === "tenant" ? "this tenant" : `the ${budget.source}`],
    ["Alerts at", budget.alert_at.map((level) => `${level} %`).join(", ")],
  ];
}

/** The account that has used most of it. */
function Fullest({ budget, spending }: { readonly budget: Budget; readonly spending: Spending }) {
  const now = useNow();
  const standing = standingOf(spending, budget.alert_at);
  const what = spending.unit === "tokens" ? "Tokens" : "Money";
  return (
    <Section
      name={spending.accounts > 1 ? `${what}, whoever used most` : what}
      beside={<StandingMark standing={standing} />}
    >
      <Gauge account={spending} standing={standing} />
      <Pairs
        pairs={[
          ["Account", spending.account === "" ? null : <Plain key="account" text={spending.account} />],
          ["Spent", amount(spending.spent, spending.unit)],
          ["of it presumed", spending.presumed === 0 ? null : amount(spending.presumed, spending.unit)],
          ["Reserved", spending.reserved === 0 ? null : amount(spending.reserved, spending.unit)],
          [
            "Uncovered",
            spending.uncovered === 0 ? null : (
              <span key="uncovered" className="tone-fail">
                {amount(spending.uncovered, spending.unit)}
              </span>
            ),
          ],
          ["Left", `${amount(spending.left, spending.unit)} of ${amount(spending.limit, spending.unit)}`],
          [
            "Renews",
            spending.renews_at === null
              ? "never"
              : `${until(spending.renews_at, now)}, ${clock(spending.renews_at, now)}`,
          ],
          [
            "Runs out",
            spending.projected_at === null ? null : (
              <span key="projected" className="tone-stop">
                {until(spending.projected_at, now)}, at this pace
              </span>
            ),
          ],
        ]}
      />
    </Section>
  );
}

/** Everybody who spends from it, the fullest account first. */
function Spenders({ budget, source }: { readonly budget: Budget; readonly source: "tenant" | "deployment" }) {
  const [unit, setUnit] = useState<Unit>(budget.max_budget === null ? "tokens" : "micro_usd");
  const list = useInfiniteQuery({ ...accountsQuery(budget.name, source, unit), retry: false });
  const accounts = list.data?.pages.flatMap((each) => each.items) ?? [];
  const both = budget.max_budget !== null && budget.max_tokens !== null;
  return (
    <Section
      name="Who spends most"
      beside={
        both && (
          <Views
            label="Counted in"
            view={unit}
            views={[
              ["micro_usd", "money"],
              ["tokens", "tokens"],
            ]}
            show={setUnit}
          />
        )
      }
    >
      {list.error !== null ? (
        <Trouble fault={list.error} what="its accounts" retry={() => void list.refetch()} />
      ) : list.isPending ? (
        <Bones rows={3} />
      ) : accounts.length === 0 ? (
        <p className="muted">Nobody has spent anything of it in this window.</p>
      ) : (
        <>
          <ol className={style.accounts} aria-label="Accounts">
            {accounts.map((account) => (
              <Line key={`${account.tenant ?? ""} ${account.account}`} account={account} budget={budget} />
            ))}
          </ol>
          <More list={list} what="accounts" />
        </>
      )}
    </Section>
  );
}

function Line({ account, budget }: { readonly account: Account; readonly budget: Budget }) {
  const standing = standingOf(account, budget.alert_at);
  return (
    <li>
      <span className={style.whose}>
        <Whose account={account} budget={budget} />
      </span>
      <StandingMark
        standing={standing.tone === "quiet" ? { ...standing, word: `${account.used_percent} %` } : standing}
      />
      <Gauge account={account} standing={standing} />
      <span className={style.below}>
        <Used account={account} />
      </span>
    </li>
  );
}

/** A link to the runs behind the figure, where there is one. */
function Whose({ account, budget }: { readonly account: Account; readonly budget: Budget }) {
  const { account: name } = account;
  const words = name === "" ? (account.tenant ?? "everything") : name;
  if (budget.scope === "user" && name !== "")
    return (
      <Link to="/runs" search={{ user: name }} className={page.link}>
        <Plain text={name} />
      </Link>
    );
  if (budget.scope === "agent" && name !== "")
    return (
      <Link to="/runs" search={{ agent: name }} className={page.link}>
        {name}
      </Link>
    );
  if ((budget.scope === "run" || budget.scope === "request") && name !== "")
    return (
      <Link to="/runs/$run" params={{ run: name }} search={{ tab: "cost" }} className={page.link}>
        run {shortId(name)}
      </Link>
    );
  if (budget.scope === "thread" && name !== "")
    return (
      <Link to="/runs" search={{ thread: name }} className={page.link}>
        thread {shortId(name)}
      </Link>
    );
  return <Plain text={words} />;
}
