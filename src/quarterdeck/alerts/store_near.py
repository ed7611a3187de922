"""Runs that have not ended, what they used, and the latest of their steps and calls."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from quarterdeck.alerts.near import Called, Step
from quarterdeck.core.ids import AgentName, ReleaseId, RunId, TenantId, UserId
from quarterdeck.db.records import Row, Tx
from quarterdeck.runs.records import ENDED, Status

LIVE = tuple(status for status in Status if status not in ENDED)

# Runs that have begun and not ended, newest first.
_LIVE = """
SELECT id, agent, release, user_id, status, title, steps_used, tool_calls, input_tokens + output_tokens AS tokens,
    cost_micro_usd
FROM qd.runs
WHERE tenant = $1 AND status = ANY($2::text[]) AND steps_used > 0 AND ($3::uuid IS NULL OR id < $3)
    AND ($4::text[] IS NULL OR agent = ANY($4)) AND ($5::text IS NULL OR agent = $5)
ORDER BY id DESC LIMIT $6
"""

# The latest steps and calls of some runs, oldest first. Arguments are compared and not read.
_LATEST = """
SELECT e.* FROM unnest($2::uuid[]) AS r (run) CROSS JOIN LATERAL (
    SELECT run, seq, kind, (data->>'step')::int AS step, (data#>>'{usage,input}')::bigint AS input,
        (data#>>'{usage,output}')::bigint AS output, (data->>'cost')::bigint AS cost, data->>'tool' AS tool,
        data->>'call' AS call, md5((data->'arguments')::text) AS same, (data->>'is_error')::boolean AS is_error
    FROM qd.run_events
    WHERE tenant = $1 AND run = r.run
        AND kind IN ('model.answered', 'tool.called', 'tool.answered', 'tool.failed', 'tool.denied')
    ORDER BY seq DESC LIMIT $3) e
ORDER BY e.run, e.seq
"""
_FAILED = frozenset({"tool.failed", "tool.denied"})


@dataclass(frozen=True, slots=True)
class Live:
    """A run that has begun and not ended, and what it has used."""

    id: RunId
    agent: AgentName
    release: ReleaseId
    user: UserId
    status: Status
    title: str
    steps: int
    tool_calls: int
    tokens: int
    micro_usd: int


@dataclass(frozen=True, slots=True)
class Latest:
    """The latest of what a run did."""

    steps: tuple[Step, ...] = ()
    calls: tuple[Called, ...] = ()


async def live(
    tx: Tx, tenant: TenantId, before: UUID | None, agents: Sequence[str] | None, agent: str | None, limit: int
) -> list[Live]:
    """Runs that have begun and not ended, newest first."""
    only = None if agents is None else list(agents)
    return [_live(row) for row in await tx.fetch(_LIVE, tenant, list(LIVE), before, only, agent, limit)]


async def latest(tx: Tx, tenant: TenantId, runs: Sequence[RunId], events: int = 60) -> dict[RunId, Latest]:
    """What each of these runs did last."""
    rows: dict[RunId, list[Row]] = {}
    for row in await tx.fetch(_LATEST, tenant, list(runs), events):
        rows.setdefault(RunId(row["run"]), []).append(row)
    return {run: Latest(_steps(own), _calls(own)) for run, own in rows.items()}


def _live(row: Row) -> Live:
    return Live(
        RunId(row["id"]),
        AgentName(row["agent"]),
        ReleaseId(row["release"]),
        UserId(row["user_id"]),
        Status(row["status"]),
        row["title"],
        row["steps_used"],
        row["tool_calls"],
        row["tokens"],
        row["cost_micro_usd"],
    )


def _steps(rows: Sequence[Row]) -> tuple[Step, ...]:
    return tuple(
        Step(row["step"] or 0, row["input"] or 0, row["output"] or 0, row["cost"] or 0)
        for row in rows
        if row["kind"] == "model.answered"
    )


def _calls(rows: Sequence[Row]) -> tuple[Called, ...]:
    failed = {row["call"] for row in rows if row["kind"] in _FAILED or row["is_error"]}
    intents = [row for row in rows if row["kind"] in ("tool.called", "tool.denied")]
    return tuple(Called(row["tool"], row["same"] or "", row["call"] in failed) for row in intents)
