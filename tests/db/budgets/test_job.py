"""What dead runs hold is booked, and nothing that counts is forgotten."""

from datetime import timedelta
from uuid import UUID

import pytest

from quarterdeck.budgets import job
from quarterdeck.budgets.records import CLOSING, Refused, Reserved, Scope
from quarterdeck.budgets.service import Budgets
from quarterdeck.core.ids import TenantId
from quarterdeck.db.pool import Database
from tests.db.budgets.scene import Limit, Sum, Till, run_id

AT_ONCE = timedelta()
RUN = [Limit("run", max_micro_usd=100)]
BEGIN = """
INSERT INTO qd.runs (tenant, id, agent, release, behaviour, user_id, submitted_by, status)
VALUES ($1, $2, 'desk', 'r', 3, 'ann', 'key:k', $3)
"""


@pytest.fixture
def till(wide: Database, budgets: Budgets, tenant: TenantId) -> Till:
    return Till(wide, budgets, tenant)


async def begin(till: Till, status: str = "running") -> UUID:
    """A run that the database knows, and holds something."""
    run = run_id()
    await till.rows(BEGIN, till.tenant, run, status)
    asked = till.lines(run, RUN)
    await till.reserve(run, CLOSING, asked, 20)
    await till.reserve(run, "1", asked, 30)
    return run


async def held(till: Till, run: UUID) -> int:
    """What it holds now."""
    return (await till.sum_of(till.lines(run, RUN)[0])).reserved


@pytest.mark.parametrize("status", ["succeeded", "failed", "stopped", "cancelled"])
async def test_what_an_ended_run_left_behind_is_booked(till: Till, status: str):
    run = await begin(till, status)
    assert await job.sweep(till.database, AT_ONCE) == 1
    assert await till.sum_of(till.lines(run, RUN)[0]) == Sum(100, 100, 30, 0, 0, 30)
    assert await job.sweep(till.database, AT_ONCE) == 0


@pytest.mark.parametrize("status", ["queued", "running", "waiting_for_approval", "waiting_for_retry", "cancelling"])
async def test_a_run_that_goes_on_keeps_what_it_holds(till: Till, status: str):
    run = await begin(till, status)
    assert await job.sweep(till.database, AT_ONCE) == 0
    assert await held(till, run) == 50


async def test_what_a_deleted_run_left_behind_is_booked(till: Till):
    run = await begin(till)
    await till.rows("DELETE FROM qd.runs")
    assert await job.sweep(till.database, AT_ONCE) == 1
    assert await held(till, run) == 0


async def test_a_run_that_ends_at_this_moment_is_left_to_settle_itself(till: Till):
    run = await begin(till, "succeeded")
    assert await job.sweep(till.database) == 0
    assert await held(till, run) == 50


async def test_settled_reservations_and_windows_long_over_are_forgotten_and_open_ones_are_not(till: Till):
    done, going = await begin(till, "succeeded"), await begin(till, "running")
    hourly = [Limit("user", "hour", 1000)]
    await till.reserve(done, "2", till.lines(done, hourly), 40)
    await till.settle(done, "2", 40)
    await job.sweep(till.database, AT_ONCE)
    await till.rows("UPDATE qd.budget_reservations SET at = at - interval '8 days'")
    await till.rows("UPDATE qd.budget_accounts SET opened_at = opened_at - interval '8 days'")
    for _ in range(42):
        await till.pass_time("hour")
    await job.prune(till.database)
    left = await till.rows("SELECT DISTINCT run FROM qd.budget_reservations")
    assert [row["run"] for row in left] == [going]
    assert await held(till, going) == 50
    assert {row["whose"] for row in await till.rows("SELECT whose FROM qd.budget_accounts WHERE scope = 'run'")} == {
        str(going)
    }
    assert await till.rows("SELECT FROM qd.budget_slots WHERE ends < now()") == []


async def test_windows_that_were_over_lately_are_kept(till: Till):
    run = run_id()
    asked = till.lines(run, [Limit("user", "day", 1000)])
    await till.reserve(run, "1", asked, 40)
    await till.settle(run, "1", 40)
    for _ in range(3):
        await till.pass_time("day")
    await job.prune(till.database)
    assert (await till.sum_of(asked[0])).spent == 40


async def test_an_account_that_was_forgotten_opens_anew(till: Till):
    run = run_id()
    asked = till.lines(run, [Limit("agent", "hour", 16_000_000)])
    assert isinstance(await till.reserve(run, "1", asked, 16_000_000), Reserved)
    await till.settle(run, "1", 16_000_000)
    for _ in range(42):
        await till.pass_time("hour")
    await job.prune(till.database)
    assert isinstance(await till.reserve(run, "2", asked, 16_000_000), Reserved)
    assert isinstance(await till.reserve(run, "3", asked, 1), Refused)


async def test_what_is_booked_of_everything_by_the_sweep_counts_for_all(till: Till):
    await till.put(Scope.EVERYTHING, 1_000_000)
    run = run_id()
    asked = till.lines(run)
    await till.reserve(run, "1", asked, 700_000)
    assert await job.sweep(till.database, AT_ONCE) == 1
    found = await till.sum_of(asked[0])
    assert (found.spent, found.reserved, found.presumed) == (700_000, 0, 700_000)
