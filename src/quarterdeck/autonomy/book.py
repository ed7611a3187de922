"""Every level that was set, in the memory of each process: the gate asks at every call and waits for nobody.

Looked at each second, and at once after a change. A process that could not look for some seconds no longer knows what
was set, and lets nothing but reads pass without a question.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping

from quarterdeck.autonomy import rules, store
from quarterdeck.core import log as logs
from quarterdeck.core.ids import TenantId
from quarterdeck.core.json import digest
from quarterdeck.db.pool import Database
from quarterdeck.db.wakes import AUTONOMY, Heard, Wakes

PAUSE = 1.0
"""Seconds between two looks when nobody says that something changed."""
STALE = 5.0
"""Seconds after the last successful look from which on the book does not know."""
_PATIENCE = 4.0

_log = logs.get(__name__)


class AutonomyBook:
    """What was set, as one process knows it. Start it once; close it at the end. `level` is pure and never waits."""

    def __init__(
        self, database: Database, wakes: Wakes, *, pause: float = PAUSE, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._wakes = wakes
        self._pause = pause
        self._now = now
        self._levels: Mapping[tuple[TenantId, str, str], str] = {}
        self._digests: Mapping[TenantId, str] = {}
        self._looked_at = float("-inf")
        self._stir = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._deaf: Callable[[], None] | None = None

    async def start(self) -> None:
        """Look once, then follow. A database that is away is waited for in the background."""
        self._deaf = self._wakes.listen(AUTONOMY, self._heard)
        await self._survive()
        self._task = asyncio.create_task(self._follow(), name="autonomy")

    async def close(self) -> None:
        """Follow no more."""
        if self._deaf is not None:
            self._deaf()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    @property
    def known(self) -> bool:
        """Whether the last successful look is recent enough to be relied on."""
        return self._now() - self._looked_at <= STALE

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
        began = self._now()
        async with self._database.system.transaction() as tx:
            rows = await store.every(tx)
        self._levels = {(tenant, agent, tool): level for tenant, agent, tool, level in rows}
        by_tenant: dict[TenantId, list[list[str]]] = {}
        for tenant, *said in sorted(rows):
            by_tenant.setdefault(tenant, []).append([str(word) for word in said])
        self._digests = {tenant: digest(said) for tenant, said in by_tenant.items()}
        self._looked_at = began

    async def _follow(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause):
                    await self._stir.wait()
            self._stir.clear()
            await self._survive()

    async def _survive(self) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                await self.look()
        except Exception as fault:  # whatever it is, the book grows stale and says so
            _log.warning("autonomy.not_read", reason=str(fault) or type(fault).__name__)

    def _heard(self, heard: Heard) -> None:
        del heard  # that something changed is all there is to know
        self._stir.set()
