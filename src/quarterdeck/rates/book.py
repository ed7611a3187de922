"""Every tenant's limits in this process's memory, so that a call that counts against none asks the database nothing."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from quarterdeck.core import log as logs
from quarterdeck.core.errors import Unavailable
from quarterdeck.core.ids import TenantId
from quarterdeck.db.pool import Database
from quarterdeck.rates import store
from quarterdeck.rates.rules import Limits

EVERY = 1.0
"""Seconds between two looks: what an operator changes holds everywhere after this time."""
_NONE = Limits()
_log = logs.get(__name__)


class Book:
    """All limits as of a second ago at most; older while the database is away, when no call can be made either."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._limits: Mapping[object, Limits] = {}
        self._stamp: tuple[int, str] | None = None
        self._following: asyncio.Task[None] | None = None

    def limits(self, tenant: TenantId) -> Limits:
        """A tenant's limits."""
        return self._limits.get(tenant, _NONE)

    async def look(self) -> None:
        """Read what has changed. Raises Unavailable."""
        async with self._database.system.transaction() as tx:
            stamp = await store.stamp(tx)
            if stamp != self._stamp:
                self._limits = Limits.by_tenant(await store.every(tx))
                self._stamp = stamp

    async def start(self) -> None:
        """Read everything, and go on looking until closed. Raises Unavailable."""
        await self.look()
        self._following = asyncio.create_task(self._follow())

    async def close(self) -> None:
        """Stop looking."""
        if self._following is not None:
            self._following.cancel()
            with suppress(asyncio.CancelledError):
                await self._following
            self._following = None

    async def _follow(self) -> None:
        away = False
        while True:
            await asyncio.sleep(EVERY)
            try:
                await self.look()
                away = False
            except Unavailable as error:
                if not away:
                    _log.warning("rates.book_is_old", error=error.code)
                away = True
            except Exception:
                _log.exception("rates.book_unread")
