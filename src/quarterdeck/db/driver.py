"""The edge to asyncpg, which ships no types: what we use of it, said once, so that the rest can be checked strictly."""

from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Protocol, cast

import asyncpg  # pyright: ignore[reportMissingTypeStubs]  # there are none

from quarterdeck.db.records import Row

STATEMENTS = 512
"""Prepared statements kept on each connection: more than we have, so that none is ever parsed twice."""


class Connection(Protocol):
    """One session with the server."""

    def fetch(self, query: str, /, *args: object, timeout: float | None = None) -> Coroutine[object, object, list[Row]]:
        """All rows."""
        ...

    def fetchrow(
        self, query: str, /, *args: object, timeout: float | None = None
    ) -> Coroutine[object, object, Row | None]:
        """The first row, or None."""
        ...

    # As in `Row`: the statement decides what the value is.
    def fetchval(self, query: str, /, *args: object, timeout: float | None = None) -> Coroutine[object, object, Any]:
        """The first column of the first row, or None."""
        ...

    def execute(self, query: str, /, *args: object, timeout: float | None = None) -> Coroutine[object, object, str]:
        """Run a statement, or without arguments a whole script, and answer the last command tag."""
        ...

    def executemany(self, query: str, rows: Iterable[Sequence[object]], /) -> Coroutine[object, object, None]:
        """Run a statement for each row of parameters."""
        ...

    async def add_listener(self, channel: str, callback: Callable[["Connection", int, str, str], None], /) -> None:
        """LISTEN, and call back with (connection, pid, channel, payload)."""
        ...

    async def remove_listener(self, channel: str, callback: Callable[["Connection", int, str, str], None], /) -> None:
        """UNLISTEN."""
        ...

    def add_termination_listener(self, callback: Callable[["Connection"], None], /) -> None:
        """Call back when the connection is gone, for whatever reason."""
        ...

    def is_closed(self) -> bool:
        """Whether the session has ended."""
        ...

    def is_in_transaction(self) -> bool:
        """Whether the server said that a transaction is open."""
        ...

    async def close(self, *, timeout: float | None = None) -> None:
        """End the session politely."""
        ...

    def terminate(self) -> None:
        """Drop the session at once."""
        ...


async def connect(url: str, *, timeout: float = 10.0, settings: dict[str, str] | None = None) -> Connection:
    """Open a session. Raises what the driver raises; `faults.explain` turns that into our errors."""
    connection = await asyncpg.connect(  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # untyped
        url,
        timeout=timeout,  # pyright: ignore[reportArgumentType]  # inferred as int from its default
        statement_cache_size=STATEMENTS,
        max_cached_statement_lifetime=0,
        server_settings={"timezone": "UTC", **(settings or {})},
    )
    return cast("Connection", connection)
