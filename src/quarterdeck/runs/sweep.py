"""The sweep: whatever a dead worker held, and whatever lost its delivery, is queued again. Runs in every worker."""

from collections.abc import Sequence
from datetime import timedelta

from quarterdeck.core.ids import RunId, TenantId, WorkerId
from quarterdeck.db.records import Tx

LOCK = 0x71645F73

# One sweep at a time is enough.
TRY_LOCK = "SELECT pg_try_advisory_xact_lock($1)"

# Runs whose worker's lease has run out go back to the queue, with the event that says so.
RELEASE_DEAD = """
WITH dead AS (
    SELECT r.tenant, r.id FROM qd.runs r LEFT JOIN qd.workers w ON w.id = r.worker
    WHERE r.status IN ('running', 'cancelling')
      AND (w.id IS NULL OR w.epoch <> r.epoch OR w.lease_until <= clock_timestamp())
    ORDER BY r.id LIMIT 1000 FOR UPDATE OF r SKIP LOCKED),
freed AS (
    UPDATE qd.runs r SET status = 'queued', worker = NULL, delivered_at = NULL, available_at = clock_timestamp(),
        last_seq = last_seq + 1, why = 'its worker died; another takes over', step = 'waiting for a worker'
    FROM dead WHERE r.tenant = dead.tenant AND r.id = dead.id
    RETURNING r.tenant, r.id, r.attempt, r.last_seq)
INSERT INTO qd.run_events (tenant, run, seq, attempt, kind, v, data)
SELECT tenant, id, last_seq, attempt, 'run.released', 1, '{"why": "lease"}' FROM freed
RETURNING run
"""

# Runs that a living worker holds in the database but not in its memory: their last commit's fate was unknown.
RELEASE_STRAYS = """
WITH freed AS (
    UPDATE qd.runs r SET status = 'queued', worker = NULL, delivered_at = NULL, available_at = clock_timestamp(),
        last_seq = last_seq + 1
    WHERE r.worker = $1 AND r.status IN ('running', 'cancelling') AND NOT r.id = ANY ($2::uuid[])
      AND r.last_event_at < clock_timestamp() - interval '5 seconds'
    RETURNING r.tenant, r.id, r.attempt, r.last_seq)
INSERT INTO qd.run_events (tenant, run, seq, attempt, kind, v, data)
SELECT tenant, id, last_seq, attempt, 'run.released', 1, '{"why": "lease"}' FROM freed
RETURNING run
"""

# Runs of a worker that somebody wants to end.
CANCELLING = "SELECT id FROM qd.runs WHERE worker = $1 AND status = 'cancelling'"

# Deliveries that nobody claimed in time, or that a restart of the database has emptied, are made anew by admission.
REDELIVER = """
UPDATE qd.runs SET delivered_at = NULL
WHERE status IN ('queued', 'waiting_for_retry') AND delivered_at IS NOT NULL
  AND delivered_at < greatest(clock_timestamp() - $1::interval, pg_postmaster_start_time())
RETURNING id
"""

# Runs that no living worker can execute say so.
EXPLAIN = """
UPDATE qd.runs SET why = 'no running worker executes behaviour version ' || behaviour
WHERE status = 'queued' AND delivered_at IS NULL AND why = ''
  AND available_at < clock_timestamp() - interval '5 seconds'
  AND NOT EXISTS (SELECT 1 FROM qd.workers w WHERE w.lease_until > clock_timestamp() AND behaviour = ANY (w.behaviours))
"""

# Answers kept for idempotent POSTs, once nobody can ask for them any more.
FORGET_ANSWERS = "DELETE FROM qd.idempotency WHERE created_at < now() - interval '25 hours'"


# Runs that waited for their provider to have room for them are due now. Those that wait for anything else stay.
HASTEN = """
UPDATE qd.runs r SET available_at = clock_timestamp() FROM unnest($1::uuid[], $2::uuid[]) AS c (tenant, id)
WHERE r.tenant = c.tenant AND r.id = c.id AND r.status = 'waiting_for_retry' AND r.reason = 'pace'
  AND r.delivered_at IS NULL AND r.available_at > clock_timestamp()
RETURNING r.id
"""


async def sweep(tx: Tx, claim_within: timedelta) -> int:
    """Queue again what is stranded, in one transaction as qd_system. Returns how many runs admission should look at."""
    if not await tx.fetchval(TRY_LOCK, LOCK):
        return 0
    freed = await tx.fetch(RELEASE_DEAD)
    lost = await tx.fetch(REDELIVER, claim_within)
    await tx.execute(EXPLAIN)
    return len(freed) + len(lost)


async def release_strays(tx: Tx, worker: WorkerId, held: Sequence[RunId]) -> int:
    """Queue again what this worker is said to hold and does not, as qd_system. Returns how many there were."""
    return len(await tx.fetch(RELEASE_STRAYS, worker, list(held)))


async def hasten(tx: Tx, runs: Sequence[tuple[TenantId, RunId]]) -> int:
    """Make runs due that waited for their provider, as qd_system. Returns how many admission should look at."""
    return len(await tx.fetch(HASTEN, [tenant for tenant, _ in runs], [run for _, run in runs]))


async def cancelling(tx: Tx, worker: WorkerId) -> list[RunId]:
    """This worker's runs that somebody wants to end: the poll behind the wake."""
    return [RunId(row["id"]) for row in await tx.fetch(CANCELLING, worker)]


async def tidy(tx: Tx) -> None:
    """Delete what has served its time, as qd_system. For once in a while."""
    await tx.execute(FORGET_ANSWERS)
