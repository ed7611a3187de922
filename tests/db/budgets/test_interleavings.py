"""Whatever calls do at the same time, and whatever becomes of them: no limit is ever exceeded and nothing is lost.

One test does one thing after the other and holds each answer against plain sums; the other lets many do theirs at once,
looks at the books while they do, and compares what is in them at the end.
"""

import asyncio
from dataclasses import dataclass, field
from uuid import UUID

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from quarterdeck.budgets.records import NOTHING, Amount, Budget, Line, Refused, Reserved, Scope, Unit, Window
from quarterdeck.budgets.service import Budgets
from quarterdeck.core.ids import TenantId, uuid7
from quarterdeck.db.pool import Database
from tests.db.budgets.scene import Limit, Till, run_id

# Interleavings differ each time, so that looking for a smaller example would find nothing but others.
QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
DECLARED = [Limit("run", max_micro_usd=700_000), Limit("agent", "day", 2_000_000, 1_500_000)]


@dataclass
class Plain:
    """One account in one window, counted in the simplest way."""

    spent: int = 0
    reserved: int = 0
    uncovered: int = 0
    presumed: int = 0

    def book(self, held: int, used: int | None) -> None:
        """Close a reservation."""
        self.reserved -= held
        self.spent += held if used is None else min(held, used)
        self.presumed += held if used is None else 0
        self.uncovered += 0 if used is None else max(0, used - held)


@dataclass
class Call:
    """A call that holds something."""

    attempt: int
    want: Amount
    lines: tuple[Line, ...]
    day: int


@dataclass
class Sheet:
    """All accounts in plain sums, by account and day."""

    accounts: dict[tuple[str, int], Plain] = field(default_factory=dict)
    calls: dict[tuple[UUID, str], Call] = field(default_factory=dict)
    day: int = 0

    def of(self, line: Line, day: int) -> Plain:
        """An account in the window of a day; those that never renew have one."""
        return self.accounts.setdefault((line.account, day if line.window is Window.DAY else 0), Plain())

    def fits(self, line: Line, want: Amount, limit: int) -> bool:
        """Whether a line has enough."""
        one = self.of(line, self.day)
        amount = want.of(line.unit)
        return amount == 0 or one.spent + one.reserved + one.uncovered + amount <= limit

    def reserve(self, run: UUID, name: str, call: Call) -> None:
        """Hold it."""
        self.calls[run, name] = call
        for line in call.lines:
            self.of(line, call.day).reserved += call.want.of(line.unit)

    def settle(self, run: UUID, name: str, used: Amount | None) -> None:
        """Close it."""
        call = self.calls.pop((run, name))
        for line in call.lines:
            self.of(line, call.day).book(call.want.of(line.unit), None if used is None else used.of(line.unit))


async def compare(till: Till, sheet: Sheet) -> None:
    """The books say what plain sums say."""
    expected: dict[str, Plain] = {}
    for (account, _), one in sheet.accounts.items():
        known = expected.setdefault(account, Plain())
        for name in ("spent", "reserved", "uncovered", "presumed"):
            setattr(known, name, getattr(known, name) + getattr(one, name))
    found = await till.sums()
    for account, one in expected.items():
        if one != Plain() or account in found:
            row = found[account]
            assert Plain(row.spent, row.reserved, row.uncovered, row.presumed) == one


amounts = st.builds(
    Amount,
    st.sampled_from([0, 1, 90_000, 250_000, 400_000, 900_000]),
    st.sampled_from([1, 40_000, 300_000]),
)
usages = st.one_of(st.none(), st.just(NOTHING), amounts)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("reserve"), st.integers(0, 3), st.sampled_from("abc"), st.integers(1, 3), amounts),
        st.tuples(st.just("settle"), st.integers(0, 3), st.sampled_from("abc"), usages),
        st.tuples(st.just("end"), st.integers(0, 3)),
        st.tuples(st.just("limit"), st.sampled_from([Scope.TENANT, Scope.USER]), st.integers(0, 3_000_000)),
        st.tuples(st.just("midnight")),
    ),
    min_size=4,
    max_size=30,
)


@settings(max_examples=25, deadline=None, suppress_health_check=QUIET)
@given(steps)
async def test_each_answer_is_the_one_that_plain_sums_give(wide: Database, budgets: Budgets, script: list[tuple]):
    till = Till(wide, budgets, TenantId(uuid7()))
    limits: dict[UUID | None, Budget] = {}
    for scope in (Scope.TENANT, Scope.USER):
        made = await till.put(scope, 2_500_000, window=Window.DAY)
        limits[made.id] = made
    runs, sheet = [run_id() for _ in range(4)], Sheet()
    for kind, *rest in script:
        match kind:
            case "midnight":
                await till.pass_time("day")
                sheet.day += 1
            case "limit":
                made = await till.put(rest[0], rest[1], window=Window.DAY)
                limits[made.id] = made
            case "end":
                await _end(till, sheet, runs[rest[0]])
            case "settle":
                await _settle(till, sheet, runs[rest[0]], rest[1], rest[2])
            case _:
                await _reserve(till, sheet, limits, runs[rest[0]], *rest[1:])
        await compare(till, sheet)


async def _end(till: Till, sheet: Sheet, run: UUID) -> None:
    await till.settle_run(run)
    for owner, name in list(sheet.calls):
        if owner == run:
            sheet.settle(owner, name, None)


async def _settle(till: Till, sheet: Sheet, run: UUID, name: str, used: Amount | None) -> None:
    if (run, name) in sheet.calls:
        for _ in range(2):  # the second time changes nothing
            await till.settle(run, name, used)
        sheet.settle(run, name, used)


