"""Reserving and settling on a real database: all lines or none, nothing twice, and every micro-USD accounted for."""

import asyncio
from uuid import UUID

import pytest

from quarterdeck.budgets import store, store_statements
from quarterdeck.budgets.records import CLOSING, NOTHING, Amount, Left, Refused, Reserved, Scope, Settled, Unit
from quarterdeck.budgets.service import Budgets
from quarterdeck.core.ids import TenantId, uuid7
from quarterdeck.db.pool import Database
from tests.db.budgets.scene import Limit, Sum, Till, in_slot, run_id

RUN = [Limit("run", max_micro_usd=100)]


@pytest.fixture
def till(wide: Database, budgets: Budgets, tenant: TenantId) -> Till:
    return Till(wide, budgets, tenant)


async def test_what_is_reserved_is_taken_from_every_line_and_told_what_is_left(till: Till):
    run = run_id()
    asked = till.lines(run, [Limit("run", max_micro_usd=100, max_tokens=50), Limit("user", "day", 500)])
    said = await till.reserve(run, "1", asked, Amount(30, 20))
    assert said == Reserved(
        (
            Left(Scope.RUN, Unit.USD, 100, 70, ""),
            Left(Scope.RUN, Unit.TOKENS, 50, 30, ""),
            Left(Scope.USER, Unit.USD, 500, 470, ""),
        )
    )
    assert [(await till.sum_of(line)).reserved for line in asked] == [30, 20, 30]


async def test_a_call_that_one_line_refuses_costs_the_others_nothing(till: Till):
    run = run_id()
    asked = till.lines(run, [Limit("run", max_micro_usd=100), Limit("user", "day", 20)])
    said = await till.reserve(run, "1", asked, 30)
    assert isinstance(said, Refused)
    assert (said.line.scope, said.limit, said.spent, said.reserved, said.short) == (Scope.USER, 20, 0, 0, False)
    assert said.renews_at is not None
    assert [(await till.sum_of(line)).reserved for line in asked] == [0, 0]


async def test_no_reservation_is_made_without_limits(till: Till):
    run = run_id()
    assert await till.reserve(run, "1", [], 30) == Reserved()
    assert await till.settle(run, "1", 12) == Settled(spent=12)
    assert await till.rows("SELECT FROM qd.budget_reservations") == []


async def test_one_request_has_a_limit_of_its_own_that_counts_nothing(till: Till):
    run = run_id()
    asked = till.lines(run, [Limit("request", max_micro_usd=10)])
    assert await till.reserve(run, "1", asked, 10) == Reserved()
    said = await till.reserve(run, "2", asked, 11)
    assert isinstance(said, Refused)
    assert (said.limit, said.want, said.renews_at) == (10, 11, None)


@pytest.mark.parametrize(
    ("used", "settled", "spent", "uncovered"),
    [
        (12, Settled(spent=12), 12, 0),
        (30, Settled(spent=30), 30, 0),
        (45, Settled(spent=30, uncovered=15), 30, 15),
        (None, Settled(presumed=30), 30, 0),
        (NOTHING, Settled(), 0, 0),
    ],
)
async def test_what_was_used_is_booked_and_the_rest_given_back(
    till: Till, used: int | Amount | None, settled: Settled, spent: int, uncovered: int
):
    run = run_id()
    asked = till.lines(run, RUN)
    await till.reserve(run, "1", asked, 30)
    assert await till.settle(run, "1", used) == settled
    presumed = 30 if used is None else 0
    assert await till.sum_of(asked[0]) == Sum(100, 100, spent, 0, uncovered, presumed)
    # Repeating it books nothing twice and answers the same, whatever is said this time but for a presumed one.
    assert await till.settle(run, "1", used) == settled
    assert await till.sum_of(asked[0]) == Sum(100, 100, spent, 0, uncovered, presumed)


async def test_a_presumed_call_whose_usage_comes_late_is_put_right_once(till: Till):
    run = run_id()
    asked = till.lines(run, RUN)
    await till.reserve(run, "1", asked, 30)
    await till.settle(run, "1", None)
    assert await till.settle(run, "1", 12) == Settled(spent=12)
    assert await till.settle(run, "1", 12) == Settled(spent=12)
    assert await till.sum_of(asked[0]) == Sum(100, 100, 12, 0, 0, 0)
    await till.reserve(run, "2", asked, 30)
    await till.settle(run, "2", None)
    assert await till.settle(run, "2", 50) == Settled(spent=30, uncovered=20)
    assert await till.sum_of(asked[0]) == Sum(100, 100, 42, 0, 20, 0)


