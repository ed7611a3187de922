"""The runs table: inserting, reading, listing and the transitions that no worker makes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from quarterdeck.core.ids import AgentName, ReleaseId, RunId, TenantId, ThreadId, UserId
from quarterdeck.core.json import decode_object, encode_text
from quarterdeck.core.money import MicroUsd
from quarterdeck.db.records import Row, Tx
from quarterdeck.runs.events import Event, write
from quarterdeck.runs.records import LedgerEntry, Run, Status, Submission

# The run and its first event, together or not at all; nothing where the dedup key is taken.
INSERT = """
WITH r AS (
    INSERT INTO qd.runs (tenant, id, agent, release, behaviour, user_id, thread, thread_position, priority, tags,
        submitted_by, title, dedup_key, dedup_digest, traceparent, available_at, last_seq, parent, kind)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::jsonb, $11, $12, $13, $14, $15, coalesce($16, now()), 1, $19, $20)
    ON CONFLICT DO NOTHING RETURNING *),
i AS (
    INSERT INTO qd.run_events (tenant, run, seq, attempt, kind, v, data)
    SELECT $1, $2, 1, 0, 'run.admitted', $17, $18::jsonb FROM r)
SELECT * FROM r
"""

# One run.
READ = "SELECT * FROM qd.runs WHERE tenant = $1 AND id = $2"

# One run, locked until the transaction ends: whoever judges its status from outside a worker starts here.
LOCK = "SELECT * FROM qd.runs WHERE tenant = $1 AND id = $2 FOR UPDATE"

# The run that a dedup key made.
BY_DEDUP = "SELECT * FROM qd.runs WHERE tenant = $1 AND dedup_key = $2"

# How many runs of a tenant wait to be executed, and how many may: what back-pressure looks at.
QUEUED = """
SELECT (SELECT count(*) FROM qd.runs WHERE tenant = $1 AND status = 'queued') AS queued,
       (SELECT queue_limit FROM qd.tenants WHERE tenant = $1) AS own_limit
"""

# A transition that no worker makes: cancelling, resuming, retrying, ending what is not being executed.
MOVE = """
UPDATE qd.runs SET status = $3, delivered_at = NULL, worker = CASE WHEN $3 = 'cancelling' THEN worker END,
    reason = $4, why = $5, error_code = $6,
    finished_at = CASE WHEN $7 THEN clock_timestamp() END,
    waited_ms = waited_ms + coalesce(extract(epoch FROM clock_timestamp() - parked_at) * 1000, 0)::bigint,
    parked_at = NULL, available_at = CASE WHEN $3 = 'queued' THEN now() ELSE available_at END,
    cancel_requested_at = CASE WHEN $8 THEN clock_timestamp() WHEN $9 THEN NULL ELSE cancel_requested_at END,
    fruitless = CASE WHEN $9 THEN 0 ELSE fruitless END
WHERE tenant = $1 AND id = $2
"""

# Runs of a tenant, newest first, each filter off where NULL.
LIST = """
SELECT * FROM qd.runs WHERE tenant = $1
    AND ($2::uuid IS NULL OR id < $2) AND ($3::text[] IS NULL OR status = ANY($3)) AND ($4::text IS NULL OR agent = $4)
    AND ($5::text IS NULL OR user_id = $5) AND ($6::text IS NULL OR release = $6) AND ($7::uuid IS NULL OR thread = $7)
    AND ($8::uuid IS NULL OR id >= $8) AND ($9::uuid IS NULL OR id < $9)
    AND ($10::text IS NULL OR title ILIKE $10 OR why ILIKE $10 OR agent ILIKE $10 OR user_id ILIKE $10
         OR id::text ILIKE $10)
    AND ($12::text[] IS NULL OR agent = ANY($12)) AND ($13::text IS NULL OR error_code = $13 OR reason = $13)
    AND ($14::text IS NULL OR submitted_by = $14)
ORDER BY id DESC LIMIT $11
"""

# Counts for the filters beside a list, over the newest runs.
FACETS = """
WITH newest AS (
    SELECT status, agent, coalesce(error_code, reason) AS cause FROM qd.runs
    WHERE tenant = $1 AND ($2::uuid IS NULL OR id >= $2) AND ($3::uuid IS NULL OR id < $3)
        AND ($4::text[] IS NULL OR agent = ANY($4)) AND ($5::text IS NULL OR user_id = $5)
        AND ($6::text IS NULL OR submitted_by = $6)
    ORDER BY id DESC LIMIT $7)
SELECT 'status' AS facet, status AS value, count(*) AS n FROM newest GROUP BY status
UNION ALL SELECT 'agent', agent, count(*) FROM newest GROUP BY agent
UNION ALL SELECT 'cause', cause, count(*) FROM newest WHERE cause IS NOT NULL GROUP BY cause
"""

# How many of an agent's newest runs ended for the same cause, by release: the blast radius.
SAME_CAUSE = """
WITH newest AS (
    SELECT id, release, coalesce(error_code, reason) AS cause FROM qd.runs
    WHERE tenant = $1 AND agent = $2 AND id >= $3 ORDER BY id DESC LIMIT $6)
