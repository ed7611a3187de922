"""SQL of questions: asked, answered and used up. Whoever needs the run's row too has locked it first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

import msgspec

from quarterdeck.approvals.links import Links
from quarterdeck.approvals.records import Approval, State, Vote
from quarterdeck.approvals.view import show
from quarterdeck.core.ids import AgentName, ReleaseId, RunId, TenantId, UserId, uuid7
from quarterdeck.core.json import JsonObject, decode_object, encode_text
from quarterdeck.db.records import Row, Tx
from quarterdeck.runs import rules as runs
from quarterdeck.runs import store as run_store
from quarterdeck.runs.events import ApprovalAsked
from quarterdeck.runs.records import Effect
from quarterdeck.runs.wording import in_words

_ROW = """a.tenant, a.id, a.run, a.call, a.step, a.tool, a.agent, a.release, a.user_id, a.effect, a.risk, a.arguments,
    a.digest, a.origins, a.decision, a.effective, a.template, a.summary, a.people, a.roles, a.votes, a.edited,
    a.asked_at, a.expires_at, a.answered_at, a.answered_by, a.why, a.consumed_at"""
_ENDED = "r.status IN ('succeeded', 'failed', 'stopped', 'cancelled')"
# A question of a run that has ended is withdrawn from that moment on, whenever that is written down.
_SEEN = f"{_ROW}, CASE WHEN a.state = 'pending' AND {_ENDED} THEN 'withdrawn' ELSE a.state END AS state"
_WITH_RUN = "qd.approvals a JOIN qd.runs r ON r.tenant = a.tenant AND r.id = a.run"

# A question, in the transaction of its event. The reminder comes at half time.
ASK = f"""
INSERT INTO qd.approvals AS a (tenant, id, run, call, step, tool, agent, release, user_id, effect, risk, arguments,
    digest, origins, decision, effective, template, summary, people, roles, expires_at, remind_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12::jsonb, $13, $14::jsonb, $15::jsonb, $16, $17, $18, $19, $20,
    to_timestamp($21::bigint / 1000.0),
    clock_timestamp() + (to_timestamp($21::bigint / 1000.0) - clock_timestamp()) / 2)
ON CONFLICT DO NOTHING RETURNING {_ROW}, a.state
"""

# Use an approval up, in the transaction of the intent that it allows: once, in time, and for what was approved.
CONSUME = """
UPDATE qd.approvals SET consumed_at = clock_timestamp()
WHERE tenant = $1 AND id = $2 AND digest = $3 AND state = 'approved' AND consumed_at IS NULL
  AND expires_at > clock_timestamp()
  AND ($4::uuid IS NULL OR run = $4) AND ($5::text IS NULL OR call = $5) AND ($6::text IS NULL OR tool = $6)
  AND ($7::text IS NULL OR release = $7) AND ($8::text IS NULL OR effective = $8)
RETURNING id
"""

# One question as people see it.
FIND = f"SELECT {_SEEN} FROM {_WITH_RUN} WHERE a.tenant = $1 AND a.id = $2"

# One question, locked until the transaction ends, and the time by the one clock that all processes share; its run's row
# is locked already.
HOLD = f"""
SELECT {_ROW}, a.state, clock_timestamp() AS now FROM qd.approvals a WHERE a.tenant = $1 AND a.id = $2 FOR UPDATE
"""

# Somebody's yes, which alone is not enough, and the arguments that they changed.
VOTE = """
UPDATE qd.approvals SET votes = $3::jsonb, digest = $4, edited = $5::jsonb, summary = $6 WHERE tenant = $1 AND id = $2
"""

# What became of a question.
SETTLE = """
UPDATE qd.approvals SET state = $3, answered_by = $4, why = $5, answered_at = clock_timestamp(), remind_at = NULL
WHERE tenant = $1 AND id = $2
"""

# Questions of a tenant, newest first, each filter off where NULL; those of ended runs are not pending.
LIST = f"""
SELECT {_SEEN} FROM {_WITH_RUN} WHERE a.tenant = $1
    AND ($2::uuid IS NULL OR a.id < $2) AND ($3::text IS NULL OR a.state = $3)
    AND ($4::text IS NULL OR a.agent = $4) AND ($5::text IS NULL OR a.tool = $5) AND ($6::uuid IS NULL OR a.run = $6)
    AND ($7::text IS NULL OR a.risk = $7) AND ($8::text[] IS NULL OR a.agent = ANY($8))
    AND ($3::text IS DISTINCT FROM 'pending' OR NOT {_ENDED})
