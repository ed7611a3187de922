"""Every level that was set, in the memory of each process: the gate asks at every call and waits for nobody.

Looked at each second, and at once after a change. A process that could not look for some seconds no longer knows what
was set, and lets nothing but reads pass without a question.
"""

import time
from collections.abc import Callable, Mapping

from quarterdeck.autonomy import rules, store
from quarterdeck.core.ids import TenantId
from quarterdeck.core.json import digest
from quarterdeck.db.following import PAUSE, Follower
from quarterdeck.db.pool import Database
from quarterdeck.db.wakes import AUTONOMY, Wakes


class AutonomyBook:
    """What was set, as one process knows it. Start it once; close it at the end. `level` is pure and never waits."""

    def __init__(
        self, database: Database, wakes: Wakes, *, pause: float = PAUSE, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._levels: Mapping[tuple[TenantId, str, str], str] = {}
        self._digests: Mapping[TenantId, str] = {}
        self._follower = Follower("autonomy", self._read, wakes, AUTONOMY, pause=pause, now=now)

    async def start(self) -> None:
        """Look once, then follow. A database that is away is waited for in the background."""
        await self._follower.start(patient=True)

    async def close(self) -> None:
        """Follow no more."""
        await self._follower.close()

    @property
    def known(self) -> bool:
        """Whether the last successful look is recent enough to be relied on."""
        return self._follower.known

    def level(self, tenant: TenantId, agent: str, tool: str, ceiling: str) -> str:
        """How far an agent may go with a tool now: what was set, and never more than the ceiling of its release.

        `ask_always` at the most where this process can't tell what was set.
        """
        return rules.lowest(ceiling, self._levels.get((tenant, agent, tool)), None if self.known else rules.UNSURE)

    def digest(self, tenant: TenantId) -> str:
        """What changes whenever something is set in a tenant; empty where nothing is."""
        return self._digests.get(tenant, "")

    async def look(self) -> None:
        """Look now; what was committed before is in the book afterwards."""
        await self._follower.look()

    async def _read(self) -> None:
        async with self._database.system.transaction() as tx:
            rows = await store.every(tx)
        self._levels = {(tenant, agent, tool): level for tenant, agent, tool, level in rows}
        by_tenant: dict[TenantId, list[list[str]]] = {}
        for tenant, *said in sorted(rows):
            by_tenant.setdefault(tenant, []).append([str(word) for word in said])
        self._digests = {tenant: digest(said) for tenant, said in by_tenant.items()}