async def test_what_went_beyond_a_reservation_counts_against_what_is_left(till: Till):
    run = run_id()
    asked = till.lines(run, RUN)
    await till.reserve(run, "1", asked, 30)
    await till.settle(run, "1", 80)
    said = await till.reserve(run, "2", asked, 21)
    assert isinstance(said, Refused)
    assert (said.spent, said.reserved) == (80, 0)
    assert isinstance(await till.reserve(run, "2", asked, 20), Reserved)


async def test_the_same_attempt_that_asks_again_is_counted_once(till: Till):
    run = run_id()
    asked = till.lines(run, RUN)
    first = await till.reserve(run, "1", asked, 60)
    again = await till.reserve(run, "1", asked, 60)
    assert isinstance(first, Reserved)
    assert isinstance(again, Reserved)
    assert (first.again, again.again) == (False, True)
    assert first.left == again.left
    assert (await till.sum_of(asked[0])).reserved == 60


async def test_a_newer_attempt_first_books_what_the_older_one_held_as_presumed(till: Till):
    run = run_id()
    asked = till.lines(run, RUN)
    await till.reserve(run, "1", asked, 60, attempt=1)
    assert isinstance(await till.reserve(run, "1", asked, 40, attempt=2), Reserved)
    assert await till.sum_of(asked[0]) == Sum(100, 100, 60, 40, 0, 60)
    assert await till.settle(run, "1", 10) == Settled(spent=10)
    assert await till.sum_of(asked[0]) == Sum(100, 100, 70, 0, 0, 60)


async def test_a_newer_attempt_that_is_refused_leaves_the_older_one_booked(till: Till):
    run = run_id()
    asked = till.lines(run, RUN)
    await till.reserve(run, "1", asked, 60, attempt=1)
    assert isinstance(await till.reserve(run, "1", asked, 60, attempt=2), Refused)
    assert await till.sum_of(asked[0]) == Sum(100, 100, 60, 0, 0, 60)


async def test_an_older_attempts_closing_slice_is_given_back(till: Till):
    run = run_id()
    asked = till.lines(run, RUN)
    await till.reserve(run, CLOSING, asked, 60, attempt=1)
    assert isinstance(await till.reserve(run, CLOSING, asked, 70, attempt=2), Reserved)
    assert await till.sum_of(asked[0]) == Sum(100, 100, 0, 70, 0, 0)


async def test_a_call_that_is_made_again_after_it_was_settled_counts_again(till: Till):
    run = run_id()
    asked = till.lines(run, RUN)
    for _ in range(2):
        await till.reserve(run, "1", asked, 40)
        await till.settle(run, "1", 30)
    assert (await till.sum_of(asked[0])).spent == 60


async def test_an_ended_run_gives_its_closing_slice_back_and_its_calls_are_presumed(till: Till):
    run, other = run_id(), run_id()
    asked = till.lines(run, RUN)
    await till.reserve(run, CLOSING, asked, 20)
    await till.reserve(run, "1", asked, 30)
    await till.reserve(run, "2", asked, 40)
    await till.reserve(other, "1", till.lines(other, RUN), 50)
    assert await till.settle_run(run) == Settled(presumed=70)
    assert await till.settle_run(run) == Settled()
    assert await till.sum_of(asked[0]) == Sum(100, 100, 70, 0, 0, 70)
    assert (await till.sum_of(till.lines(other, RUN)[0])).reserved == 50


async def test_a_refusal_leaves_the_transaction_usable(till: Till):
    run = run_id()
    asked = till.lines(run, RUN)
    async with till.database.tenant(till.tenant) as tx:
        assert isinstance(await store.reserve(tx, till.tenant, run, "1", 1, asked, Amount(101, 1)), Refused)
        assert isinstance(await store.reserve(tx, till.tenant, run, "1", 1, asked, Amount(100, 1)), Reserved)
        assert (await store.settle(tx, till.tenant, run, "1", Amount(7, 1))).spent == 7
    assert await till.sum_of(asked[0]) == Sum(100, 100, 7, 0, 0, 0)


async def test_what_is_rolled_back_was_never_reserved(till: Till):
    run = run_id()
    asked = till.lines(run, RUN)

    async def crash() -> None:
        async with till.database.tenant(till.tenant) as tx:
            await store.reserve(tx, till.tenant, run, "1", 1, asked, Amount(60, 60))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await crash()
    assert isinstance(await till.reserve(run, "1", asked, 100), Reserved)


