/** All that limits spending here: what was set, what the deployment sets, what releases declare. The worst stands out. */
import { Button } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { lazy, Suspense, useMemo, useState } from "react";
import { budgetsQuery, type Source } from "../../api/money";
import { isProblem } from "../../api/problems";
import type { Budget, Session } from "../../api/shapes";
import { useKeys } from "../../shell/keys";
import { Bones, Empty, Trouble } from "../../ui/Empty";
import { Freshness } from "../../ui/Freshness";
import { Icon } from "../../ui/Icon";
import { Chip } from "../../ui/marks";
import { useNow } from "../../ui/now";
import page from "../../ui/Page.module.css";
import { Plain } from "../../ui/Prose";
import { More } from "../../ui/More";
import { plural } from "../../ui/words";
import { may } from "../sessions/rules";
import { AlertStrip } from "./AlertStrip";
import { BudgetPane } from "./BudgetPane";
import style from "./Budgets.module.css";
import { Gauge, StandingMark, Used } from "./Gauge";
import { amount, limitsInWords, until, whoInWords, worstOf } from "./rules";

const BudgetForm = lazy(() => import("./BudgetForm"));

const route = getRouteApi("/inside/budgets");

export function BudgetList({ session }: { readonly session: Session | null }) {
  const { name, source } = route.useSearch();
  const navigate = route.useNavigate();
  const [making, setMaking] = useState(false);
  const list = useInfiniteQuery({
    ...budgetsQuery,
    refetchInterval: (query) => 5_000 * Math.max(1, query.state.data?.pages.length ?? 1),
  });
  const budgets = useMemo(() => list.data?.pages.flatMap((each) => each.items) ?? [], [list.data]);
  const setter = session !== null && may(session, "operator");
  const open = (budget: Budget | undefined): void =>
    void navigate({
      search: budget === undefined ? {} : { name: budget.name, source: budget.source },
      replace: true,
    });
  const at = budgets.findIndex((budget) => budget.name === name && budget.source === (source ?? budget.source));
  const move = (by: number): void => open(budgets[Math.max(0, Math.min(budgets.length - 1, at + by))]);
  useKeys([
    { keys: "j", words: "Next budget", group: "Budgets", act: () => move(1) },
    { keys: "k", words: "Previous budget", group: "Budgets", act: () => move(-1) },
    ...(setter ? [{ keys: "n", words: "Set a budget", group: "Budgets", act: () => setMaking(true) }] : []),
  ]);
  const refused = isProblem(list.error, 403);
  return (
    <>
      {!refused && <AlertStrip session={session} beside={name !== undefined} />}
      <div className={style.split} data-open={name !== undefined || undefined}>
        <div className={style.left}>
          <div className={style.bar}>
            <span className="muted">{budgets.length > 0 && inTrouble(budgets)}</span>
            <span className={page.gap} />
            <Freshness updatedAt={list.dataUpdatedAt} failing={list.failureCount > 0} />
            {setter && (
              <Button leftSection={<Icon name="plus" />} onClick={() => setMaking(true)}>
                Set a budget
              </Button>
            )}
          </div>
          {list.error !== null && (list.data === undefined || refused) ? (
            <Trouble fault={list.error} what="the budgets of this tenant" retry={() => void list.refetch()} />
          ) : list.isPending ? (
            <Bones rows={8} />
          ) : budgets.length === 0 ? (
            <Empty
              icon="budget"
              title="Nothing limits spending yet"
              command="qd budget set per-user --scope user --max-budget 2 --duration 1d"
            >
              A budget holds for the very next call. Set one here, from a shell, or in agent.yaml under `budgets`.
            </Empty>
          ) : (
            <>
              <Table budgets={budgets} open={at} choose={open} />
              <More list={list} what="budgets" />
            </>
          )}
        </div>
        {name !== undefined && (
          <BudgetPane
            key={`${source ?? ""} ${name}`}
            name={name}
            source={source}
            session={session}
            close={() => open(undefined)}
          />
        )}
      </div>
      {making && (
        <Suspense fallback={null}>
          <BudgetForm
            session={session}
            present={null}
            taken={budgets}
            close={() => setMaking(false)}
            done={(saved) => {
              setMaking(false);
              open(saved);
            }}
          />
        </Suspense>
      )}
    </>
  );
}

