"""SQL of levels, of their history, and of what people's answers say."""

from collections.abc import Sequence
from uuid import UUID

from quarterdeck.autonomy.records import Autonomy, Change, Evidence, Setting
from quarterdeck.core.ids import AgentName, TenantId, uuid7
from quarterdeck.core.json import JsonObject, decode_object, encode_text
from quarterdeck.db.records import Row, Tx

_SETTING = "agent, tool, level, set_by, set_at, why, evidence"

# Every level of every tenant, for the book.
EVERY = "SELECT tenant, agent, tool, level FROM qd.autonomy"

# The levels that were set for some agents of a tenant.
OF_AGENTS = f"SELECT {_SETTING} FROM qd.autonomy WHERE tenant = $1 AND agent = ANY($2)"

# One level, nobody else's to change until the transaction ends.
HOLD = f"SELECT {_SETTING} FROM qd.autonomy WHERE tenant = $1 AND agent = $2 AND tool = $3 FOR UPDATE"

# Set a level.
SET = f"""
INSERT INTO qd.autonomy (tenant, agent, tool, level, set_by, why, evidence) VALUES ($1, $2, $3, $4, $5, $6, $7::jsonb)
ON CONFLICT (tenant, agent, tool) DO UPDATE SET level = excluded.level, set_by = excluded.set_by,
    set_at = clock_timestamp(), why = excluded.why, evidence = excluded.evidence
RETURNING {_SETTING}
"""

# Set back to what the release grants.
FORGET = "DELETE FROM qd.autonomy WHERE tenant = $1 AND agent = $2 AND tool = $3"

# A change, in the transaction that makes it.
NOTE = """
INSERT INTO qd.autonomy_changes (tenant, id, agent, tool, level, previous, set_by, why, evidence)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb)
"""

# Changes of one tool's level, newest first.
CHANGES = """
SELECT id, agent, tool, level, previous, set_by, set_at, why, evidence FROM qd.autonomy_changes
WHERE tenant = $1 AND agent = $2 AND tool = $3 AND ($4::uuid IS NULL OR id < $4) ORDER BY id DESC LIMIT $5
"""

# How questions about some tools ended, counted from an id on. The table is written by a package above this one.
EVIDENCE = """
SELECT t.agent, t.tool, count(*) FILTER (WHERE a.state = 'approved') AS approved,
    count(*) FILTER (WHERE a.state = 'approved' AND a.edited IS NOT NULL) AS edited,
    count(*) FILTER (WHERE a.state = 'denied') AS denied, count(*) FILTER (WHERE a.state = 'expired') AS expired
FROM unnest($2::text[], $3::text[]) AS t (agent, tool)
LEFT JOIN qd.approvals a ON a.tenant = $1 AND a.agent = t.agent AND a.tool = t.tool AND a.id >= $4
GROUP BY t.agent, t.tool
"""


async def every(tx: Tx) -> list[tuple[TenantId, str, str, str]]:
    """(tenant, agent, tool, level) of all that was set, as qd_system."""
    return [(TenantId(row["tenant"]), row["agent"], row["tool"], row["level"]) for row in await tx.fetch(EVERY)]


async def of_agents(tx: Tx, tenant: TenantId, agents: Sequence[str]) -> dict[tuple[str, str], Setting]:
    """What was set for some agents, by agent and tool."""
    rows = await tx.fetch(OF_AGENTS, tenant, list(agents))
    return {(row["agent"], row["tool"]): _setting(row) for row in rows}


async def hold(tx: Tx, tenant: TenantId, agent: str, tool: str) -> Setting | None:
    """One setting, nobody else's to change until the transaction ends; None where nothing was set."""
    row = await tx.fetchrow(HOLD, tenant, agent, tool)
    return _setting(row) if row else None


async def set_level(
    tx: Tx, tenant: TenantId, agent: str, tool: str, level: Autonomy, by: str, why: str, evidence: JsonObject
) -> Setting:
    """Set a level."""
    row = await tx.fetchrow(SET, tenant, agent, tool, level, by, why, encode_text(evidence))
    assert row is not None
    return _setting(row)


async def forget(tx: Tx, tenant: TenantId, agent: str, tool: str) -> None:
    """Set back to what the release grants."""
    await tx.execute(FORGET, tenant, agent, tool)


async def note(
    tx: Tx,
    tenant: TenantId,
    agent: str,
    tool: str,
    level: Autonomy | None,
    previous: Autonomy | None,
    by: str,
    why: str,
    evidence: JsonObject,
) -> None:
    """Write a change into the history."""
    await tx.execute(NOTE, tenant, uuid7(), agent, tool, level, previous, by, why, encode_text(evidence))


async def changes(tx: Tx, tenant: TenantId, agent: str, tool: str, before: UUID | None, limit: int) -> list[Change]:
    """The history of one tool's level, newest first."""
    return [_change(row) for row in await tx.fetch(CHANGES, tenant, agent, tool, before, limit)]


async def evidence(
    tx: Tx, tenant: TenantId, tools: Sequence[tuple[str, str]], since: UUID
) -> dict[tuple[str, str], Evidence]:
    """How questions about each (agent, tool) ended, of those asked from an id on."""
    rows = await tx.fetch(EVIDENCE, tenant, [agent for agent, _ in tools], [tool for _, tool in tools], since)
    return {
        (row["agent"], row["tool"]): Evidence(row["approved"], row["edited"], row["denied"], row["expired"])
        for row in rows
    }


def _setting(row: Row) -> Setting:
    return Setting(
        AgentName(row["agent"]),
        row["tool"],
        Autonomy(row["level"]),
        row["set_by"],
        row["set_at"],
        row["why"],
        decode_object(row["evidence"]),
    )


def _change(row: Row) -> Change:
    return Change(
        row["id"],
        AgentName(row["agent"]),
        row["tool"],
        Autonomy(row["level"]) if row["level"] else None,
        Autonomy(row["previous"]) if row["previous"] else None,
        row["set_by"],
        row["set_at"],
        row["why"],
        decode_object(row["evidence"]),
    )
