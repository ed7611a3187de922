"""Writing to a run's log. Each verb is one statement that fences, numbers and appends at once.

The run's row is locked first; no row means that the writer is fenced out: another attempt, or an end, came before. A
fenced-out writer has written nothing and must stop.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from quarterdeck.audit import store as audit
from quarterdeck.core.errors import Conflict
from quarterdeck.core.ids import RunId, TenantId, WorkerId
from quarterdeck.db.records import Row, Tx
from quarterdeck.runs.events import Event, write
from quarterdeck.runs.events import read as read_event
from quarterdeck.runs.fold import RunState
from quarterdeck.runs.records import Status, StoredEvent

_TOTALS = """step = $6, steps_used = $7, tool_calls = $8, failed_calls = $9, input_tokens = $10, output_tokens = $11,
        cost_micro_usd = $12, risk_level = $13, last_event_at = clock_timestamp(), last_seq = last_seq + $5"""
_FENCE = "tenant = $1 AND id = $2 AND attempt = $3 AND worker = $4 AND status IN ('running', 'cancelling')"

# A worker's append: fence, numbering and totals in one statement. Nothing indexed changes, so the update stays HOT.
APPEND = f"""
WITH r AS (
    UPDATE qd.runs SET {_TOTALS}, fruitless = CASE WHEN $17 THEN 0 ELSE fruitless END
    WHERE {_FENCE} RETURNING last_seq),
a AS ({audit.beside("$18")})
INSERT INTO qd.run_events (tenant, run, seq, attempt, kind, v, data)
SELECT $1, $2, r.last_seq - $5 + e.n, $3, e.kind, e.v, e.data::jsonb
FROM r, unnest($14::text[], $15::smallint[], $16::text[]) WITH ORDINALITY AS e (kind, v, data, n)
RETURNING seq
"""

# A worker's last append of an attempt: the run leaves the worker for the status given.
LEAVE = f"""
WITH r AS (
    UPDATE qd.runs SET {_TOTALS}, fruitless = CASE WHEN $17 THEN 0 ELSE fruitless END,
        status = $19, worker = NULL, delivered_at = NULL, reason = $20, why = $21, error_code = $22,
        finished_at = CASE WHEN $23 THEN clock_timestamp() END,
        parked_at = CASE WHEN $24 THEN clock_timestamp() END,
        available_at = coalesce($25, available_at)
    WHERE {_FENCE} RETURNING last_seq),
a AS ({audit.beside("$18")})
INSERT INTO qd.run_events (tenant, run, seq, attempt, kind, v, data)
SELECT $1, $2, r.last_seq - $5 + e.n, $3, e.kind, e.v, e.data::jsonb
FROM r, unnest($14::text[], $15::smallint[], $16::text[]) WITH ORDINALITY AS e (kind, v, data, n)
RETURNING seq
"""

# Where a run's log ends now, with its row locked: whoever else wants to write waits.
LAST_SEQ = f"SELECT last_seq FROM qd.runs WHERE {_FENCE} FOR UPDATE"

# A worker takes a delivered run: only while its own lease is good, and only once a delivery.
CLAIM = """
WITH r AS (
    UPDATE qd.runs SET status = 'running', attempt = attempt + 1, fruitless = fruitless + 1, worker = $3, epoch = $4,
        delivered_at = NULL, last_seq = last_seq + 1, last_event_at = clock_timestamp(),
        started_at = coalesce(started_at, clock_timestamp()), step = 'starting', reason = NULL, why = ''
    WHERE tenant = $1 AND id = $2 AND status IN ('queued', 'waiting_for_retry') AND delivered_at IS NOT NULL
      AND EXISTS (SELECT 1 FROM qd.workers w WHERE w.id = $3 AND w.epoch = $4 AND w.lease_until > clock_timestamp())
    RETURNING *),
i AS (
    INSERT INTO qd.run_events (tenant, run, seq, attempt, kind, v, data)
    SELECT $1, $2, r.last_seq, r.attempt, 'run.claimed', $5, $6::jsonb FROM r)
SELECT * FROM r
"""

# A delivery came to a worker whose lease is over: it is given back, for admission to make another.
RELINQUISH = """
UPDATE qd.runs SET delivered_at = NULL
WHERE tenant = $1 AND id = $2 AND status IN ('queued', 'waiting_for_retry') AND delivered_at IS NOT NULL RETURNING id
"""

# Somebody outside the worker appends to a run whose row the same transaction has locked: numbering without a fence.
APPEND_LOCKED = """
WITH r AS (
    UPDATE qd.runs SET last_seq = last_seq + $3, last_event_at = clock_timestamp()
    WHERE tenant = $1 AND id = $2 RETURNING last_seq, attempt)
