"""What streams, readiness and metrics ask of the database, beside what the packages' own stores answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quarterdeck.core.ids import RunId, TenantId
from quarterdeck.db.pool import Database
from quarterdeck.runs import log
from quarterdeck.runs.records import StoredEvent
from quarterdeck.serve.live import Head

# How far runs have come and whether they have ended: one question for all that is watched of a tenant.
_HEADS = "SELECT id, last_seq, finished_at IS NOT NULL AS ended FROM qd.runs WHERE tenant = $1 AND id = ANY($2)"

# That the queue's tables answer.
_QUEUE = "SELECT 1 FROM qd_engine.pgqueuer LIMIT 1"

# Runs that have not ended, by status, over all tenants: a short stretch of an index for each tenant and status.
_COUNT_RUNS = """
SELECT s.status, sum(c.n)::bigint AS n
FROM unnest($1::text[]) AS s(status) LEFT JOIN qd.tenants t ON true
    LEFT JOIN LATERAL (
        SELECT count(*) AS n FROM qd.runs r WHERE r.tenant = t.tenant AND r.status = s.status) c ON true
GROUP BY s.status
"""

# How long the run that has waited longest for admission has been ready, in seconds, over all tenants.
_OLDEST_READY = """
SELECT coalesce(extract(epoch FROM now() - min(available_at)), 0)::float8 FROM qd.runs
WHERE status IN ('queued', 'waiting_for_retry') AND delivered_at IS NULL AND available_at <= now()
"""

# Workers by whether their lease holds, which belong to no tenant.
_COUNT_WORKERS = """
SELECT CASE WHEN lease_until < now() THEN 'gone' WHEN draining THEN 'draining' ELSE 'alive' END AS state,
    count(*) AS n, sum(capacity)::bigint AS capacity
FROM qd.workers GROUP BY 1
"""

# Messages to webhooks that are due or given up, over all tenants.
_COUNT_DELIVERIES = "SELECT count(*) FROM qd.webhook_deliveries WHERE state = 'pending'"


@dataclass(frozen=True, slots=True)
class Census:
    """What the whole deployment is doing just now."""

    runs: Mapping[str, int]
    oldest_ready: float
    workers: Mapping[str, int]
    capacity: int
    deliveries: int


class RunLog:
    """The runs' logs, for streams."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def events(self, tenant: TenantId, run: RunId, after: int, limit: int) -> Sequence[StoredEvent]:
        """Up to `limit` events after a position, in order."""
        async with self._database.tenant(tenant) as tx:
            return await log.read(tx, tenant, run, after, limit)

    async def heads(self, tenant: TenantId, runs: Sequence[RunId]) -> Mapping[RunId, Head]:
        """How far these runs have come."""
        async with self._database.tenant(tenant) as tx:
            rows = await tx.fetch(_HEADS, tenant, list(runs))
        return {RunId(row["id"]): Head(row["last_seq"], row["ended"]) for row in rows}


async def touch_queue(database: Database) -> None:
    """Ask something of the queue's tables. Raises when they don't answer."""
    async with database.system.transaction() as tx:
        await tx.fetchval(_QUEUE)


async def take_census(database: Database, statuses: Sequence[str]) -> Census:
    """Count what is going on in all tenants."""
    async with database.system.transaction() as tx:
        runs = await tx.fetch(_COUNT_RUNS, list(statuses))
        oldest: float = await tx.fetchval(_OLDEST_READY)
        workers = await tx.fetch(_COUNT_WORKERS)
        deliveries: int = await tx.fetchval(_COUNT_DELIVERIES)
    return Census(
        runs={row["status"]: row["n"] or 0 for row in runs},
        oldest_ready=oldest,
        workers={row["state"]: row["n"] for row in workers},
        capacity=sum(row["capacity"] for row in workers if row["state"] == "alive"),
        deliveries=deliveries,
    )
