"""What would have changed: calls of the last days, judged by the tenant's policies as they are and as they would be.

Both are asked with the same context, so that a difference comes from the policy and from nothing else. The context is
what the log holds: arguments, origins, taint, roles and claims, counts. Autonomy is the release's; the budget is not
known; that a person approved is left out, so that a call which asks asks again.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from quarterdeck.core.errors import Error
from quarterdeck.core.ids import ReleaseId, RunId, TenantId, uuid7_ms
from quarterdeck.core.json import Json
from quarterdeck.db.pool import Transaction
from quarterdeck.policies.engine import PolicySet
from quarterdeck.policies.ports import Inspected, InspectedTool, Past, PastCall, PastRun, Shelf
from quarterdeck.policies.records import PolicyRequest, PolicyText

PAGE = 200
"""Runs that are read at a time."""
MOST_CALLS = 5_000
"""Calls of one answer; it ends behind the run that reaches this, and says where to go on."""
CLEAN = frozenset({"author", "user", "reviewer", "trusted", "endorsed"})
"""Origins of which outsiders had no hand in."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A call of which the changed policies say something else. `recorded` is what the gate as a whole said then."""

    run: RunId
    agent: str
    step: int
    call: str
    tool: str
    at: datetime
    recorded: str
    before: str
    after: str
    policies: tuple[str, ...]
    reason: str


@dataclass(slots=True)
class Simulation:
    """What came of it so far. `next` is the run to go on behind, None once all were looked at.

    `unread` are calls whose release, or whose tool in it, is not there any more: nothing is said of them.
    """

    runs: int = 0
    calls: int = 0
    unread: int = 0
    changed: list[Changed] = field(default_factory=list[Changed])
    next: RunId | None = None


@dataclass(frozen=True, slots=True)
class _Pair:
    """A release under the policies as they are and as they would be."""

    release: Inspected
    tools: Mapping[str, InspectedTool]
    before: PolicySet
    after: PolicySet


@dataclass(frozen=True, slots=True)
class Simulator:
    """Judges past calls again. `open` is a transaction of the tenant; each page of runs is read in one of its own."""

    tenant: TenantId
    shelf: Shelf
    past: Past
    open: Callable[[], Transaction]

    async def simulate(
        self,
        before: Sequence[PolicyText],
        after: Sequence[PolicyText],
        since: datetime,
        *,
        behind: RunId | None = None,
        agents: Sequence[str] | None = None,
        most: int = MOST_CALLS,
    ) -> Simulation:
        """Go through the runs since a time, oldest first, from behind one on, until about `most` calls were judged."""
        found = Simulation(next=behind)
        pairs: dict[ReleaseId, _Pair | None] = {}
        counts: Counter[tuple[str, str, object]] = Counter()
        while found.calls + found.unread < most:
            async with self.open() as tx:
                runs = await self.past.runs(tx, self.tenant, since, found.next, agents, PAGE)
                if runs and not counts and not found.runs:
                    day = _day(runs[0])
                    earlier = await self.past.earlier(tx, self.tenant, day, runs[0].id)
                    counts.update({(user, tool, day.date()): count for (user, tool), count in earlier.items()})
                for release in {run.release for run in runs if run.calls} - pairs.keys():
                    try:
                        inspected = await self.shelf.load(tx, self.tenant, release)
                    except Error:
                        pairs[release] = None  # counted as unread
                    else:
                        pairs[release] = await asyncio.to_thread(_pair, inspected, before, after)
            await asyncio.to_thread(self._judge, runs, pairs, counts, found)
            if len(runs) < PAGE:
                found.next = None
                return found
            found.next = runs[-1].id
        return found

    def _judge(
        self,
        runs: Sequence[PastRun],
        pairs: Mapping[ReleaseId, _Pair | None],
        counts: Counter[tuple[str, str, object]],
        found: Simulation,
    ) -> None:
        for run in runs:
            found.runs += 1
            for call in run.calls:
                pair = pairs.get(run.release)
                if pair is None or call.tool not in pair.tools:
                    found.unread += 1
                    continue
                found.calls += 1
                key = (run.user, call.tool, call.at.astimezone(UTC).date())
                found.changed += self._differences(run, call, pair, counts[key])
                if call.recorded != "deny":
                    counts[key] += 1

    def _differences(self, run: PastRun, call: PastCall, pair: _Pair, today: int) -> Iterator[Changed]:
        request = request_of(self.tenant, run, call, pair.tools[call.tool], today)
        before, after = pair.before.judge(request), pair.after.judge(request)
        if before.verdict != after.verdict:
            yield Changed(
                run=run.id,
                agent=run.agent,
                step=call.step,
                call=call.call,
                tool=call.tool,
                at=call.at,
                recorded=call.recorded,
                before=before.verdict,
                after=after.verdict,
                policies=after.policies or before.policies,
                reason=after.reason,
            )


def request_of(tenant: TenantId, run: PastRun, call: PastCall, tool: InspectedTool, today: int) -> PolicyRequest:
    """The question that a past call puts to policies. `today` are the user's calls of the tool on its day before it."""
    return PolicyRequest(
        tenant=tenant,
        agent=run.agent,
        release=run.release,
        user=run.user,
        tool=call.tool,
        server=tool.server,
        effect=tool.effect,
        arguments=call.arguments,
        now=call.at,
        roles=run.roles,
        claims=run.claims,
        origins=call.origins,
        destinations=tuple(tool.destinations),
        clean=is_clean(tool.destinations, call.origins),
        tainted=call.tainted,
        autonomy=tool.autonomy,
        calls_in_run=call.calls_in_run,
        affected_in_run=call.affected_in_run,
        calls_by_user_today=today,
    )


def is_clean(destinations: Sequence[str], origins: Mapping[str, str]) -> bool:
    """Whether the origins of all destinations are clean. A leaf belongs to `to`, `to[]` or `to.account` by its path."""
    marked = {_path(name) for name in destinations}
    return not any(
        origin not in CLEAN and any(_path(leaf) == each or _path(leaf).startswith(f"{each}.") for each in marked)
        for leaf, origin in origins.items()
    )


def leaves(value: Json, place: str = "") -> list[str]:
    """The paths of all leaves of arguments, as origins name them: `to`, `items[0].account`."""
    match value:
        case Mapping():
            return [leaf for key, item in value.items() for leaf in leaves(item, f"{place}.{key}" if place else key)]
        case str():
            return [place]
        case Sequence():
            return [leaf for at, item in enumerate(value) for leaf in leaves(item, f"{place}[{at}]")]
        case _:
            return [place]


def _path(leaf: str) -> str:
    """A path without the places in lists: `items[0].account` and `items[].account` are `items.account`."""
    return ".".join(part.partition("[")[0] for part in leaf.split("."))


def _pair(release: Inspected, before: Sequence[PolicyText], after: Sequence[PolicyText]) -> _Pair:
    tools = {tool.name: tool for tool in release.tools}
    return _Pair(release, tools, PolicySet.of(release, before), PolicySet.of(release, after))


def _day(run: PastRun) -> datetime:
    at = datetime.fromtimestamp(uuid7_ms(run.id) / 1000, UTC)
    return at.replace(hour=0, minute=0, second=0, microsecond=0)
