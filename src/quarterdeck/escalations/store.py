"""SQL of escalations."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from quarterdeck.core.ids import AgentName, RunId, TenantId, ThreadId, UserId, uuid7
from quarterdeck.core.json import encode_text
from quarterdeck.core.text import storable
from quarterdeck.db.records import Row, Tx
from quarterdeck.escalations.records import Escalation, State
from quarterdeck.escalations.view import show
from quarterdeck.runs import store as runs
from quarterdeck.runs.events import RunEscalated

_ROW = """tenant, id, run, thread, call, agent, user_id, owner_to, summary, why, state, opened_at, claimed_by,
    claimed_at, closed_by, closed_at, note"""

# An escalation, in the transaction of its event.
OPEN = f"""
INSERT INTO qd.escalations (tenant, id, run, thread, call, agent, user_id, owner_to, summary, why)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING RETURNING {_ROW}
"""

# One escalation.
FIND = f"SELECT {_ROW} FROM qd.escalations WHERE tenant = $1 AND id = $2"

# One escalation, nobody else's to change until the transaction ends.
HOLD = f"{FIND} FOR UPDATE"

# It is somebody's now.
CLAIM = f"""
UPDATE qd.escalations SET state = 'claimed', claimed_by = $3, claimed_at = clock_timestamp()
WHERE tenant = $1 AND id = $2 RETURNING {_ROW}
"""

# It is done.
CLOSE = f"""
UPDATE qd.escalations SET state = 'closed', closed_by = $3, closed_at = clock_timestamp(), note = $4
WHERE tenant = $1 AND id = $2 RETURNING {_ROW}
"""

# Escalations of a tenant, newest first, each filter off where NULL.
LIST = f"""
SELECT {_ROW} FROM qd.escalations WHERE tenant = $1
    AND ($2::uuid IS NULL OR id < $2) AND ($3::text IS NULL OR state = $3) AND ($4::text IS NULL OR agent = $4)
    AND ($5::text IS NULL OR owner_to = $5) AND ($6::uuid IS NULL OR run = $6)
    AND ($7::text[] IS NULL OR agent = ANY($7))
ORDER BY id DESC LIMIT $8
"""

# How many of the newest there are of each state, and of those not closed of each agent and owner.
FACETS = """
WITH newest AS (
    SELECT state, agent, owner_to FROM qd.escalations
    WHERE tenant = $1 AND ($2::text[] IS NULL OR agent = ANY($2)) ORDER BY id DESC LIMIT $3)
SELECT 'state' AS facet, state AS value, count(*) AS n FROM newest GROUP BY state
UNION ALL SELECT 'agent', agent, count(*) FROM newest WHERE state <> 'closed' GROUP BY agent
UNION ALL SELECT 'owner', owner_to, count(*) FROM newest WHERE state <> 'closed' GROUP BY owner_to
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is narrowed to; None = not narrowed."""

    state: State | None = None
    agent: str | None = None
    owner: str | None = None
    run: UUID | None = None
    agents: Sequence[str] | None = None


async def open(
    tx: Tx, tenant: TenantId, run: RunId, event: RunEscalated, *, agent: str, user: str, thread: UUID | None
) -> None:
    """Put a conversation into the queue, in the transaction that appends its event; who listens is told.

    Opening again under the same id does nothing.
    """
    row = await tx.fetchrow(
        OPEN,
        tenant,
        UUID(event.escalation),
        run,
        thread,
        event.call,
        agent,
        user,
        storable(event.to),
        storable(event.summary),
        storable(event.why),
    )
    if row is not None:
        opened = escalation_of(row)
        record = encode_text(show(opened, opened.opened_at))
        await tx.execute(runs.ANNOUNCE, tenant, uuid7(), "escalation.opened", run, record)


async def find(tx: Tx, tenant: TenantId, escalation: UUID, *, hold: bool = False) -> Escalation | None:
    """One escalation; with `hold` nobody else changes it until the transaction ends."""
    row = await tx.fetchrow(HOLD if hold else FIND, tenant, escalation)
    return escalation_of(row) if row else None


async def claim(tx: Tx, tenant: TenantId, escalation: UUID, by: str) -> Escalation:
    """Write that one that this transaction holds is somebody's."""
    row = await tx.fetchrow(CLAIM, tenant, escalation, by)
    assert row is not None
    return escalation_of(row)


async def close(tx: Tx, tenant: TenantId, escalation: UUID, by: str, note: str) -> Escalation:
    """Write that one that this transaction holds is done."""
    row = await tx.fetchrow(CLOSE, tenant, escalation, by, note)
    assert row is not None
    return escalation_of(row)


async def listed(tx: Tx, tenant: TenantId, wanted: Wanted, before: UUID | None, limit: int) -> list[Escalation]:
    """Escalations, newest first."""
    agents = None if wanted.agents is None else list(wanted.agents)
    rows = await tx.fetch(LIST, tenant, before, wanted.state, wanted.agent, wanted.owner, wanted.run, agents, limit)
    return [escalation_of(row) for row in rows]


async def facets(
    tx: Tx, tenant: TenantId, agents: Sequence[str] | None, newest: int = 10_000
) -> dict[str, dict[str, int]]:
    """How many of the newest there are of each state, and of those not closed of each agent and owner."""
    counts: dict[str, dict[str, int]] = {"state": {}, "agent": {}, "owner": {}}
    for row in await tx.fetch(FACETS, tenant, None if agents is None else list(agents), newest):
        counts[row["facet"]][row["value"]] = row["n"]
    return counts


def escalation_of(row: Row) -> Escalation:
    """A row of `qd.escalations` as a record."""
    return Escalation(
        tenant=TenantId(row["tenant"]),
        id=row["id"],
        run=RunId(row["run"]),
        thread=ThreadId(row["thread"]) if row["thread"] else None,
        call=row["call"],
        agent=AgentName(row["agent"]),
        user_id=UserId(row["user_id"]),
        owner_to=row["owner_to"],
        summary=row["summary"],
        why=row["why"],
        state=State(row["state"]),
        opened_at=row["opened_at"],
        claimed_by=row["claimed_by"],
        claimed_at=row["claimed_at"],
        closed_by=row["closed_by"],
        closed_at=row["closed_at"],
        note=row["note"],
    )
