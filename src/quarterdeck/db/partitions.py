"""The log's monthly partitions: made three months ahead, and the default one watched, which should stay empty."""

from dataclasses import dataclass

from quarterdeck.db.records import Tx

MONTHS_AHEAD = 3

# Make what is missing, with the owner's rights behind a function that only qd_system may call.
MAKE = "SELECT made FROM qd.make_partitions($1) AS made"

# The log's partitions by name. Months sort by their names.
SELECT_PARTITIONS = """
SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'qd.run_events'::regclass AND c.relname <> 'run_events_default' ORDER BY c.relname
"""

# Whether any row, of whichever tenant, went to the partition that nobody meant it for. For qd_system only.
SELECT_DEFAULT_HAS_ROWS = "SELECT EXISTS (SELECT FROM qd.run_events_default)"


@dataclass(frozen=True, slots=True)
class Partitions:
    """The state of the log's partitions."""

    months: tuple[str, ...]
    """Names such as `run_events_2026_11`, oldest first."""
    default_has_rows: bool
    """Rows were written that no month was ready for: alert, their month can't be made until they are moved."""


async def make_partitions(tx: Tx, months_ahead: int = MONTHS_AHEAD) -> tuple[str, ...]:
    """Make the partitions of this month and the next ones; answers the names of the new. Repeating it is free.

    Wants a transaction of qd_system. Raises Contended when the log is locked just now: try again later.
    """
    return tuple(row["made"] for row in await tx.fetch(MAKE, months_ahead))


async def look_at_partitions(tx: Tx) -> Partitions:
    """What there is. Wants a transaction of qd_system."""
    months = await tx.fetch(SELECT_PARTITIONS)
    return Partitions(tuple(row["name"] for row in months), bool(await tx.fetchval(SELECT_DEFAULT_HAS_ROWS)))