SELECT release, count(*) AS n FROM newest WHERE id <> $4 AND cause = $5 GROUP BY release
"""

# The ledger of one run.
EFFECTS = """
SELECT call, tool, effect, repeat, key, arguments_digest, state, intended_at, not_after, settled_at, settled_by
FROM qd.effects WHERE tenant = $1 AND run = $2 ORDER BY intended_at, call
"""

# Ledger: intents of a step, in the transaction of their events. A repeat of the same call keeps its row.
INTEND = """
INSERT INTO qd.effects (tenant, run, call, tool, effect, repeat, key, arguments_digest, state, not_after)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'intended', $9)
ON CONFLICT (tenant, run, call) DO UPDATE SET state = 'intended', not_after = excluded.not_after
WHERE qd.effects.state IN ('intended', 'failed')
"""

# Ledger: what became of an intent, in the transaction of its outcome.
SETTLE = """
UPDATE qd.effects SET state = $4, settled_at = clock_timestamp(), settled_by = $5
WHERE tenant = $1 AND run = $2 AND call = $3
"""

# The thread's runs before a position, oldest first, however they ended: the conversation that a run goes on from.
EARLIER = """
SELECT id FROM qd.runs WHERE tenant = $1 AND thread = $2 AND thread_position < $3
    AND status IN ('succeeded', 'failed', 'stopped', 'cancelled') ORDER BY thread_position
