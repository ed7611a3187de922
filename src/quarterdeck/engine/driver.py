"""PgQueuer's view of our database: single statements on our pool, and wakes that never go through a durable NOTIFY."""

import asyncio
import functools
from collections.abc import Callable, Mapping
from typing import Self, TypeAlias

from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment, QueryQueueBuilder, QuerySchedulerBuilder
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.core.tm import TaskManager
from pgqueuer.domain.settings import DBSettings, Durability
from pgqueuer.ports.driver import Driver

from quarterdeck.core.json import encode_text
from quarterdeck.db.connections import Pool
from quarterdeck.db.records import Tx

SCHEMA = "qd_engine"
CHANNEL = "qd_engine"

Callback: TypeAlias = Callable[[str | bytes | bytearray], None]


@functools.cache
def settings() -> DBSettings:
    """Where PgQueuer's tables stand. Volatile: a crash of the database empties them and the sweep delivers anew."""
    return DBSettings(db_schema=SCHEMA, durability=Durability.volatile)


def queries(driver: Driver) -> Queries:
    """PgQueuer's statements, against our tables of it."""
    names = settings()
    return Queries(driver, QueryBuilderEnvironment(names), QueryQueueBuilder(names), QuerySchedulerBuilder(names))


class _LocalDriver(Driver):
    """What both drivers share: listeners are told in this process, and there is nothing to open or close."""

    def __init__(self) -> None:
        self._shutdown = asyncio.Event()
        self._listeners: list[Callback] = []
        self.rung = False

    async def add_listener(self, channel: str, callback: Callback) -> None:
        """Remember whom to tell; the channel is ours alone."""
        del channel
        self._listeners.append(callback)

    async def notify(self, channel: str, payload: str) -> None:
        """PgQueuer probes its own listener this way: answered here, since no LISTEN is involved."""
        del channel
        self._tell(payload)

    def ring(self) -> None:
        """Somebody has enqueued: look now."""
        self.rung = True
        self._tell(_CHANGED)

    def _tell(self, payload: str) -> None:
        for callback in self._listeners:
            callback(payload)

    @property
    def shutdown(self) -> asyncio.Event:
        """Set when no new work is wanted."""
        return self._shutdown

    @property
    def tm(self) -> TaskManager:
        """Tasks of the driver: it has none."""
        return TaskManager()

    async def __aenter__(self) -> Self:
        """Nothing to open: the connections are the process's."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Forget the listeners of the loop that ended."""
        self._listeners.clear()


class TxDriver(_LocalDriver):
    """Lets PgQueuer write within a transaction of ours."""

    def __init__(self, tx: Tx) -> None:
        super().__init__()
        self._tx = tx

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        """Rows as dictionaries."""
        return [dict(_items(row)) for row in await self._tx.fetch(query, *args)]

    async def execute(self, query: str, *args: object) -> str:
        """The command tag."""
        return await self._tx.execute(query, *args)


class PoolDriver(_LocalDriver):
    """Lets PgQueuer's worker loop run on our pool, woken by `ring` in place of its trigger's NOTIFY."""

    def __init__(self, pool: Pool) -> None:
        super().__init__()
        self._pool = pool

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        """Rows as dictionaries."""
        connection = await self._pool.borrow()
        try:
            return [dict(_items(row)) for row in await connection.fetch(query, *args)]
        finally:
            self._pool.give_back(connection)

    async def execute(self, query: str, *args: object) -> str:
        """The command tag."""
        connection = await self._pool.borrow()
        try:
            return await connection.execute(query, *args)
        finally:
            self._pool.give_back(connection)


_CHANGED = encode_text(
    {
        "channel": CHANNEL,
        "operation": "insert",
        "sent_at": "1970-01-01T00:00:00Z",
        "table": "pgqueuer",
        "type": "table_changed_event",
    }
)


def _items(row: object) -> Mapping[str, object]:
    return row  # pyright: ignore[reportReturnType]  # a row is a mapping at run time; its protocol says only what stores use
