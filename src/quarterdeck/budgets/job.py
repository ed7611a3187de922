"""What every worker does for budgets beside spending: booking what dead runs still hold, and forgetting old windows."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

from quarterdeck.budgets import store, store_leftovers
from quarterdeck.core import log as logs
from quarterdeck.core.ids import TenantId
from quarterdeck.db.pool import Database, retrying
from quarterdeck.db.records import Tx

GRACE = timedelta(seconds=2)
"""A run that ends settles in the same transaction; what is older than this has been left behind."""
KEPT = timedelta(days=7)
"""How long settled reservations, and the accounts of ended runs, are kept."""
_RUNS, _PAGE, _PAGES = 500, 5_000, 200

_log = logs.get(__name__)


async def sweep(database: Database, grace: timedelta = GRACE) -> int:
    """Book what runs hold that have ended or are gone; how many runs that were.

    One transaction a run, so that locks are taken in the order in which runs themselves take them. Any number of
    workers may do it at once. Their calls are presumed to have cost what was reserved.
    """
    async with database.system.transaction() as tx:
        found = await store_leftovers.leftovers(tx, grace, _RUNS)
    for tenant, run in found:
        presumed = await retrying(lambda: _settle(database, tenant, run))  # noqa: B023  # awaited here
        _log.warning("budget.leftover_settled", tenant=str(tenant), run=str(run), presumed_micro_usd=presumed)
    return len(found)


async def prune(database: Database) -> None:
    """Forget what has served its time, a page in each transaction."""
    await _page_by_page(database, lambda tx: store_leftovers.prune_windows(tx, _PAGE))
    await _page_by_page(database, lambda tx: store_leftovers.prune_settled(tx, _PAGE, KEPT))
    await _page_by_page(database, lambda tx: store_leftovers.prune_runs(tx, _PAGE, KEPT))


async def _settle(database: Database, tenant: TenantId, run: UUID) -> int:
    async with database.system.transaction() as tx:
        return (await store.settle_run(tx, tenant, run)).presumed


async def _page_by_page(database: Database, one: Callable[[Tx], Awaitable[int]]) -> None:
    for _ in range(_PAGES):
        async with database.system.transaction() as tx:
            if await one(tx) < _PAGE:
                return
