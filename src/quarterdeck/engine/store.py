"""The engine's tables: PgQueuer's own, and the leases of workers."""

import re
from collections.abc import Sequence
from datetime import timedelta

from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment

from quarterdeck.core.ids import WorkerId
from quarterdeck.db.driver import Connection
from quarterdeck.db.records import Tx
from quarterdeck.engine.driver import SCHEMA, TxDriver, queries, settings
from quarterdeck.engine.records import Delivery, entrypoint

# A worker's row: while its lease is good it owns the runs that it has claimed.
REGISTER = """
INSERT INTO qd.workers (id, lease_until, host, pid, version, behaviours, capacity)
VALUES ($1, clock_timestamp() + $2::interval, $3, $4, $5, $6, $7) RETURNING epoch
"""

# One update renews all runs of a worker. No row: the lease has run out and may not be revived.
RENEW = """
UPDATE qd.workers SET lease_until = clock_timestamp() + $3::interval, draining = $4
WHERE id = $1 AND epoch = $2 AND lease_until > clock_timestamp() RETURNING 1
"""

# A worker that leaves in good order gives its lease up at once.
LEAVE = "UPDATE qd.workers SET lease_until = clock_timestamp(), draining = true WHERE id = $1 AND epoch = $2"

# Workers with what they hold.
LISTED = """
SELECT w.id, w.host, w.pid, w.version, w.behaviours, w.capacity, w.epoch, w.started_at, w.lease_until,
    CASE WHEN w.lease_until <= clock_timestamp() THEN 'dead' WHEN w.draining THEN 'draining' ELSE 'alive' END AS state,
    (SELECT count(*)::int FROM qd.runs r WHERE r.worker = w.id AND r.status IN ('running', 'cancelling')) AS running
FROM qd.workers w ORDER BY w.started_at DESC LIMIT 1000
"""

# Rows of workers that are long gone.
FORGET = """
DELETE FROM qd.workers w WHERE lease_until < now() - interval '1 hour'
    AND NOT EXISTS (SELECT 1 FROM qd.runs r WHERE r.worker = w.id AND r.status IN ('running', 'cancelling'))
"""

# PgQueuer writes each job's history and never prunes it; ours is in the runs' logs.
PRUNE = f"DELETE FROM {SCHEMA}.pgqueuer_log WHERE created < now() - interval '1 hour'"
PRUNE_STATISTICS = f"DELETE FROM {SCHEMA}.pgqueuer_statistics WHERE created < now() - interval '7 days'"

INSTALLED = "SELECT to_regclass($1) IS NOT NULL"

# Workers that may act now.
COUNT_LIVING = "SELECT count(*) FROM qd.workers WHERE lease_until > clock_timestamp() AND NOT draining"


async def install(owner: Connection) -> None:
    """Create or upgrade PgQueuer's tables in their own schema, as the owner. Safe to repeat.

    Its trigger is taken off: it would NOTIFY inside durable transactions, which serialises their commits.
    """
    names = QueryBuilderEnvironment(settings())
    queue = f"{SCHEMA}.pgqueuer"
    if not await owner.fetchval(INSTALLED, queue):
        await owner.execute(names.build_install_query(create_schema=False))
    await owner.execute(f"DROP TRIGGER IF EXISTS {settings().trigger} ON {queue}")
    await owner.execute(f"GRANT USAGE ON SCHEMA {SCHEMA} TO qd_system")
    await owner.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {SCHEMA} TO qd_system")
    await owner.execute(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {SCHEMA} TO qd_system")
    # Deliveries name runs of every tenant, and these tables know no row-level security.
    await owner.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA {SCHEMA} FROM qd_app")
    await owner.execute(f"REVOKE ALL ON SCHEMA {SCHEMA} FROM qd_app")


async def enqueue(tx: Tx, deliveries: Sequence[Delivery]) -> None:
    """Put deliveries into the queue, in the transaction that admits their runs."""
    if deliveries:
        await queries(TxDriver(tx)).enqueue(
            [entrypoint(delivery.behaviour) for delivery in deliveries],
            [delivery.payload for delivery in deliveries],
            [delivery.priority for delivery in deliveries],
        )


async def register(
    tx: Tx,
    worker: WorkerId,
    lease: timedelta,
    *,
    host: str,
    pid: int,
    version: str,
    behaviours: Sequence[int],
    capacity: int,
) -> int:
    """Enter a worker. Returns its epoch."""
    epoch: int = await tx.fetchval(REGISTER, worker, lease, host, pid, version, list(behaviours), capacity)
    return epoch


async def renew(connection: Connection, worker: WorkerId, epoch: int, lease: timedelta, *, draining: bool) -> bool:
    """Renew a lease. False: it had run out, and all that the worker held is for others to take."""
    return await connection.fetchval(RENEW, worker, epoch, lease, draining) is not None


async def count_living(connection: Connection) -> int:
    """How many workers hold a lease and take runs. For whoever starts them."""
    count: int = await connection.fetchval(COUNT_LIVING)
    return count


async def listed(tx: Tx) -> list[dict[str, object]]:
    """Every worker of the last hour, newest first, as it is shown."""
    return [dict(zip(row.keys(), (row[name] for name in row.keys()), strict=True)) for row in await tx.fetch(LISTED)]  # noqa: SIM118  # rows iterate over values


async def give_up(tx: Tx, worker: WorkerId, epoch: int) -> None:
    """End a lease at once, so that nothing waits for it to run out."""
    await tx.execute(LEAVE, worker, epoch)


async def prune(tx: Tx) -> int:
    """Delete what nobody needs any more. Returns how many rows of history went."""
    await tx.execute(FORGET)
    await tx.execute(PRUNE_STATISTICS)
    tag = await tx.execute(PRUNE)
    found = re.search(r"\d+$", tag)
    return int(found.group()) if found else 0