ORDER BY a.id DESC LIMIT $9
"""

# What waits for an answer, counted over the newest.
FACETS = f"""
WITH newest AS (
    SELECT a.agent, a.tool, a.risk FROM {_WITH_RUN} WHERE a.tenant = $1 AND a.state = 'pending' AND NOT {_ENDED}
        AND ($2::text[] IS NULL OR a.agent = ANY($2)) ORDER BY a.id DESC LIMIT $3)
SELECT 'state' AS facet, 'pending' AS value, count(*) AS n FROM newest
UNION ALL SELECT 'agent', agent, count(*) FROM newest GROUP BY agent
UNION ALL SELECT 'tool', tool, count(*) FROM newest GROUP BY tool
UNION ALL SELECT 'risk', risk, count(*) FROM newest GROUP BY risk
"""

# For each of some tools: the call of it that was approved last, and how many were answered in which way of late.
PRECEDENTS = """
SELECT t.agent, t.tool, p.wanted, p.answered_at, (
    SELECT jsonb_object_agg(s.state, (
        SELECT count(*) FROM (
            SELECT 1 FROM qd.approvals a WHERE a.tenant = $1 AND a.agent = t.agent AND a.tool = t.tool
                AND a.state = s.state AND a.id >= $4 ORDER BY a.id DESC LIMIT $5) counted))
    FROM unnest(ARRAY['approved', 'denied', 'expired']) AS s (state)) AS similar
FROM unnest($2::text[], $3::text[]) AS t (agent, tool) LEFT JOIN LATERAL (
    SELECT coalesce(a.edited, a.arguments) AS wanted, a.answered_at FROM qd.approvals a
    WHERE a.tenant = $1 AND a.agent = t.agent AND a.tool = t.tool AND a.state = 'approved'
    ORDER BY a.id DESC LIMIT 1) p ON true
"""

# Questions whose time is over, the longest ago first.
DUE = """
SELECT tenant, id FROM qd.approvals WHERE state = 'pending' AND expires_at <= clock_timestamp()
ORDER BY expires_at LIMIT $1
"""

# Questions of runs that have ended without taking them back.
WITHDRAW_ENDED = f"""
WITH left_over AS (
    SELECT a.tenant, a.id FROM {_WITH_RUN} WHERE a.state = 'pending' AND {_ENDED} LIMIT $1 FOR UPDATE OF a SKIP LOCKED)
UPDATE qd.approvals a SET state = 'withdrawn', answered_at = clock_timestamp(), remind_at = NULL
FROM left_over WHERE a.tenant = left_over.tenant AND a.id = left_over.id RETURNING a.id
"""

# Questions whose reminder is due, taken by one worker each.
REMIND = f"""
WITH due AS (
    SELECT a.tenant, a.id FROM {_WITH_RUN}
    WHERE a.state = 'pending' AND a.remind_at <= clock_timestamp() AND NOT {_ENDED}
    ORDER BY a.remind_at LIMIT $1 FOR UPDATE OF a SKIP LOCKED)
UPDATE qd.approvals a SET remind_at = NULL FROM due WHERE a.tenant = due.tenant AND a.id = due.id
RETURNING {_ROW}, a.state
"""

# Runs that wait for a person although no question of theirs does: what they waited for went away unnoticed.
STRANDED = """
SELECT r.tenant, r.id FROM qd.runs r
WHERE r.status = 'waiting_for_approval' AND r.parked_at < clock_timestamp() - $1::interval AND NOT EXISTS (
    SELECT 1 FROM qd.approvals a WHERE a.tenant = r.tenant AND a.run = r.id AND a.state = 'pending')
