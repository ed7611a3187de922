"""Calls that agents wanted to make, read back from the log: for what a changed policy would have said of them, and for
what is granted and never used.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from quarterdeck.core.ids import AgentName, ReleaseId, RunId, TenantId, uuid7_floor
from quarterdeck.core.json import Json, JsonObject
from quarterdeck.db.records import Row, Tx
from quarterdeck.policies.ports import PastCall, PastRun
from quarterdeck.runs.events import ApprovalAsked, Event, RunAdmitted, ToolAnswered, ToolCalled, ToolDenied, read
from quarterdeck.runs.messages import Trust

# Runs of a tenant since one, oldest first, of some agents or of all.
RUNS = """
SELECT id, agent, release, user_id FROM qd.runs
WHERE tenant = $1 AND id >= $2 AND ($3::uuid IS NULL OR id > $3) AND ($4::text[] IS NULL OR agent = ANY($4))
ORDER BY id LIMIT $5
"""

# What was called in some runs. Of results only the label is wanted, which says whether outsiders could write them.
CALLS = """
SELECT run, kind, v, at,
    CASE WHEN kind = 'tool.answered'
         THEN jsonb_build_object('call', data -> 'call', 'content', '[]'::jsonb, 'label', data -> 'label')
         ELSE data END AS data
FROM qd.run_events
WHERE tenant = $1 AND run = ANY($2)
    AND kind IN ('run.admitted', 'approval.asked', 'tool.called', 'tool.denied', 'tool.answered')
ORDER BY run, seq
"""

# How often each tool of each agent was called since a time, and when last.
USED = """
SELECT r.agent, e.data ->> 'tool' AS tool, count(*) AS calls, max(e.at) AS last
FROM qd.runs r JOIN qd.run_events e ON e.tenant = r.tenant AND e.run = r.id
WHERE r.tenant = $1 AND r.id >= $2 AND e.run >= $2 AND e.kind = 'tool.called' AND r.tool_calls > 0
    AND ($3::text[] IS NULL OR r.agent = ANY($3))
GROUP BY r.agent, tool
"""

# How often each user's runs called each tool, in runs from one on and before another.
EARLIER = """
SELECT r.user_id, e.data ->> 'tool' AS tool, count(*) AS calls
FROM qd.runs r JOIN qd.run_events e ON e.tenant = r.tenant AND e.run = r.id
WHERE r.tenant = $1 AND r.id >= $2 AND r.id < $3 AND e.run >= $2 AND e.run < $3 AND e.kind = 'tool.called'
    AND r.tool_calls > 0
GROUP BY r.user_id, tool
"""

# How often one user's runs of a time on called one tool.
OF_USER = """
SELECT count(*) FROM qd.runs r JOIN qd.run_events e ON e.tenant = r.tenant AND e.run = r.id
WHERE r.tenant = $1 AND r.user_id = $2 AND r.id >= $3 AND e.run >= $3 AND e.kind = 'tool.called'
    AND e.data ->> 'tool' = $4 AND r.tool_calls > 0
"""


async def calls_of_user(tx: Tx, tenant: TenantId, user: str, tool: str, since: datetime) -> int:
    """How often runs that were submitted for a user since a time have called a tool."""
    return int(await tx.fetchval(OF_USER, tenant, user, _floor(since), tool) or 0)


class CallLog:
    """The log as `policies.ports.Past` wants it. Every verb reads in the caller's transaction."""

    async def runs(
        self, tx: Tx, tenant: TenantId, since: datetime, after: RunId | None, agents: Sequence[str] | None, limit: int
    ) -> Sequence[PastRun]:
        """Runs that were submitted since a time, oldest first, from behind `after` on; those without calls as well."""
        rows = await tx.fetch(RUNS, tenant, _floor(since), after, agents, limit)
        events: dict[UUID, list[Row]] = {row["id"]: [] for row in rows}
        for event in await tx.fetch(CALLS, tenant, list(events)):
            events[event["run"]].append(event)
        return [_run(row, events[row["id"]]) for row in rows]

    async def used(
        self, tx: Tx, tenant: TenantId, since: datetime, agents: Sequence[str] | None
    ) -> Mapping[tuple[str, str], tuple[int, datetime]]:
        """By agent and tool: how often it was called since a time, and when last. What was never called is absent."""
        rows = await tx.fetch(USED, tenant, _floor(since), agents)
        return {(row["agent"], row["tool"]): (row["calls"], row["last"]) for row in rows}

    async def earlier(self, tx: Tx, tenant: TenantId, day: datetime, before: RunId) -> Mapping[tuple[str, str], int]:
        """By user and tool: calls in runs that were submitted since `day` and before a run."""
        rows = await tx.fetch(EARLIER, tenant, _floor(day), before)
        return {(row["user_id"], row["tool"]): row["calls"] for row in rows}


@dataclass(slots=True)
class _Telling:
    """A run's calls while its events are gone through."""

    tainted: bool = False
    affected: int = 0
    counts: dict[str, int] = field(default_factory=dict[str, int])
    calls: dict[tuple[int, str], PastCall] = field(default_factory=dict[tuple[int, str], PastCall])

    def hear(self, event: Event, at: datetime) -> None:
        match event:
            case ToolCalled(decision=decision):
                self._note(event, at, "ask" if event.approval else decision.verdict)
                self.counts[event.tool] = self.counts.get(event.tool, 0) + 1
                self.affected += event.records
            case ApprovalAsked():
                self._note(event, at, "ask")
            case ToolDenied():
                self._note(event, at, "deny")
            case ToolAnswered(label=label):
                self.tainted = self.tainted or label is None or label.trust == Trust.UNTRUSTED
            case _:
                pass

    def _note(self, event: ToolCalled | ToolDenied | ApprovalAsked, at: datetime, recorded: str) -> None:
        """A call is told once, as it was first judged: asked about and then made, or made again, it is the same one."""
        key = (event.step, event.call)
        if key in self.calls:
            return
        arguments: JsonObject = event.arguments
        self.calls[key] = PastCall(
            step=event.step,
            call=event.call,
            tool=event.tool,
            arguments=arguments,
            origins=event.origins,
            at=at,
            recorded=recorded,
            tainted=self.tainted or "untrusted" in event.origins.values(),
            calls_in_run=self.counts.get(event.tool, 0),
            affected_in_run=self.affected,
        )


def _run(row: Row, events: Iterable[Row]) -> PastRun:
    telling = _Telling()
    roles: tuple[str, ...] = ()
    claims: Mapping[str, Json] = {}
    for each in events:
        event = read(each["kind"], each["v"], each["data"])
        if isinstance(event, RunAdmitted):
            roles, claims = event.roles, event.claims
            telling.tainted = event.narrowed is not None and event.narrowed.tainted
        telling.hear(event, each["at"])
    return PastRun(
        id=RunId(row["id"]),
        agent=AgentName(row["agent"]),
        release=ReleaseId(row["release"]),
        user=row["user_id"],
        calls=tuple(telling.calls.values()),
        roles=roles,
        claims=claims,
    )


def _floor(at: datetime) -> UUID:
    return uuid7_floor(int(at.timestamp() * 1000))