/** How many are near their end, in words. */
function inTrouble(budgets: readonly Budget[]): string {
  const ranks = budgets.map((budget) => worstOf(budget)?.standing.rank ?? 0);
  const spent = ranks.filter((rank) => rank >= 3).length;
  const near = ranks.filter((rank) => rank === 1 || rank === 2).length;
  return [plural(budgets.length, "budget"), spent > 0 ? `${spent} used up` : "", near > 0 ? `${near} near the end` : ""]
    .filter((each) => each !== "")
    .join(" · ");
}

interface TableProps {
  readonly budgets: readonly Budget[];
  readonly open: number;
  readonly choose: (budget: Budget) => void;
}

function Table({ budgets, open, choose }: TableProps) {
  const now = useNow();
  return (
    <div className={style.scroll}>
      <table className={`${page.table} ${style.table}`}>
        <caption className="unseen">Budgets with what is spent of them</caption>
        <thead>
          <tr>
            <th>Budget</th>
            <th>State</th>
            <th>For</th>
            <th>Limit</th>
            <th className={style.wide}>Used of it, by whoever used most</th>
            <th className={page.right}>Left</th>
            <th>Renews</th>
            <th>Runs out</th>
          </tr>
        </thead>
        <tbody>
          {budgets.map((budget, at) => (
            <Row key={`${budget.source} ${budget.name}`} budget={budget} open={at === open} now={now} choose={choose} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

const SOURCES: Readonly<Record<Source, string | null>> = { tenant: null, deployment: "deployment", release: "release" };

function Row({
  budget,
  open,
  now,
  choose,
}: {
  readonly budget: Budget;
  readonly open: boolean;
  readonly now: number;
  readonly choose: (budget: Budget) => void;
}) {
  const worst = worstOf(budget);
  const from = SOURCES[budget.source];
  return (
    <tr data-chosen={open || undefined} onClick={() => choose(budget)}>
      <td>
        <button className={style.name} aria-current={open || undefined}>
          <Plain text={budget.name} />
        </button>{" "}
        {from !== null && <Chip>{from}</Chip>}
      </td>
      <td>{worst !== null && <State worst={worst} />}</td>
      <td>
        <Plain text={whoInWords(budget)} />
      </td>
      <td>
        {limitsInWords(budget).map((words) => (
          <div key={words}>{words}</div>
        ))}
      </td>
      {worst === null ? (
        <>
          <td className="muted" colSpan={2}>
            {nothingIn(budget)}
          </td>
          <td />
          <td />
        </>
      ) : (
        <>
          <td className={style.wide}>
            <Gauge account={worst.spending} standing={worst.standing} />
            <div className={style.below}>
              <Used account={worst.spending} />
              {worst.spending.account !== "" && worst.spending.accounts > 1 && (
                <span className="muted">
                  {" "}
                  · <Plain text={worst.spending.account} />, of {plural(worst.spending.accounts, "account")}
                </span>
              )}
            </div>
          </td>
          <td className={page.right}>{amount(worst.spending.left, worst.spending.unit)}</td>
          <td className="muted">
            {worst.spending.renews_at === null ? "never" : until(worst.spending.renews_at, now)}
          </td>
          <td className={worst.spending.projected_at === null ? "muted" : "tone-stop"}>
            {worst.spending.projected_at === null ? "–" : until(worst.spending.projected_at, now)}
          </td>
        </>
      )}
    </tr>
  );
}

function State({ worst: { spending, standing } }: { readonly worst: NonNullable<ReturnType<typeof worstOf>> }) {
  return (
    <>
      <StandingMark standing={standing} />
      {spending.uncovered > 0 && (
        <div className={`${style.below} tone-fail`}>{amount(spending.uncovered, spending.unit)} uncovered</div>
      )}
    </>
  );
}

function nothingIn(budget: Budget): string {
  if (budget.max_budget === null && budget.max_tokens === null) return "a rate: calls wait for their minute";
  if (budget.scope === "request" || budget.scope === "run" || budget.scope === "thread")
    return "each has its own account";
  return budget.scope === "everything" ? "shared with other tenants" : "nothing spent yet";
}
