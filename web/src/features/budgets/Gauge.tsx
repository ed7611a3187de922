/** How much of an account is used: spent, beyond what was reserved, held for calls under way, and what is left. */
import { memo } from "react";
import type { Account } from "../../api/shapes";
import { Icon } from "../../ui/Icon";
import { Chip } from "../../ui/marks";
import style from "./Budgets.module.css";
import { amount, partsOf, type Standing } from "./rules";

/** The bar alone. Words beside it say the same: it is hidden from those who can't see it. */
export const Gauge = memo(function Gauge({
  account,
  standing,
}: {
  readonly account: Account;
  readonly standing: Standing;
}) {
  const parts = partsOf(account);
  return (
    <span className={style.gauge} data-tone={standing.tone} title={sentence(account)} aria-hidden="true">
      <i data-part="spent" style={{ width: percent(parts.spent) }} />
      <i data-part="uncovered" style={{ width: percent(parts.uncovered) }} />
      <i data-part="reserved" style={{ width: percent(parts.reserved) }} />
    </span>
  );
});

/** `$3.20 of $10.00`, and below it what is held. */
export function Used({ account }: { readonly account: Account }) {
  return (
    <span className={style.used}>
      {amount(account.spent + account.uncovered, account.unit)} of {amount(account.limit, account.unit)}
      {account.reserved > 0 && <span className="muted"> · {amount(account.reserved, account.unit)} held</span>}
    </span>
  );
}

/** Quiet while all is well: a shape, a word and a colour where it is not. */
export function StandingMark({ standing }: { readonly standing: Standing }) {
  if (standing.tone === "quiet") return <span className="muted">{standing.word}</span>;
  return (
    <Chip tone={standing.tone}>
      <Icon name={standing.tone === "fail" ? "alarm" : "warn"} size={11} />
      {standing.word}
    </Chip>
  );
}

export function sentence(account: Account): string {
  const { unit } = account;
  const words = [`${amount(account.spent, unit)} spent`];
  if (account.uncovered > 0) words.push(`${amount(account.uncovered, unit)} beyond what was reserved`);
  if (account.reserved > 0) words.push(`${amount(account.reserved, unit)} reserved for calls under way`);
  words.push(`${amount(account.left, unit)} left of ${amount(account.limit, unit)}`);
  return words.join(", ");
}

function percent(part: number): string {
  return `${(100 * part).toFixed(2)}%`;
}