LIMIT $2
"""

# The questions of one run.
OF_RUN = f"SELECT {_ROW}, a.state FROM qd.approvals a WHERE a.tenant = $1 AND a.run = $2 ORDER BY a.id"

# Whether a tenant may be worked for at all, and its name in URLs.
LIVES = "SELECT slug FROM qd.tenants WHERE tenant = $1 AND disabled_at IS NULL"

MOST_COUNTED = 1_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is narrowed to; None = not narrowed."""

    state: State | None = None
    agent: str | None = None
    tool: str | None = None
    run: UUID | None = None
    risk: str | None = None
    agents: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Precedent:
    """What was decided about a tool before. Counts of `similar` stop at `MOST_COUNTED` each."""

    arguments: JsonObject | None
    at: datetime | None
    similar: Mapping[str, int]


async def ask(
    tx: Tx,
    tenant: TenantId,
    run: RunId,
    event: ApprovalAsked,
    *,
    agent: str,
    release: str,
    user: str,
    links: Links | None = None,
) -> None:
    """Put a question before people, in the transaction that appends its event; who listens is told.

    `event.summary` is the author's template, if there is one. With `links` what is told holds a link that answers.
    Asking again under the same id does nothing.
    """
    row = await tx.fetchrow(
        ASK,
        tenant,
        UUID(event.approval),
        run,
        event.call,
        event.step,
        event.tool,
        agent,
        release,
        user,
        event.effect,
        runs.RISK[Effect(event.effect)],
        encode_text(event.arguments),
        event.digest,
        encode_text(event.origins),
        encode_text(event.decision),
        event.decision.effective,
        event.summary,
        in_words(event.tool, event.arguments, event.summary),
        event.people,
        list(event.roles),
        event.expires_at,
    )
    if row is not None:
        asked = approval_of(row)
        await announce(tx, asked, "approval.asked", asked.asked_at, links)


async def consume(
    tx: Tx,
    tenant: TenantId,
    approval: UUID,
    digest: str,
    *,
    run: RunId | None = None,
    call: str | None = None,
    tool: str | None = None,
    release: str | None = None,
    effective: str | None = None,
) -> bool:
    """Use an approval up, in the transaction of the intent that it allows. True once, and for what was approved only.

    False: it was not approved, has been used, has expired, or was for other arguments (or for another run, call, tool,
    release or effective policy, where those are given). Then the intent must not be committed.
    """
    found = await tx.fetchval(CONSUME, tenant, approval, digest, run, call, tool, release, effective)
    return found is not None


async def withdraw(tx: Tx, tenant: TenantId, run: RunId) -> int:
    """Take back what nobody has to answer any more, in the transaction that ends the run. How many there were."""
    return await run_store.withdraw(tx, tenant, run)


async def find(tx: Tx, tenant: TenantId, approval: UUID) -> Approval | None:
    """One question as people see it."""
    row = await tx.fetchrow(FIND, tenant, approval)
    return approval_of(row) if row else None


async def hold(tx: Tx, tenant: TenantId, approval: UUID) -> tuple[Approval, datetime] | None:
    """One question, nobody else's to change until the transaction ends, and the database's time. Lock its run first."""
    row = await tx.fetchrow(HOLD, tenant, approval)
    return (approval_of(row), row["now"]) if row else None


async def vote(tx: Tx, held: Approval) -> None:
    """Write the votes, the digest, the edit and the summary of a question that this transaction holds."""
    votes = [{"by": one.by, "user": one.user, "at": one.at, "digest": one.digest} for one in held.votes]
    edited = None if held.edited is None else encode_text(held.edited)
    await tx.execute(VOTE, held.tenant, held.id, encode_text(votes), held.digest, edited, held.summary)


async def settle(tx: Tx, held: Approval, state: State, by: Sequence[str], why: str) -> None:
    """Write what became of a question that this transaction holds."""
    await tx.execute(SETTLE, held.tenant, held.id, state, list(by), why)


async def listed(tx: Tx, tenant: TenantId, wanted: Wanted, before: UUID | None, limit: int) -> list[Approval]:
    """Questions, newest first."""
    rows = await tx.fetch(
        LIST,
        tenant,
        before,
        wanted.state,
        wanted.agent,
        wanted.tool,
        wanted.run,
        wanted.risk,
        None if wanted.agents is None else list(wanted.agents),
        limit,
    )
    return [approval_of(row) for row in rows]


