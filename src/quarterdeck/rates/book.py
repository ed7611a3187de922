"""Every tenant's limits in this process's memory, so that a call that counts against none asks the database nothing."""

from collections.abc import Mapping

from quarterdeck.core.ids import TenantId
from quarterdeck.db.following import Follower
from quarterdeck.db.pool import Database
from quarterdeck.rates import store
from quarterdeck.rates.rules import Limits

_NONE = Limits()


class Book:
    """All limits as of a second ago at most; older while the database is away, when no call can be made either."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._limits: Mapping[object, Limits] = {}
        self._stamp: tuple[int, str] | None = None
        self._follower = Follower("rates", self._read, None)

    def limits(self, tenant: TenantId) -> Limits:
        """A tenant's limits."""
        return self._limits.get(tenant, _NONE)

    async def look(self) -> None:
        """Read what has changed. Raises Unavailable."""
        await self._follower.look()

    async def start(self) -> None:
        """Read everything, and go on looking until closed. Raises Unavailable."""
        await self._follower.start(patient=False)

    async def close(self) -> None:
        """Stop looking."""
        await self._follower.close()

    async def _read(self) -> None:
        async with self._database.system.transaction() as tx:
            stamp = await store.stamp(tx)
            if stamp != self._stamp:
                self._limits = Limits.by_tenant(await store.every(tx))
                self._stamp = stamp
