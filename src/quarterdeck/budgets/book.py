"""All live budgets in each process's memory: which of them a call spends from is known without asking the database.

How high they are is not believed from here: the statement that reserves reads that where it is kept.
"""

import time
from collections.abc import Callable, Mapping, Sequence

from quarterdeck.budgets import store_budgets as store
from quarterdeck.budgets.records import BudgetsUnknown
from quarterdeck.budgets.rules import Live
from quarterdeck.core.ids import TenantId
from quarterdeck.db.following import PAUSE, Follower
from quarterdeck.db.pool import Database
from quarterdeck.db.wakes import BUDGETS, Wakes

_NONE = Live()


class Book:
    """Every budget as of a moment ago. Start it once; close it at the end."""

    def __init__(
        self, database: Database, wakes: Wakes, *, pause: float = PAUSE, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._everywhere = _NONE
        self._by_tenant: Mapping[TenantId, Live] = {}
        self._stamp: tuple[int, str] | None = None
        self._follower = Follower("budgets", self._read, wakes, BUDGETS, pause=pause, now=now)

    async def start(self) -> None:
        """Read all and go on following. Raises Unavailable: a process that knows no budgets must not begin."""
        await self._follower.start(patient=False)

    async def close(self) -> None:
        """Follow no more."""
        await self._follower.close()

    @property
    def known(self) -> bool:
        """Whether the last successful look is recent enough to be relied on."""
        return self._follower.known

    async def look(self) -> None:
        """Read what changed, if anything did. Raises Unavailable."""
        await self._follower.look()

    def live(self, tenant: TenantId) -> Sequence[Live]:
        """What holds for a tenant: the deployment's budgets, and its own. Raises BudgetsUnknown."""
        if not self.known:
            raise BudgetsUnknown
        return (self._everywhere, self._by_tenant.get(tenant, _NONE))

    async def _read(self) -> None:
        async with self._database.system.transaction() as tx:
            stamp = await store.stamp(tx)
            if stamp != self._stamp:
                self._everywhere, self._by_tenant = Live.by_tenant(await store.every(tx))
                self._stamp = stamp