async def test_the_database_itself_refuses_more_than_was_granted(till: Till):
    run = run_id()
    await till.reserve(run, "1", till.lines(run, RUN), 60)
    with pytest.raises(Exception, match="budget_slots"):
        await till.rows("UPDATE qd.budget_slots SET reserved = reserved + 41")


async def test_a_free_call_passes_a_budget_that_is_used_up(till: Till):
    run = run_id()
    asked = till.lines(run, RUN)
    await till.reserve(run, "1", asked, 100)
    assert isinstance(await till.reserve(run, "2", asked, Amount(0, 50)), Reserved)


async def test_a_lowered_limit_lets_nothing_new_in_and_a_raised_one_does_at_once(till: Till):
    run = run_id()
    budget = await till.put(Scope.USER, 100)
    asked = till.lines(run)
    await till.reserve(run, "1", asked, 60)
    await till.settle(run, "1", 60)
    await till.put(Scope.USER, 50)
    # The lines are those of before: the process has not heard of it yet.
    refused = await till.reserve(run, "2", asked, 1)
    assert isinstance(refused, Refused)
    assert (refused.limit, refused.spent) == (50, 60)
    await till.put(Scope.USER, 90)
    assert isinstance(await till.reserve(run, "2", asked, 30), Reserved)
    assert isinstance(await till.reserve(run, "3", asked, 1), Refused)
    assert asked[0].budget == budget.id


async def test_the_same_for_a_hot_budget(till: Till):
    await till.put(Scope.TENANT, 16_000_000)
    asked = till.lines(run_id())
    assert asked[0].slots == 16
    for slot in range(4):
        run = in_slot(slot, 16)
        assert isinstance(await till.reserve(run, "1", asked, 1_000_000), Reserved)
    await till.put(Scope.TENANT, 4_000_000)
    assert isinstance(await till.reserve(in_slot(9, 16), "1", asked, 1), Refused)
    await till.put(Scope.TENANT, 5_000_000)
    assert isinstance(await till.reserve(in_slot(9, 16), "1", asked, 1_000_000), Reserved)
    assert isinstance(await till.reserve(in_slot(9, 16), "2", asked, 1), Refused)
    found = await till.sum_of(asked[0])
    assert (found.reserved, found.granted) == (5_000_000, 5_000_000)


async def test_a_budget_that_is_removed_holds_as_it_was_until_processes_have_heard(till: Till):
    await till.put(Scope.USER, 100)
    run = run_id()
    asked = till.lines(run)
    await till.rows("DELETE FROM qd.budgets")
    assert isinstance(await till.reserve(run, "1", asked, 101), Refused)
    assert isinstance(await till.reserve(run, "1", asked, 100), Reserved)


async def test_what_lies_in_other_slots_is_brought_before_anything_is_refused(till: Till):
    """All of a limit can be spent, whichever slots it lies in."""
    await till.put(Scope.TENANT, 16_000_000)
    asked = till.lines(run_id())
    run = in_slot(3, 16)
    async with till.database.tenant(till.tenant) as tx:
        short = await store.reserve(tx, till.tenant, run, "1", 1, asked, Amount(1_000_001, 1))
    assert isinstance(short, Refused)
    assert short.short
    assert isinstance(await till.reserve(run, "1", asked, 15_999_999), Reserved)
    assert isinstance(await till.reserve(in_slot(4, 16), "1", asked, 1), Reserved)
    last = await till.reserve(in_slot(5, 16), "1", asked, 1)
    assert isinstance(last, Refused)
    assert (last.short, last.reserved) == (False, 16_000_000)


async def test_a_minutes_rate_says_when_to_come_back(till: Till):
    await till.put(Scope.USER, None, rpm_limit=2)
    run = run_id()
    asked = till.lines(run)
    assert isinstance(await till.reserve(run, "1", asked, Amount(5, 5)), Reserved)
    assert isinstance(await till.reserve(run, "2", asked, Amount(5, 5)), Reserved)
    said = await till.reserve(run, "3", asked, Amount(5, 5))
    if isinstance(said, Reserved):  # the minute was over just now
        return
    assert said.line.waits
    assert said.retry_in is not None
    assert 0 < said.retry_in <= 60


async def test_a_request_that_was_never_sent_does_not_count_in_the_minute(till: Till):
    await till.put(Scope.USER, None, rpm_limit=2)
    run = run_id()
    asked = till.lines(run)
    await till.reserve(run, "1", asked, Amount(5, 5))
    await till.settle(run, "1", NOTHING)
    await till.reserve(run, "2", asked, Amount(5, 5))
    await till.settle(run, "2", Amount(5, 5))
    found = await till.sum_of(asked[0])
    assert (found.spent, found.reserved) == (1, 0)


