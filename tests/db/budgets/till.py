"""Spending as calls do, through the real reservations, and rows of the ledger as if some time had passed."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from quarterdeck.budgets import store
from quarterdeck.budgets.records import Amount, Refused, Reserved, Spender
from quarterdeck.budgets.service import Budgets
from quarterdeck.core.ids import TenantId, uuid7
from quarterdeck.db.pool import Database
from quarterdeck.releases.records import BudgetLimit
from tests.api import Deployment

USD = 1_000_000
LEDGER = """
INSERT INTO qd.usage (tenant, run, call, attempt, tried, step, at, agent, release, user_id, thread, root_run, provider,
    model, served_model, route, purpose, tools, tags, input, output, cache_read, cache_write, reasoning,
    cost_micro_usd, priced, state, saved_cache, saved_route, saved_trim, trimmed_tokens, ms)
VALUES ($1, $2, 'call', 1, 1, 1, $3, $4, 'r', $5, $6, $2, 'p', 'm', 'm', '', '', '{}', '{}', 900, 100, 0, 0, 0, $7,
    true, $8, 0, 0, 0, 0, 5)
"""


@dataclass
class Till:
    """What a worker spends in one tenant."""

    database: Database
    budgets: Budgets
    tenant: TenantId
    releases: dict[str, tuple[BudgetLimit, ...]] = field(default_factory=dict)

    async def spend(
        self, dollars: float, user: str = "ann", agent: str = "desk", *, used: float | None = None, settle: bool = True
    ) -> bool:
        """One call of a run of its own: reserve, and settle at the same or at what was really used."""
        run = uuid7()
        await self.budgets.look()
        spender = Spender(self.tenant, agent, "r", user, None, str(run))
        want = Amount(int(dollars * USD), 1_000)
        lines = self.budgets.lines(spender, self.releases.get(agent, ()))
        held = await self._reserve(run, lines, want)
        if isinstance(held, Refused) and held.short:
            await self.budgets.rebalance(self.tenant, held)
            held = await self._reserve(run, lines, want)
        if settle and isinstance(held, Reserved):
            real = dollars if used is None else used
            async with self.database.tenant(self.tenant) as tx:
                await store.settle(tx, self.tenant, run, "call", Amount(int(real * USD), 1_000))
        return isinstance(held, Reserved)

    async def _reserve(self, run: UUID, lines: Any, want: Amount) -> Reserved | Refused:
        async with self.database.tenant(self.tenant) as tx:
            return await store.reserve(tx, self.tenant, run, "call", 1, lines, want)

    async def ledger(
        self, dollars: float, at: datetime, user: str = "ann", agent: str = "desk", *, state: str = "spent"
    ) -> None:
        """A row of usage, as the ledger has it."""
        async with self.database.tenant(self.tenant) as tx:
            await tx.execute(LEDGER, self.tenant, uuid7(), at, agent, user, uuid7(), int(dollars * USD), state)


async def tenant_of(deployment: Deployment, slug: str) -> TenantId:
    async with deployment.parts.database.system.transaction() as tx:
        return TenantId(await tx.fetchval("SELECT tenant FROM qd.tenants WHERE slug = $1", slug))


@asynccontextmanager
async def opened(deployment: Deployment, slug: str) -> AsyncGenerator[Till]:
    """A worker that spends in a tenant of a deployment."""
    parts = deployment.parts
    budgets = Budgets(parts.database, parts.wakes, parts.clock, parts.settings)
    await budgets.start()
    yield Till(parts.database, budgets, await tenant_of(deployment, slug))
    await budgets.close()