async def _reserve(
    till: Till, sheet: Sheet, limits: dict[UUID | None, Budget], run: UUID, name: str, attempt: int, want: Amount
) -> None:
    asked = till.lines(run, DECLARED)
    open_one = sheet.calls.get((run, name))
    if open_one is not None and open_one.attempt > attempt:
        return  # an attempt that was overtaken is fenced out before it comes here
    said = await till.reserve(run, name, asked, want, attempt)
    if open_one is not None and open_one.attempt == attempt:
        assert isinstance(said, Reserved)
        assert said.again
        return
    if open_one is not None:
        sheet.settle(run, name, None)
    enough = [sheet.fits(line, want, _limit(line, limits)) for line in asked]
    assert isinstance(said, Reserved) == all(enough)
    if isinstance(said, Reserved):
        sheet.reserve(run, name, Call(attempt, want, asked, sheet.day))
        return
    assert not said.short
    assert not sheet.fits(said.line, want, _limit(said.line, limits))


def _limit(line: Line, limits: dict[UUID | None, Budget]) -> int:
    live = limits.get(line.budget)
    return line.limit if live is None or live.max_micro_usd is None else live.max_micro_usd


@dataclass(frozen=True)
class Way:
    """What one call does and what becomes of it."""

    run: int
    want: Amount
    used: Amount | None
    fate: str
    """settled; twice: two settle it at once; crashed: nobody does; retried: a newer attempt takes over."""


ways = st.builds(
    Way,
    st.integers(0, 11),
    amounts,
    usages,
    st.sampled_from(["settled", "settled", "settled", "twice", "crashed", "retried"]),
)


@settings(max_examples=20, deadline=None, suppress_health_check=QUIET, phases=[Phase.generate])
@given(
    tasks=st.lists(st.lists(ways, min_size=1, max_size=6), min_size=2, max_size=14),
    tenant_limit=st.sampled_from([1_000_000, 3_000_000, 12_000_000]),
    changes=st.lists(st.integers(0, 12_000_000), max_size=4),
)
async def test_many_at_once_never_exceed_a_limit_and_lose_nothing(
    wide: Database, budgets: Budgets, tasks: list[list[Way]], tenant_limit: int, changes: list[int]
):
    till = Till(wide, budgets, TenantId(uuid7()))
    await till.put(Scope.TENANT, tenant_limit, window=Window.DAY)
    changing = await till.put(Scope.USER, 5_000_000, window=Window.DAY)
    await till.put(Scope.EVERYTHING, 10**9, window=Window.DAY)
    runs, sheet = [run_id() for _ in range(12)], Sheet()
    highest = max([5_000_000, *changes])

    async def walk(number: int, own: list[Way]) -> None:
        for place, way in enumerate(own):
            await _go(till, sheet, runs[way.run], f"{number}.{place}", way)

    async def change() -> None:
        for limit in changes:
            await till.put(Scope.USER, limit, window=Window.DAY)
            await asyncio.sleep(0.005)

    done = asyncio.Event()

    async def watch() -> None:
        while not done.is_set():
            await _hold(till, tenant_limit, changing, highest, runs)
            await asyncio.sleep(0.003)

    watching = asyncio.create_task(watch())
    await asyncio.gather(change(), *[walk(number, own) for number, own in enumerate(tasks)])
    done.set()
    await watching
    await _hold(till, tenant_limit, changing, highest, runs)
    await asyncio.gather(*[till.settle_run(run) for run in runs], *[till.settle_run(run) for run in runs])
    for run, name in list(sheet.calls):
        sheet.settle(run, name, None)
    assert [row for row in (await till.sums()).values() if row.reserved] == []
    # Earlier examples have spent from it too.
    sheet.accounts = {key: one for key, one in sheet.accounts.items() if key[0] != _everything(till)}
    await compare(till, sheet)


async def _go(till: Till, sheet: Sheet, run: UUID, name: str, way: Way) -> None:
    asked = till.lines(run, DECLARED)
    said = await till.reserve(run, name, asked, way.want)
    if isinstance(said, Refused):
        # A refusal is said only if all slots together have not enough.
        assert not said.short
        assert said.spent + said.reserved + said.want > said.limit
        return
    sheet.reserve(run, name, Call(1, way.want, asked, 0))
    if way.fate == "retried":
        again = await till.reserve(run, name, asked, way.want, attempt=2)
        sheet.settle(run, name, None)
        if isinstance(again, Refused):
            return
        sheet.reserve(run, name, Call(2, way.want, asked, 0))
    if way.fate == "crashed":
        return
    times = 2 if way.fate == "twice" else 1
    await asyncio.gather(*[till.settle(run, name, way.used) for _ in range(times)])
    sheet.settle(run, name, way.used)


def _everything(till: Till) -> str:
    return next(line.account for line in till.lines(run_id()) if line.scope is Scope.EVERYTHING)


async def _hold(till: Till, tenant_limit: int, changing: Budget, highest: int, runs: list[UUID]) -> None:
    """What must be true at any moment: one look is one moment."""
    found = await till.sums()
    limits: dict[str, int] = {}
    for run in runs:
        for line in till.lines(run, DECLARED):
            limits[line.account] = line.limit
            if line.budget == changing.id:
                limits[line.account] = highest
            elif line.scope is Scope.TENANT and line.unit is Unit.USD:
                limits[line.account] = tenant_limit
    for account, limit in limits.items():
        if account in found:
            assert found[account].spent + found[account].reserved <= limit
            assert found[account].spent + found[account].reserved <= found[account].granted