async def facets(
    tx: Tx, tenant: TenantId, agents: Sequence[str] | None, newest: int = 10_000
) -> dict[str, dict[str, int]]:
    """How many of the newest that wait there are, in all and by agent, tool and risk."""
    counts: dict[str, dict[str, int]] = {"state": {}, "agent": {}, "tool": {}, "risk": {}}
    for row in await tx.fetch(FACETS, tenant, None if agents is None else list(agents), newest):
        counts[row["facet"]][row["value"]] = row["n"]
    return counts


async def precedents(
    tx: Tx, tenant: TenantId, tools: Sequence[tuple[str, str]], since: UUID
) -> dict[tuple[str, str], Precedent]:
    """What was decided before about each (agent, tool), counted from an id on."""
    agents, names = [agent for agent, _ in tools], [tool for _, tool in tools]
    rows = await tx.fetch(PRECEDENTS, tenant, agents, names, since, MOST_COUNTED)
    return {
        (row["agent"], row["tool"]): Precedent(
            decode_object(row["wanted"]) if row["wanted"] else None,
            row["answered_at"],
            msgspec.json.decode(row["similar"], type=dict[str, int]),
        )
        for row in rows
    }


async def of_run(tx: Tx, tenant: TenantId, run: RunId) -> list[Approval]:
    """Everything that a run has asked."""
    return [approval_of(row) for row in await tx.fetch(OF_RUN, tenant, run)]


async def due(tx: Tx, most: int) -> list[tuple[TenantId, UUID]]:
    """Questions of all tenants whose time is over, as qd_system."""
    return [(TenantId(row["tenant"]), row["id"]) for row in await tx.fetch(DUE, most)]


async def withdraw_ended(tx: Tx, most: int) -> int:
    """Take back what runs have left behind, as qd_system. How many there were."""
    return len(await tx.fetch(WITHDRAW_ENDED, most))


async def remind(tx: Tx, most: int) -> list[Approval]:
    """Questions to remind people of, each given out once, as qd_system."""
    return [approval_of(row) for row in await tx.fetch(REMIND, most)]


async def stranded(tx: Tx, after: timedelta, most: int) -> list[tuple[TenantId, RunId]]:
    """Runs that have waited this long for an answer that nobody can give any more, as qd_system."""
    return [(TenantId(row["tenant"]), RunId(row["id"])) for row in await tx.fetch(STRANDED, after, most)]


async def slug_of(tx: Tx, tenant: TenantId) -> str | None:
    """A tenant's name in URLs; None for one that is disabled."""
    return cast("str | None", await tx.fetchval(LIVES, tenant))


async def announce(tx: Tx, approval: Approval, kind: str, now: datetime, links: Links | None = None) -> None:
    """Tell who listens, in the transaction that made it true."""
    record = show(approval, now)
    if links is not None and approval.state is State.PENDING:
        record["link"] = links.url(approval)
    await tx.execute(run_store.ANNOUNCE, approval.tenant, uuid7(), kind, approval.run, encode_text(record))


def approval_of(row: Row) -> Approval:
    """A row of `qd.approvals` as a record."""
    return Approval(
        tenant=TenantId(row["tenant"]),
        id=row["id"],
        run=RunId(row["run"]),
        call=row["call"],
        step=row["step"],
        tool=row["tool"],
        agent=AgentName(row["agent"]),
        release=ReleaseId(row["release"]),
        user_id=UserId(row["user_id"]),
        effect=row["effect"],
        risk=row["risk"],
        arguments=decode_object(row["arguments"]),
        digest=row["digest"],
        origins={path: str(origin) for path, origin in decode_object(row["origins"]).items()},
        decision=decode_object(row["decision"]),
        effective=row["effective"],
        template=row["template"],
        summary=row["summary"],
        people=row["people"],
        roles=tuple(row["roles"]),
        state=State(row["state"]),
        votes=tuple(msgspec.json.decode(row["votes"], type=list[Vote])),
        edited=decode_object(row["edited"]) if row["edited"] else None,
        asked_at=row["asked_at"],
        expires_at=row["expires_at"],
        answered_at=row["answered_at"],
        answered_by=tuple(row["answered_by"]),
        why=row["why"],
        consumed_at=row["consumed_at"],
    )