INSERT INTO qd.run_events (tenant, run, seq, attempt, kind, v, data)
SELECT $1, $2, r.last_seq - $3 + e.n, r.attempt, e.kind, e.v, e.data::jsonb
FROM r, unnest($4::text[], $5::smallint[], $6::text[]) WITH ORDINALITY AS e (kind, v, data, n)
RETURNING seq
"""

# A run's events after a given one, in order.
READ = """
SELECT seq, attempt, kind, v, at, data FROM qd.run_events
WHERE tenant = $1 AND run = $2 AND seq > $3 ORDER BY seq LIMIT $4
"""

# The last event of a kind.
LAST_OF = "SELECT v, data FROM qd.run_events WHERE tenant = $1 AND run = $2 AND kind = $3 ORDER BY seq DESC LIMIT 1"

EVERYTHING = 1_000_000
E = TypeVar("E", bound=Event)


class FencedOut(Conflict):
    """Another worker has this run now, or it has ended; this one must stop."""

    code = "run.fenced_out"


@dataclass(frozen=True, slots=True)
class Hold:
    """What entitles a worker to write to a run: its attempt at it."""

    tenant: TenantId
    run: RunId
    worker: WorkerId
    attempt: int


@dataclass(frozen=True, slots=True)
class Departure:
    """How a run leaves its worker. `ended` and `parked` set the matching time stamps.

    `in_vain`: nothing came of this attempt, and so many in a row are the end of the run.
    """

    status: Status
    reason: str | None = None
    why: str = ""
    error_code: str | None = None
    ended: bool = False
    parked: bool = False
    available_at: datetime | None = None
    in_vain: bool = False


async def append(
    tx: Tx,
    hold: Hold,
    events: Sequence[Event],
    state: RunState,
    *,
    step: str,
    risk: str,
    audited: str = audit.NOTHING,
) -> int:
    """Append events as the holder; totals are taken from `state`, which already includes them. `audited` are the rows
    that the audit gets for them, as `audit.store.beside_rows` makes them.

    Returns the last sequence number. Raises FencedOut. Repeating it after a lost answer is not idempotent: on
    CommitUnknown the holder must give the run up and let the sweep decide.
    """
    row = await tx.fetchval(APPEND, *_facts(hold, events, state, step, risk), _bears_fruit(events), audited)
    return _last(row, events)


async def leave(
    tx: Tx,
    hold: Hold,
    events: Sequence[Event],
    state: RunState,
    risk: str,
    to: Departure,
    audited: str = audit.NOTHING,
) -> int:
    """Append events and give the run up: parked, ended, or back in the queue. Raises FencedOut."""
    row = await tx.fetchval(
        LEAVE,
        *_facts(hold, events, state, "", risk),
        _bears_fruit(events) and not to.in_vain,
        audited,
        to.status,
        to.reason,
        to.why,
        to.error_code,
        to.ended,
        to.parked,
        to.available_at,
    )
    return _last(row, events)


async def last_seq(tx: Tx, hold: Hold) -> int:
    """Where the log ends, and nobody else writes to it before this transaction is over. Raises FencedOut."""
    last = await tx.fetchval(LAST_SEQ, hold.tenant, hold.run, hold.attempt, hold.worker)
    if last is None:
        raise FencedOut
    return int(last)


async def claim(tx: Tx, tenant: TenantId, run: RunId, worker: WorkerId, epoch: int, event: Event) -> Row | None:
    """Take a delivered run for one attempt. None: it is not there to be taken, or this worker's lease has run out."""
    return await tx.fetchrow(CLAIM, tenant, run, worker, epoch, event.v, write(event))


async def relinquish(tx: Tx, tenant: TenantId, run: RunId) -> bool:
    """After a claim that failed: True when the run is still there to be claimed, so that only the lease was missing."""
    return await tx.fetchval(RELINQUISH, tenant, run) is not None


async def append_locked(tx: Tx, tenant: TenantId, run: RunId, events: Sequence[Event]) -> int:
    """Append on behalf of somebody outside the worker, who holds the run's row lock and has checked its status."""
    row = await tx.fetchval(APPEND_LOCKED, tenant, run, len(events), *_columns(events))
    return _last(row, events)


async def read(tx: Tx, tenant: TenantId, run: RunId, after: int = 0, limit: int = EVERYTHING) -> list[StoredEvent]:
    """The events after `after`, oldest first."""
    return [StoredEvent(*row) for row in await tx.fetch(READ, tenant, run, after, limit)]


async def last_of(tx: Tx, tenant: TenantId, run: RunId, kind: type[E]) -> E | None:
    """The newest event of one kind."""
    row = await tx.fetchrow(LAST_OF, tenant, run, kind.kind)
    if row is None:
        return None
    event = read_event(kind.kind, row["v"], row["data"])
    assert isinstance(event, kind)
    return event


def _last(first: int | None, events: Sequence[Event]) -> int:
    if first is None:
        raise FencedOut
    return first + len(events) - 1


def _facts(hold: Hold, events: Sequence[Event], state: RunState, step: str, risk: str) -> tuple[object, ...]:
    return (
        hold.tenant,
        hold.run,
        hold.attempt,
        hold.worker,
        len(events),
        step,
        state.steps,
        state.tool_calls,
        state.failed_calls,
        state.usage.input,
        state.usage.output,
        state.cost,
        risk,
        *_columns(events),
    )


def _columns(events: Sequence[Event]) -> tuple[list[str], list[int], list[str]]:
    return [event.kind for event in events], [event.v for event in events], [write(event) for event in events]


_FRUIT = frozenset({"model.answered", "tool.answered", "tool.failed", "tool.denied", "run.parked", "run.released"})


def _bears_fruit(events: Sequence[Event]) -> bool:
    return any(event.kind in _FRUIT for event in events)


def hold_of(row: Row, worker: UUID) -> Hold:
    """The hold that a claim's row gives."""
    return Hold(TenantId(row["tenant"]), RunId(row["id"]), WorkerId(worker), row["attempt"])