"""

# What others are told, only where somebody listens.
ANNOUNCE = """
INSERT INTO qd.outbox (tenant, id, kind, run, data)
SELECT $1, $2, $3, $4, $5::jsonb
WHERE EXISTS (SELECT 1 FROM qd.webhook_endpoints WHERE tenant = $1 AND disabled_at IS NULL)
"""

# Questions that nobody has to answer any more, because their run ends in the same transaction.
WITHDRAW = """
UPDATE qd.approvals SET state = 'withdrawn', answered_at = clock_timestamp(), remind_at = NULL
WHERE tenant = $1 AND run = $2 AND state = 'pending' RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list of runs is narrowed to; None = not narrowed."""

    status: Sequence[str] | None = None
    agent: str | None = None
    user_id: str | None = None
    release: str | None = None
    thread: ThreadId | None = None
    since: RunId | None = None
    until: RunId | None = None
    words: str | None = None
    agents: Sequence[str] | None = None
    cause: str | None = None
    submitted_by: str | None = None


def run_of(row: Row) -> Run:
    """A row of `qd.runs` as a record."""
    return Run(
        tenant=TenantId(row["tenant"]),
        id=RunId(row["id"]),
        kind=row["kind"],
        agent=AgentName(row["agent"]),
        release=ReleaseId(row["release"]),
        behaviour=row["behaviour"],
        user_id=UserId(row["user_id"]),
        thread=row["thread"],
        thread_position=row["thread_position"],
        parent=row["parent"],
        priority=row["priority"],
        tags={key: str(value) for key, value in decode_object(row["tags"]).items()},
        submitted_by=row["submitted_by"],
        title=row["title"],
        traceparent=row["traceparent"],
        created_at=row["created_at"],
        status=Status(row["status"]),
        available_at=row["available_at"],
        delivered_at=row["delivered_at"],
        worker=row["worker"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        attempt=row["attempt"],
        last_seq=row["last_seq"],
        last_event_at=row["last_event_at"],
        parked_at=row["parked_at"],
        waited_ms=row["waited_ms"],
        step=row["step"],
        steps_used=row["steps_used"],
        tool_calls=row["tool_calls"],
        failed_calls=row["failed_calls"],
        input_tokens=row["input_tokens"],
        output_tokens=row["output_tokens"],
        cost=MicroUsd(row["cost_micro_usd"]),
        risk_level=row["risk_level"],
        reason=row["reason"],
        why=row["why"],
        error_code=row["error_code"],
        cancel_requested_at=row["cancel_requested_at"],
    )


async def insert(tx: Tx, submission: Submission, title: str, position: int | None, event: Event) -> Run | None:
    """Insert a run and its first event. None: the dedup key is taken."""
    row = await tx.fetchrow(
        INSERT,
        submission.tenant,
        submission.id,
        submission.agent,
        submission.release,
        submission.behaviour,
        submission.user_id,
        submission.thread,
        position,
        submission.priority,
        encode_text(submission.tags),
        submission.submitted_by,
        title,
        submission.dedup_key,
        submission.dedup_digest,
        submission.traceparent,
        submission.available_at,
        event.v,
        write(event),
        submission.parent,
        submission.kind,
    )
    return run_of(row) if row else None


async def read(tx: Tx, tenant: TenantId, run: RunId) -> Run | None:
    """One run, or None."""
    row = await tx.fetchrow(READ, tenant, run)
    return run_of(row) if row else None


async def lock(tx: Tx, tenant: TenantId, run: RunId) -> Run | None:
    """One run, locked until the transaction ends, or None."""
    row = await tx.fetchrow(LOCK, tenant, run)
    return run_of(row) if row else None


async def by_dedup(tx: Tx, tenant: TenantId, key: str) -> tuple[Run, bytes] | None:
    """The run that a dedup key made, with the digest of the request that made it."""
    row = await tx.fetchrow(BY_DEDUP, tenant, key)
    return (run_of(row), row["dedup_digest"]) if row else None


async def queued(tx: Tx, tenant: TenantId) -> tuple[int, int | None]:
    """How many runs of a tenant are queued, and its own limit where it has one."""
    row = await tx.fetchrow(QUEUED, tenant)
    assert row is not None
    return row["queued"], row["own_limit"]


async def move(
    tx: Tx,
    run: Run,
    to: Status,
    *,
    reason: str | None = None,
    why: str = "",
    error_code: str | None = None,
    ended: bool = False,
    cancel: bool = False,
    forgive: bool = False,
) -> None:
    """Change the status of a locked run that no worker is changing. `forgive`: it begins anew, never cancelled."""
    await tx.execute(MOVE, run.tenant, run.id, to, reason, why, error_code, ended, cancel, forgive)


async def listed(tx: Tx, tenant: TenantId, wanted: Filter, before: RunId | None, limit: int) -> list[Run]:
    """Runs, newest first, older than `before`."""
    words = f"%{_escape(wanted.words)}%" if wanted.words else None
    rows = await tx.fetch(
        LIST,
        tenant,
        before,
        wanted.status,
        wanted.agent,
        wanted.user_id,
        wanted.release,
        wanted.thread,
        wanted.since,
        wanted.until,
        words,
        limit,
        wanted.agents,
        wanted.cause,
        wanted.submitted_by,
    )
    return [run_of(row) for row in rows]


async def facets(tx: Tx, tenant: TenantId, wanted: Filter, newest: int = 10_000) -> dict[str, dict[str, int]]:
    """How many of the newest runs there are of each status, agent and cause.

    Of the filter only its times and what the actor may see count: the rest is what facets are there to choose.
    """
    counts: dict[str, dict[str, int]] = {"status": {}, "agent": {}, "cause": {}}
    rows = await tx.fetch(
        FACETS, tenant, wanted.since, wanted.until, wanted.agents, wanted.user_id, wanted.submitted_by, newest
    )
    for row in rows:
        counts[row["facet"]][row["value"]] = row["n"]
    return counts


async def same_cause(tx: Tx, run: Run, cause: str, since: RunId, newest: int = 10_000) -> dict[str, int]:
    """Other runs among the newest of the same agent that ended for the same cause, counted by release."""
    rows = await tx.fetch(SAME_CAUSE, run.tenant, run.agent, since, run.id, cause, newest)
    return {row["release"]: row["n"] for row in rows}


async def ledger(tx: Tx, tenant: TenantId, run: RunId) -> list[LedgerEntry]:
    """What a run sent that is not a read, in the order of its intents."""
    return [LedgerEntry(*row) for row in await tx.fetch(EFFECTS, tenant, run)]


async def earlier(tx: Tx, tenant: TenantId, thread: ThreadId, position: int) -> list[RunId]:
    """The runs of a thread whose conversation comes before this position."""
    return [RunId(row["id"]) for row in await tx.fetch(EARLIER, tenant, thread, position)]


async def intend(tx: Tx, hold_tenant: TenantId, run: RunId, call: "EffectIntent") -> None:
    """Write an intent into the ledger, in the transaction of its event."""
    await tx.execute(
        INTEND, hold_tenant, run, call.call, call.tool, call.effect, call.repeat, call.key, call.digest, call.not_after
    )


async def settle(tx: Tx, tenant: TenantId, run: RunId, call: str, state: str, by: str) -> None:
    """Write what became of an intent, in the transaction of its outcome."""
    await tx.execute(SETTLE, tenant, run, call, state, by)


async def withdraw(tx: Tx, tenant: TenantId, run: RunId) -> int:
    """Take back the pending questions of a run that ends in this transaction. How many there were."""
    return len(await tx.fetch(WITHDRAW, tenant, run))


def run_id(text: str) -> RunId:
    """A run id from its text form."""
    return RunId(UUID(text))


def entry(step: int, call: str) -> str:
    """The ledger's name of a call: with its step, because some providers number the calls of each answer from zero."""
    return f"{step}/{call}"


@dataclass(frozen=True, slots=True)
class EffectIntent:
    """A ledger row to be: one call that is not a read."""

    call: str
    tool: str
    effect: str
    repeat: str
    key: str
    digest: str
    not_after: datetime


def _escape(words: str) -> str:
    return words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