async def test_a_call_settles_in_the_window_in_which_it_was_reserved(till: Till):
    run = run_id()
    asked = till.lines(run, [Limit("user", "day", 100), Limit("run", max_micro_usd=100)])
    day = asked[0]
    await till.reserve(run, "1", asked, 80)
    await till.pass_time("day")
    assert isinstance(await till.reserve(run, "2", asked, 20), Reserved)
    await till.settle(run, "1", 70)
    windows = await till.rows(
        "SELECT spent, reserved FROM qd.budget_slots WHERE account = $1 ORDER BY starts", UUID(day.account)
    )
    assert [(row["spent"], row["reserved"]) for row in windows] == [(70, 0), (0, 20)]


async def test_a_new_day_has_its_whole_limit(till: Till):
    run = run_id()
    asked = till.lines(run, [Limit("agent", "day", 16_000_000)])
    assert isinstance(await till.reserve(run, "1", asked, 16_000_000), Reserved)
    assert isinstance(await till.reserve(run, "2", asked, 1), Refused)
    await till.pass_time("day")
    assert isinstance(await till.reserve(run, "2", asked, 16_000_000), Reserved)


async def test_a_child_spends_from_its_parents_limit(till: Till):
    parent, child = run_id(), run_id()
    own = till.lines(parent, [Limit("run", max_micro_usd=100)])
    await till.reserve(parent, "1", own, 40)
    spender_lines = till.lines(child, [Limit("run", max_micro_usd=1000)], ancestors=(str(parent),))
    said = await till.reserve(child, "1", spender_lines, 61)
    assert isinstance(said, Refused)
    assert (said.line.whose, said.limit, said.reserved) == (str(parent), 100, 40)
    assert isinstance(await till.reserve(child, "1", spender_lines, 60), Reserved)
    assert (await till.sum_of(own[0])).reserved == 100
    await till.settle(child, "1", 10)
    assert await till.sum_of(own[0]) == Sum(100, 100, 10, 40, 0, 0)


async def test_a_parent_without_limits_narrows_its_child_by_none(till: Till):
    child = run_id()
    asked = till.lines(child, [Limit("run", max_micro_usd=100)], ancestors=(str(run_id()),))
    said = await till.reserve(child, "1", asked, 100)
    assert isinstance(said, Reserved)
    assert len(said.left) == 1


async def test_a_cap_that_comes_late_counts_what_a_run_has_spent(till: Till):
    run = run_id()
    asked = till.lines(run, run_cap=100, run_spent=70)
    assert isinstance(await till.reserve(run, "1", asked, 31), Refused)
    assert isinstance(await till.reserve(run, "1", asked, 30), Reserved)


async def test_everything_counts_all_tenants_together_and_shows_none_the_others(till: Till, wide, budgets):
    other = Till(wide, budgets, TenantId(uuid7()))
    await till.put(Scope.EVERYTHING, 1_000_000)
    other.live = till.live
    ours, theirs = run_id(), run_id()
    assert isinstance(await till.reserve(ours, "1", till.lines(ours), 600_000), Reserved)
    assert isinstance(await other.reserve(theirs, "1", other.lines(theirs), 400_001), Refused)
    assert isinstance(await other.reserve(theirs, "1", other.lines(theirs), 400_000), Reserved)
    async with wide.tenant(till.tenant) as tx:
        seen = await tx.fetch("SELECT tenant FROM qd.budget_reservations")
        assert {row["tenant"] for row in seen} == {till.tenant}
        assert await tx.fetch("SELECT FROM qd.budget_slots WHERE tenant IS NOT NULL") == []


async def test_of_everything_and_its_own_budgets_a_call_takes_from_both_or_none(till: Till):
    await till.put(Scope.EVERYTHING, 1_000_000)
    await till.put(Scope.USER, 100)
    run = run_id()
    asked = till.lines(run)
    assert isinstance(await till.reserve(run, "1", asked, 101), Refused)
    assert isinstance(await till.reserve(run, "1", asked, 100), Reserved)
    assert {(await till.sum_of(line)).reserved for line in asked} == {100}


async def test_two_releases_that_declare_different_limits_of_one_agent_are_each_held_to_their_own(till: Till):
    low, high = [Limit("agent", "day", 4_000_000)], [Limit("agent", "day", 16_000_000)]
    first, second = run_id(), run_id()
    assert isinstance(await till.reserve(first, "1", till.lines(first, low), 3_000_000), Reserved)
    assert isinstance(await till.reserve(second, "1", till.lines(second, high), 9_000_000), Reserved)
    assert isinstance(await till.reserve(first, "2", till.lines(first, low), 1), Refused)
    assert isinstance(await till.reserve(second, "2", till.lines(second, high), 4_000_000), Reserved)
    assert isinstance(await till.reserve(second, "3", till.lines(second, high), 1), Refused)


