"""What is left behind: reservations of runs that are over, and what has served its time. As qd_system."""

from datetime import timedelta
from uuid import UUID

from quarterdeck.core.ids import TenantId
from quarterdeck.db.records import Tx

# Runs that still hold something although they have ended or are gone. Those that end at this moment settle themselves.
_LEFTOVERS = """
SELECT DISTINCT r.tenant, r.run FROM qd.budget_reservations r
WHERE r.state = 'reserved' AND r.at < clock_timestamp() - $1::interval AND NOT EXISTS (
    SELECT FROM qd.runs x WHERE x.tenant = r.tenant AND x.id = r.run
      AND x.status NOT IN ('succeeded', 'failed', 'stopped', 'cancelled'))
LIMIT $2
"""

# Windows that were over long ago: each is kept as long as forty of its kind last, an hour at least. What somebody still
# holds is kept.
_PRUNE_WINDOWS = """
WITH over AS MATERIALIZED (
    SELECT account, starts, slot FROM qd.budget_slots
    WHERE ends < clock_timestamp() - greatest(interval '1 hour', (ends - starts) * 40) AND reserved = 0
    LIMIT $1 FOR UPDATE SKIP LOCKED)
DELETE FROM qd.budget_slots s USING over o WHERE s.account = o.account AND s.starts = o.starts AND s.slot = o.slot
"""

# Accounts of runs that ended, or were deleted, a while ago.
_PRUNE_RUNS = """
WITH over AS MATERIALIZED (
    SELECT a.account FROM qd.budget_accounts a
    WHERE a.scope = 'run' AND a.opened_at < clock_timestamp() - $2::interval
      AND NOT EXISTS (SELECT FROM qd.runs x WHERE x.tenant = a.tenant AND x.id = a.whose::uuid
        AND x.status NOT IN ('succeeded', 'failed', 'stopped', 'cancelled'))
      AND NOT EXISTS (SELECT FROM qd.budget_slots s WHERE s.account = a.account AND s.reserved > 0)
    ORDER BY a.opened_at LIMIT $1 FOR UPDATE SKIP LOCKED),
rows AS (DELETE FROM qd.budget_slots s USING over o WHERE s.account = o.account)
DELETE FROM qd.budget_accounts a USING over o WHERE a.account = o.account
"""

# Reservations that were settled a while ago.
_PRUNE_SETTLED = """
WITH over AS MATERIALIZED (
    SELECT tenant, run, call, at FROM qd.budget_reservations
    WHERE at < clock_timestamp() - $2::interval AND state <> 'reserved' LIMIT $1 FOR UPDATE SKIP LOCKED)
DELETE FROM qd.budget_reservations r USING over o
WHERE r.tenant = o.tenant AND r.run = o.run AND r.call = o.call AND r.at = o.at
"""


async def leftovers(tx: Tx, older_than: timedelta, limit: int) -> list[tuple[TenantId, UUID]]:
    """Runs that are over and hold something, with their tenants."""
    return [(TenantId(row["tenant"]), row["run"]) for row in await tx.fetch(_LEFTOVERS, older_than, limit)]


async def prune_windows(tx: Tx, limit: int) -> int:
    """Forget windows of accounts; how many rows went."""
    return _count(await tx.execute(_PRUNE_WINDOWS, limit))


async def prune_runs(tx: Tx, limit: int, after: timedelta) -> int:
    """Forget the accounts of ended runs; how many went."""
    return _count(await tx.execute(_PRUNE_RUNS, limit, after))


async def prune_settled(tx: Tx, limit: int, after: timedelta) -> int:
    """Forget settled reservations; how many went."""
    return _count(await tx.execute(_PRUNE_SETTLED, limit, after))


def _count(tag: str) -> int:
    return int(tag.rpartition(" ")[2])
