"""What stores see of the database: rows and a transaction, without the driver's own types."""

from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class Row(Protocol):
    """One row, read by column name or position. Also a mapping: `Record(**row)` fills a dataclass of the same names."""

    # Any, here and in `fetchval` only: a column's type is the statement's affair, and a cast at each read would hide
    # more than it checks.
    def __getitem__(self, column: str | int, /) -> Any:  # noqa: ANN401
        """A column's value: UUID, int, str, bytes, aware datetime, list; jsonb arrives as str. KeyError if absent."""
        ...

    def keys(self) -> Iterator[str]:
        """Column names, in the order of the statement."""
        ...


class Tx(Protocol):
    """An open transaction. Parameters are `$1, $2, ...`; jsonb goes in as text made by `core.json.encode_text`.

    After a statement has failed, the transaction can only be left; where a double is expected, say ON CONFLICT.
    Settings of the session (SET without LOCAL, session advisory locks, LISTEN) would leak to the connection's next
    borrower and must not be used.
    """

    def fetch(self, query: str, /, *args: object) -> Coroutine[object, object, list[Row]]:
        """All rows."""
        ...

    def fetchrow(self, query: str, /, *args: object) -> Coroutine[object, object, Row | None]:
        """The first row, or None."""
        ...

    def fetchval(self, query: str, /, *args: object) -> Coroutine[object, object, Any]:
        """The first column of the first row, or None."""
        ...

    def execute(self, query: str, /, *args: object) -> Coroutine[object, object, str]:
        """Run a statement for its effect; answers the command tag, such as `UPDATE 1`."""
        ...

    def executemany(self, query: str, rows: Iterable[Sequence[object]], /) -> Coroutine[object, object, None]:
        """Run a statement once for each row of parameters, in one round trip or few."""
        ...

    def after_commit(self, callback: Callable[[], None], /) -> None:
        """Call `callback` once the transaction is committed; never when it is rolled back or its fate is unknown.

        Callbacks are run in order, in the task that commits. One that raises is logged and hurts nobody else.
        """
        ...


@dataclass(frozen=True, slots=True)
class Urls:
    """Where each role of a process connects to. `listen` is a direct URL: LISTEN does not work through PgBouncer."""

    owner: str
    app: str
    system: str
    listen: str