async def test_many_that_open_the_same_account_at_once_have_one_limit_between_them(till: Till):
    await till.put(Scope.TENANT, 16_000_000)
    runs = [run_id() for _ in range(40)]
    said = await asyncio.gather(*[till.reserve(run, "1", till.lines(run), 1_000_000) for run in runs])
    assert sum(isinstance(one, Reserved) for one in said) == 16
    assert (await till.sum_of(till.lines(runs[0])[0])).reserved == 16_000_000


async def test_two_settlements_at_once_book_one(till: Till):
    run = run_id()
    asked = till.lines(run, RUN)
    await till.reserve(run, "1", asked, 50)
    said = await asyncio.gather(*[till.settle(run, "1", 20) for _ in range(8)])
    assert set(said) == {Settled(spent=20)}
    assert await till.sum_of(asked[0]) == Sum(100, 100, 20, 0, 0, 0)


async def test_a_call_settled_while_its_run_is_swept_is_booked_once(till: Till):
    runs = [run_id() for _ in range(10)]
    await till.put(Scope.TENANT, 16_000_000)
    for run in runs:
        await till.reserve(run, "1", till.lines(run), 1000)
    await asyncio.gather(*[till.settle_run(run) for run in runs], *[till.settle(run, "1", 400) for run in runs])
    found = await till.sum_of(till.lines(runs[0])[0])
    assert (found.reserved, found.spent) == (0, 4000)


async def test_a_window_is_the_one_of_the_time_zone_by_the_databases_clock(till: Till):
    run = run_id()
    zone = "Asia/Kathmandu"
    asked = till.lines(run, [Limit("user", window, 100) for window in ("hour", "day", "month")], zone=zone)
    await till.reserve(run, "1", asked, 10)
    rows = await till.rows(
        "SELECT a.period, s.starts AT TIME ZONE $1 AS starts, s.ends AT TIME ZONE $1 AS ends,"
        " now() AT TIME ZONE $1 AS now FROM qd.budget_slots s JOIN qd.budget_accounts a USING (account)",
        zone,
    )
    for row in rows:
        start, end, now = row["starts"], row["ends"], row["now"]
        assert start <= now < end
        assert (start.minute, start.second, end.minute) == (0, 0, 0)
        if row["period"] != "hour":
            assert (start.hour, end.hour) == (0, 0)
        if row["period"] == "month":
            assert (start.day, end.day) == (1, 1)
    assert {row["period"] for row in rows} == {"hour", "day", "month"}


@pytest.mark.parametrize(
    ("at", "window", "starts", "ends"),
    [
        ("2026-03-29 12:00+00", "day", "2026-03-28 23:00+00", "2026-03-29 22:00+00"),  # 23 hours
        ("2026-10-25 12:00+00", "day", "2026-10-24 22:00+00", "2026-10-25 23:00+00"),  # 25 hours
        ("2026-10-25 00:30+00", "hour", "2026-10-25 00:00+00", "2026-10-25 01:00+00"),  # 02:30, the first
        ("2026-10-25 01:30+00", "hour", "2026-10-25 01:00+00", "2026-10-25 02:00+00"),  # 02:30, the second
        ("2026-03-31 22:30+00", "month", "2026-03-31 22:00+00", "2026-04-30 22:00+00"),
        ("2026-02-28 22:59+00", "month", "2026-01-31 23:00+00", "2026-02-28 23:00+00"),
    ],
)
async def test_days_on_which_clocks_change_are_as_long_as_they_are(
    till: Till, at: str, window: str, starts: str, ends: str
):
    """By the very expressions of the statements, in Berlin."""
    place = {"period": f"'{window}'", "zone": "'Europe/Berlin'"}
    query = f"""
    SELECT {store_statements.START.format(**place)} = '{starts}', {store_statements.END.format(**place)} = '{ends}'
    FROM (SELECT timestamptz '{at}' AS now) c"""
    (row,) = await till.rows(query)
    assert (row[0], row[1]) == (True, True)


async def test_the_self_test_passes_where_budgets_hold_and_leaves_nothing_behind(budgets: Budgets, till: Till):
    await budgets.self_test()
    for table in ("budgets", "budget_accounts", "budget_slots", "budget_reservations"):
        assert await till.rows(f"SELECT FROM qd.{table}") == []
