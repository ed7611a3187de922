"""Spending on a real database, a transaction each, as the loop does it; and what must hold at any moment."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any
from uuid import UUID

from quarterdeck.budgets import store, store_budgets
from quarterdeck.budgets.records import Amount, Budget, Line, Refused, Reserved, Scope, Settled, Spender, Window
from quarterdeck.budgets.rules import Live, lines
from quarterdeck.budgets.service import Budgets
from quarterdeck.core.ids import TenantId, uuid7
from quarterdeck.db.pool import Database, retrying

RETRIES = 12


@dataclass(frozen=True, slots=True)
class Limit:
    """What a release declares."""

    scope: str
    window: str = "total"
    max_micro_usd: int | None = None
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Sum:
    """An account in a window, all slots together."""

    limit: int
    granted: int
    spent: int
    reserved: int
    uncovered: int
    presumed: int

    def plus(self, other: "Sum | None") -> "Sum":
        """Two windows together."""
        if other is None:
            return self
        sums = (getattr(self, name) + getattr(other, name) for name in _ADDED)
        return Sum(max(self.limit, other.limit), *sums)


_ADDED = tuple(field.name for field in fields(Sum))[1:]


SUMS = """
SELECT account::text, starts, max(basis) AS limit, sum(granted)::bigint AS granted, sum(spent)::bigint AS spent,
    sum(reserved)::bigint AS reserved, sum(uncovered)::bigint AS uncovered, sum(presumed)::bigint AS presumed
FROM qd.budget_slots WHERE tenant = $1 OR tenant IS NULL GROUP BY account, starts
"""


@dataclass
class Till:
    """Where one tenant's calls pay."""

    database: Database
    budgets: Budgets
    tenant: TenantId
    user: str = "ann"
    agent: str = "desk"
    live: list[Budget] = field(default_factory=list)

    def lines(self, run: UUID, declared: Sequence[Limit] = (), **more: Any) -> tuple[Line, ...]:
        """What a run has to reserve from, by the budgets that `put` has set."""
        above = tuple(more.pop("ancestors", ()))
        spender = Spender(self.tenant, self.agent, "release", self.user, None, str(run), above)
        everywhere, own = Live.by_tenant(self.live)
        return lines(spender, declared, [everywhere, own.get(self.tenant, Live())], **more)

    async def put(self, scope: Scope, most: int | None, window: Window = Window.TOTAL, **more: Any) -> Budget:
        """Set a live budget, new or anew, at once."""
        name = f"of-{scope}"
        owner = None if scope is Scope.EVERYTHING else self.tenant
        wanted = Budget(name, scope, window=window, max_micro_usd=most, why="x", set_by="x", tenant=owner, **more)
        side = self.database.system.transaction() if owner is None else self.database.tenant(self.tenant)
        async with side as tx:
            written = await store_budgets.write(tx, wanted)
        self.live = [one for one in self.live if one.id != written.id] + [written]
        return written

    async def reserve(
        self, run: UUID, call: str, asked: Sequence[Line], want: Amount | int, attempt: int = 1
    ) -> Reserved | Refused:
        """Reserve, looking into other slots as often as it takes."""
        amount = Amount(want, want) if isinstance(want, int) else want

        async def work() -> Reserved | Refused:
            async with self.database.tenant(self.tenant) as tx:
                return await store.reserve(tx, self.tenant, run, call, attempt, asked, amount)

        said = await retrying(work)
        for _ in range(RETRIES):
            if not isinstance(said, Refused) or not said.short:
                break
            await self.budgets.rebalance(self.tenant, said)
            said = await retrying(work)
        return said

    async def settle(self, run: UUID, call: str, used: Amount | int | None) -> Settled:
        """Settle a call; None = nobody knows."""
        amount = Amount(used, used) if isinstance(used, int) else used

        async def work() -> Settled:
            async with self.database.tenant(self.tenant) as tx:
                return await store.settle(tx, self.tenant, run, call, amount)

        return await retrying(work)

    async def settle_run(self, run: UUID) -> Settled:
        """Settle whatever a run still holds."""
        async with self.database.tenant(self.tenant) as tx:
            return await store.settle_run(tx, self.tenant, run)

    async def sums(self) -> dict[str, Sum]:
        """Every account that there is, by id, its windows together."""
        found: dict[str, Sum] = {}
        for row in await self.rows(SUMS, self.tenant):
            one = Sum(*(row[name] for name in Sum.__slots__))
            found[row["account"]] = one.plus(found.get(row["account"]))
        return found

    async def sum_of(self, line: Line) -> Sum:
        """One account."""
        return (await self.sums()).get(line.account, Sum(0, 0, 0, 0, 0, 0))

    async def rows(self, query: str, *args: object):
        """What a query of the system role answers."""
        async with self.database.system.transaction() as tx:
            return await tx.fetch(query, *args)

    async def pass_time(self, period: str) -> None:
        """Let windows of a kind be over: what is counted in the present one lies one before from now on."""
        # There and back, so that no window passes over another one's place.
        for shift in ("interval '36500 days'", "- interval '36500 days' - ('1 ' || $1)::interval"):
            await self.rows(
                f"UPDATE qd.budget_slots s SET starts = starts + {shift}, ends = ends + {shift}"
                " FROM qd.budget_accounts a WHERE a.account = s.account AND a.period = $1",
                period,
            )
        await self.rows(
            "UPDATE qd.budget_reservations r SET starts = ARRAY(SELECT CASE WHEN a.period = $1"
            " THEN u.starts - ('1 ' || $1)::interval ELSE u.starts END"
            " FROM unnest(r.accounts, r.starts) WITH ORDINALITY AS u (account, starts, n)"
            " JOIN qd.budget_accounts a USING (account) ORDER BY u.n)",
            period,
        )


def run_id() -> UUID:
    """A fresh run."""
    return uuid7()


def in_slot(slot: int, slots: int) -> UUID:
    """A run that takes from a given slot."""
    while (run := uuid7()).int % slots != slot:
        pass
    return run
