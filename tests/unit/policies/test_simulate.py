"""Going through the past in parts: every call once, counts carried over, whatever the size of a part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import cast

import pytest

from quarterdeck.core.ids import AgentName, ReleaseId, RunId, TenantId, uuid7
from quarterdeck.db.pool import Transaction
from quarterdeck.db.records import Tx
from quarterdeck.policies.ports import Inspected, PastCall, PastRun
from quarterdeck.policies.records import PolicyText
from quarterdeck.policies.simulate import PAGE, Simulator
from quarterdeck.releases.errors import NoSuchRelease
from quarterdeck.releases.records import Release
from tests.toolbox import TENANT, a_grant, a_release

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
LOOK = a_grant("look", effect="read")
RELEASE = a_release(LOOK)
NEVER = PolicyText("t", 'forbid(principal, action == Action::"look", resource);')
THIRD = PolicyText(
    "t", 'forbid(principal, action == Action::"look", resource) when { context.calls_by_user_today >= 2 };'
)


class Nothing:
    """A transaction over what is in memory."""

    async def __aenter__(self) -> "Nothing":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


@dataclass
class Memory:
    """Releases and runs of the past, in memory."""

    held: Sequence[PastRun]
    releases: Sequence[Release] = (RELEASE,)

    async def find(self, tx: Tx, tenant: TenantId, name: str) -> Inspected:
        return RELEASE

    async def current(self, tx: Tx, tenant: TenantId, agents: Sequence[str] | None) -> Sequence[Inspected]:
        return self.releases

    async def load(self, tx: Tx, tenant: TenantId, release: ReleaseId) -> Inspected:
        found = next((one for one in self.releases if one.id == release), None)
        if found is None:
            raise NoSuchRelease(release=release)
        return found

    async def runs(
        self, tx: Tx, tenant: TenantId, since: datetime, after: RunId | None, agents: Sequence[str] | None, limit: int
    ) -> Sequence[PastRun]:
        return [run for run in self.held if after is None or run.id > after][:limit]

    async def used(
        self, tx: Tx, tenant: TenantId, since: datetime, agents: Sequence[str] | None
    ) -> Mapping[tuple[str, str], tuple[int, datetime]]:
        return {}

    async def earlier(self, tx: Tx, tenant: TenantId, day: datetime, before: RunId) -> Mapping[tuple[str, str], int]:
        counts: dict[tuple[str, str], int] = {}
        for run in self.held:
            if run.id < before:
                for call in run.calls:
                    counts[run.user, call.tool] = counts.get((run.user, call.tool), 0) + (call.recorded != "deny")
        return counts


def a_run(at: int, user: str = "ann", release: ReleaseId = RELEASE.id, tool: str = "look") -> PastRun:
    moment = NOON + timedelta(seconds=at)
    call = PastCall(1, "c", tool, {}, {}, moment, "allow", tainted=False, calls_in_run=0)
    return PastRun(RunId(uuid7(int(moment.timestamp() * 1000))), AgentName("desk"), release, user, (call,))


def over(memory: Memory) -> Simulator:
    return Simulator(TENANT, memory, memory, lambda: cast("Transaction", Nothing()))


@pytest.mark.parametrize("most", [1, PAGE, PAGE + 1, 10_000])
async def test_every_call_is_judged_once_however_it_is_parted(most: int):
    simulator = over(Memory([a_run(at) for at in range(2 * PAGE + 50)]))
    seen: list[RunId] = []
    behind: RunId | None = None
    for _ in range(10):
        part = await simulator.simulate([], [NEVER], NOON, behind=behind, most=most)
        seen += [each.run for each in part.changed]
        behind = part.next
        if behind is None:
            break
    assert seen == [run.id for run in cast("Memory", simulator.past).held]


async def test_a_users_calls_of_the_day_are_counted_over_parts():
    runs = [a_run(at, user=("ann", "bob")[at % 2]) for at in range(PAGE + 4)]
    simulator = over(Memory(runs))
    first = await simulator.simulate([], [THIRD], NOON, most=1)
    second = await simulator.simulate([], [THIRD], NOON, behind=first.next, most=1)
    assert len(first.changed) == PAGE - 4  # the first two of each user are within the limit
    assert len(second.changed) == 4
    assert second.next is None


async def test_calls_without_their_release_or_tool_are_counted_and_not_judged():
    runs = [a_run(0), a_run(1, release=ReleaseId("cd" * 32)), a_run(2, tool="gone")]
    part = await over(Memory(runs)).simulate([], [NEVER], NOON)
    assert (part.runs, part.calls, part.unread, len(part.changed)) == (3, 1, 2, 1)


async def test_nothing_changes_where_both_say_the_same():
    part = await over(Memory([a_run(at) for at in range(5)])).simulate([NEVER], [NEVER], NOON)
    assert (part.calls, part.changed) == (5, [])


async def test_a_past_without_runs_is_empty():
    part = await over(Memory([])).simulate([], [NEVER], NOON)
    assert (part.runs, part.calls, part.changed, part.next) == (0, 0, [], None)
