"""Transactions on PostgreSQL: one pool a role, a tenant's transaction cheap enough to open at every step of a run."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from quarterdeck.core import log
from quarterdeck.core.ids import TenantId
from quarterdeck.db.connections import Pool
from quarterdeck.db.driver import Connection
from quarterdeck.db.faults import CommitRefused, CommitUnknown, Contended, DatabaseAway, explain
from quarterdeck.db.records import Row, Tx, Urls

T = TypeVar("T")

_log = log.get(__name__)


class Database:
    """The database as one process sees it: `app`, held to one tenant at a time, and `system`, which sees all.

    Create it once with `await Database.open(urls)`; close it when the process ends.
    """

    def __init__(self, app: "Side", system: "Side") -> None:
        self.app = app
        self.system = system

    @classmethod
    async def open(cls, urls: Urls, *, size: int = 12, system_size: int = 0) -> Self:
        """Connect both sides. Raises DatabaseAway, LoginRefused or NoSuchDatabase when that is not possible.

        `size` is the most connections of the app side; the system side has half as many unless told.
        """
        app = await Side.open(urls.app, size=size)
        try:
            return cls(app, await Side.open(urls.system, size=system_size or max(2, size // 2)))
        except BaseException:
            app.pool.terminate()
            raise

    def tenant(self, tenant: TenantId) -> "Transaction":
        """`async with db.tenant(id) as tx:` a transaction that sees and writes this tenant's rows only.

        Commits at the end of the block, rolls back when the block raises. Raises Unavailable of some kind when the
        database could not do it: nothing was changed, except perhaps after CommitUnknown. Contended may be repeated.
        """
        # A UUID prints as hexadecimal digits and dashes, whatever it was made from: nothing to quote.
        return Transaction(self.app.pool, f"BEGIN; SET LOCAL qd.tenant = '{tenant}'")

    async def close(self) -> None:
        """Wait for running transactions, then close all connections."""
        await asyncio.gather(self.app.pool.close(), self.system.pool.close())

    def terminate(self) -> None:
        """Drop all connections at once; open transactions are lost."""
        self.app.pool.terminate()
        self.system.pool.terminate()


class Side:
    """The connections of one role."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    @classmethod
    async def open(cls, url: str, *, size: int) -> Self:
        """Connect; at most `size` connections, of which one is opened now."""
        return cls(await Pool.open(url, size=size))

    def transaction(self) -> "Transaction":
        """`async with side.transaction() as tx:` a transaction without a tenant: as qd_app it sees no tenant's rows."""
        return Transaction(self.pool, "BEGIN")


class Transaction:
    """A `Tx` and the block around it. BEGIN and the tenant travel together: three round trips for one statement."""

    __slots__ = ("_begin", "_callbacks", "_connection", "_pool")

    def __init__(self, pool: Pool, begin: str) -> None:
        self._pool = pool
        self._begin = begin
        self._callbacks: list[Callable[[], None]] = []
        self._connection: Connection

    async def __aenter__(self) -> Tx:
        self._connection = await self._pool.borrow()
        try:
            await self._connection.execute(self._begin)
        except BaseException as fault:
            self._drop()
            _raise_explained(fault, closed=True)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if fault is None:
            await self._commit()
        else:
            closed = self._connection.is_closed()
            await self._roll_back()
            _raise_explained(fault, closed=closed)

    def fetch(self, query: str, /, *args: object) -> Coroutine[object, object, list[Row]]:
        """All rows."""
        return self._connection.fetch(query, *args)

    def fetchrow(self, query: str, /, *args: object) -> Coroutine[object, object, Row | None]:
        """The first row, or None."""
        return self._connection.fetchrow(query, *args)

    def fetchval(self, query: str, /, *args: object) -> Coroutine[object, object, Any]:
        """The first column of the first row, or None."""
        return self._connection.fetchval(query, *args)

    def execute(self, query: str, /, *args: object) -> Coroutine[object, object, str]:
        """Run a statement for its effect; answers the command tag."""
        return self._connection.execute(query, *args)

    def executemany(self, query: str, rows: Iterable[Sequence[object]], /) -> Coroutine[object, object, None]:
        """Run a statement for each row of parameters."""
        return self._connection.executemany(query, rows)

    def after_commit(self, callback: Callable[[], None], /) -> None:
        """Call `callback` once this is committed."""
        self._callbacks.append(callback)

    async def _commit(self) -> None:
        try:
            tag = await self._connection.execute("COMMIT")
        except BaseException as fault:
            error = explain(fault, closed=self._connection.is_closed())
            self._drop()
            if isinstance(error, DatabaseAway):
                raise CommitUnknown(**error.facts) from fault
            if error is None:
                raise
            raise error from fault
        self._pool.give_back(self._connection)
        # PostgreSQL answers COMMIT of a failed transaction with ROLLBACK and no error.
        if tag != "COMMIT":
            raise CommitRefused
        for callback in self._callbacks:
            try:
                callback()
            except Exception:
                _log.exception("database.after_commit_failed", callback=repr(callback))

    async def _roll_back(self) -> None:
        """Undo and give the connection back. A rollback that fails costs the connection and hides nothing."""
        try:
            await self._connection.execute("ROLLBACK", timeout=10.0)
        except asyncio.CancelledError:
            self._drop()
            raise
        except Exception:
            self._drop()
        else:
            self._pool.give_back(self._connection)

    def _drop(self) -> None:
        """Give up the connection, whose state is not known; the server rolls back what was open."""
        self._connection.terminate()
        self._pool.give_back(self._connection)


async def retrying(work: Callable[[], Awaitable[T]], *, attempts: int = 5) -> T:
    """Do `work`, a whole transaction, again while another one was in the way. Raises the last Contended.

    `work` is called anew each time and has to open its transaction itself.
    """
    for attempt in range(1, attempts):
        try:
            return await work()
        except Contended:
            await asyncio.sleep(random.uniform(0.5, 1.0) * 0.005 * 2**attempt)
    return await work()


def _raise_explained(fault: BaseException, *, closed: bool) -> None:
    error = explain(fault, closed=closed)
    if error is not None:
        raise error from fault
