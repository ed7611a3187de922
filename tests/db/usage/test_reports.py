"""Reports over a ledger on a real database: everything is counted once, and what is shown adds up to the whole."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quarterdeck.core.ids import AgentName, RunId, TenantId, ThreadId, uuid7
from quarterdeck.db.pool import Database
from quarterdeck.usage import store
from quarterdeck.usage.records import Every, Filters, Question, Reader, Sort, State, UsageRow
from quarterdeck.usage.service import Usage

AT = datetime(2026, 11, 3, 12, tzinfo=UTC)
ALL = Filters(AT - timedelta(days=30), AT + timedelta(days=30))


@pytest.fixture
def usage(database: Database) -> Usage:
    return Usage(database)


@pytest.fixture
def enter(database: Database, tenant: TenantId):
    async def into(*rows: UsageRow) -> None:
        async with database.tenant(rows[0].tenant) as tx:
            await store.enter(tx, rows)

    return into


def lines(report):
    return [(*group.keys, group.sums.cost) for group in report.groups]


async def test_usage_is_told_apart_by_every_dimension(usage, enter, row, tenant):
    said = row(
        thread=ThreadId(uuid7()),
        served_model="gpt-4.1-mini",
        route="quick",
        purpose="summary",
        tools=("search",),
        tags={"plan": "gold"},
        cost=10,
    )
    await enter(said)
    by = ("user", "agent", "release", "thread", "run", "root_run", "step", "model", "served_model", "provider", "route")
    report = await usage.report(Reader(tenant), Question(ALL, by))
    run = str(said.run)
    assert lines(report) == [
        (
            "ann",
            "desk",
            "a" * 64,
            str(said.thread),
            run,
            run,
            "1",
            "gpt-4.1-2025-04-14",
            "gpt-4.1-mini",
            "openai",
            "quick",
            10,
        )
    ]
    report = await usage.report(Reader(tenant), Question(ALL, ("purpose", "tool", "state", "tag:plan", "tag:none")))
    assert lines(report) == [("summary", "search", "spent", "gold", None, 10)]


async def test_what_has_no_route_or_purpose_is_a_step_of_the_releases_own_model(usage, enter, row, tenant):
    await enter(row(cost=1))
    report = await usage.report(Reader(tenant), Question(ALL, ("route", "purpose", "tool", "served_model")))
    assert lines(report) == [("main", "step", "(none)", "gpt-4.1-2025-04-14", 1)]


async def test_all_counts_are_added_up(usage, enter, row, tenant):
    one = row(input=100, output=50, cache_read=40, cache_write=10, reasoning=5, cost=7, saved_cache=-2, saved_route=3)
    other = row(cost=None, saved_trim=4, trimmed_tokens=9, input=1, output=1)
    lost = row(cost=90, state=State.PRESUMED, input=5, output=5)
    await enter(one, other, lost)
    report = await usage.report(Reader(tenant), Question(ALL))
    (group,) = report.groups
    assert group.sums == report.total
    sums = report.total
    assert (sums.calls, sums.input, sums.output, sums.cache_read, sums.cache_write, sums.reasoning) == (
        3,
        106,
        56,
        40,
        10,
        5,
    )
    assert (sums.cost, sums.presumed, sums.presumed_calls, sums.unpriced_calls) == (97, 90, 1, 1)
    assert (sums.saved_cache, sums.saved_route, sums.saved_trim, sums.trimmed_tokens) == (-2, 3, 4, 9)
    assert (sums.cached_calls, sums.routed_calls, sums.trimmed_calls) == (1, 1, 1)


async def test_groups_behind_the_top_are_summed_into_one(usage, enter, row, tenant):
    await enter(*(row(user=f"u{n}", cost=n) for n in range(1, 11)), row(user="", cost=3))
    report = await usage.report(Reader(tenant), Question(ALL, ("user",), top=2))
    assert lines(report) == [("u10", 10), ("u9", 9), (None, 39)]
    rest = report.groups[-1]
    assert (rest.rest, rest.groups, rest.sums.calls) == (True, 9, 9)
    assert report.total.cost == 58


async def test_the_top_can_be_by_tokens_or_calls(usage, enter, row, tenant):
    await enter(
        row(user="a", cost=9, input=1, output=0), row(user="b", cost=1, input=5, output=5), row(user="b", cost=1)
    )
    for sort, expected in ((Sort.COST, "a"), (Sort.TOKENS, "b"), (Sort.CALLS, "b")):
        report = await usage.report(Reader(tenant), Question(ALL, ("user",), top=1, sort=sort))
        assert report.groups[0].keys == (expected,)


async def test_a_missing_tag_is_a_group_of_its_own_and_not_the_rest(usage, enter, row, tenant):
    await enter(row(tags={"plan": "gold"}, cost=1), row(cost=5), row(tags={"plan": "tin"}, cost=3))
    report = await usage.report(Reader(tenant), Question(ALL, ("tag:plan",), top=2))
    assert [(group.keys, group.rest) for group in report.groups] == [
        ((None,), False),
        (("tin",), False),
        ((None,), True),
    ]


async def test_days_begin_where_the_zone_says_and_the_top_is_that_of_all_days(usage, enter, row, tenant):
    late = datetime(2026, 11, 3, 23, 30, tzinfo=UTC)  # the 4th in Berlin
    await enter(row(cost=1, user="a"), row(at=late, cost=5, user="a"), row(at=late, cost=4, user="b"))
    utc = await usage.report(Reader(tenant), Question(ALL, ("user",), Every.DAY))
    assert [(group.at, *group.keys, group.sums.cost) for group in utc.groups] == [
        (datetime(2026, 11, 3, tzinfo=UTC), "a", 6),
        (datetime(2026, 11, 3, tzinfo=UTC), "b", 4),
    ]
    berlin = await usage.report(Reader(tenant), Question(ALL, ("user",), Every.DAY, "Europe/Berlin", top=1))
    assert [(group.at, *group.keys, group.rest, group.sums.cost) for group in berlin.groups] == [
        (datetime(2026, 11, 2, 23, tzinfo=UTC), "a", False, 1),
        (datetime(2026, 11, 3, 23, tzinfo=UTC), "a", False, 5),
        (datetime(2026, 11, 3, 23, tzinfo=UTC), None, True, 4),
    ]
    monthly = await usage.report(Reader(tenant), Question(ALL, (), Every.MONTH))
    assert [(group.at, group.sums.cost) for group in monthly.groups] == [(datetime(2026, 11, 1, tzinfo=UTC), 10)]


async def test_what_a_step_costs_is_split_over_its_tools_to_the_last_micro_usd(usage, enter, row, tenant):
    await enter(row(tools=("a", "b", "c"), cost=100, input=10, output=1, saved_cache=-7), row(tools=("a",), cost=1))
    report = await usage.report(Reader(tenant), Question(ALL, ("tool",)))
    assert [(group.keys[0], group.sums.cost, group.sums.calls) for group in report.groups] == [
        ("a", 34, 2),
        ("c", 34, 1),
        ("b", 33, 1),
    ]
    assert (report.total.cost, report.total.calls, report.total.input, report.total.saved_cache) == (101, 2, 1010, -7)


async def test_filters_by_tool_leave_the_shares_of_the_others_out(usage, enter, row, tenant):
    await enter(row(tools=("a", "b"), cost=100), row(tools=("c",), cost=7), row(cost=5))
    for tools, cost, calls in ((("a",), 50, 1), (("a", "b"), 100, 1), (("(none)",), 5, 1), (("c", "(none)"), 12, 2)):
        filters = replace(ALL, values={"tool": tools})
        report = await usage.report(Reader(tenant), Question(filters))
        assert (report.total.cost, report.total.calls) == (cost, calls), tools


async def test_filters_hold_together_and_their_values_are_alternatives(usage, enter, row, tenant):
    await enter(
        row(user="a", tags={"plan": "gold", "team": "x"}, cost=1),
        row(user="b", tags={"plan": "tin", "team": "x"}, cost=10),
        row(user="c", tags={"plan": "gold", "team": "y"}, cost=100),
    )
    either = replace(ALL, tags=(("plan", "gold"), ("plan", "tin"), ("team", "x")))
    assert (await usage.report(Reader(tenant), Question(either))).total.cost == 11
    both = replace(either, values={"user": ("b", "c")})
    assert (await usage.report(Reader(tenant), Question(both))).total.cost == 10


async def test_the_end_of_the_time_is_not_included(usage, enter, row, tenant):
    await enter(row(cost=1), row(at=AT + timedelta(hours=1), cost=10))
    filters = Filters(AT, AT + timedelta(hours=1))
    assert (await usage.report(Reader(tenant), Question(filters))).total.cost == 1


async def test_nothing_used_is_a_report_without_lines(usage, tenant):
    report = await usage.report(Reader(tenant), Question(ALL, ("user", "tool"), Every.HOUR))
    assert (report.groups, report.total.calls) == ((), 0)


async def test_names_are_data_and_never_a_part_of_the_statement(usage, enter, row, tenant):
    odd = "x'); DROP TABLE qd.usage; --"
    await enter(row(tags={odd: odd}, user=odd, cost=1))
    filters = replace(ALL, values={"user": (odd,)}, tags=((odd, odd),))
    report = await usage.report(Reader(tenant), Question(filters, (f"tag:{odd}",)))
    assert lines(report) == [(odd, 1)]


async def test_readers_see_their_tenant_and_their_agents_and_a_reader_of_all_sees_everybody(usage, enter, row, tenant):
    other = TenantId(uuid7())
    await enter(row(cost=1), row(agent=AgentName("clerk"), cost=10))
    await enter(row(tenant=other, cost=100))
    assert (await usage.report(Reader(tenant), Question(ALL))).total.cost == 11
    some = Reader(tenant, frozenset({AgentName("clerk")}))
    assert (await usage.report(some, Question(ALL))).total.cost == 10
    assert (await usage.report(Reader(tenant, frozenset()), Question(ALL))).total.cost == 0
    report = await usage.report(Reader(None), Question(ALL, ("tenant",)))
    assert lines(report) == [(str(other), 100), (str(tenant), 11)]


async def test_concentration_tells_shares_gini_and_the_top(usage, enter, row, tenant):
    await enter(*(row(user=f"u{n:03}", cost=1 if n else 901) for n in range(100)))
    spread = await usage.spread(Reader(tenant), ALL, "user", 2)
    assert (spread.count, spread.cost) == (100, 1000)
    assert [(one.name, one.place, one.cost, one.cumulative) for one in spread.top] == [
        ("u000", 1, 901, 901),
        ("u001", 2, 1, 902),
    ]
    assert {share: (one.place, one.cumulative) for share, one in spread.reached.items()} == {
        0.001: (1, 901),
        0.01: (1, 901),
        0.1: (10, 910),
    }
    costs = sorted([901] + [1] * 99)
    expected = sum((2 * rank - 101) * cost for rank, cost in enumerate(costs, 1)) / (100 * 1000)
    assert spread.gini == pytest.approx(expected)


async def test_equal_spenders_have_a_gini_of_nought_and_nobody_has_none(usage, enter, row, tenant):
    assert (await usage.spread(Reader(tenant), ALL, "user", 5)).count == 0
    await enter(*(row(user=f"u{n}", cost=5) for n in range(7)))
    assert (await usage.spread(Reader(tenant), ALL, "user", 5)).gini == pytest.approx(0)


async def test_users_of_two_tenants_are_two_and_calls_without_a_thread_are_nobodys(usage, enter, row, tenant):
    await enter(row(cost=1))
    await enter(row(tenant=TenantId(uuid7()), cost=2, thread=ThreadId(uuid7())))
    assert (await usage.spread(Reader(None), ALL, "user", 5)).count == 2
    assert (await usage.spread(Reader(None), ALL, "tenant", 5)).count == 2
    assert (await usage.spread(Reader(None), ALL, "thread", 5)).count == 1
    assert (await usage.spread(Reader(tenant), ALL, "thread", 5)).count == 0


async def test_a_run_far_beyond_its_agents_others_stands_out_with_its_causes(usage, enter, row, tenant):
    rows = []
    for n in range(20):
        run = RunId(uuid7())
        rows += [row(run=run, call=f"m{s}", step=s, cost=100 + n, input=1000, output=100) for s in range(1, 4)]
    wild = RunId(uuid7())
    rows += [
        row(run=wild, call=f"m{s}", step=s, cost=900, input=9000, output=100, served_model="opus") for s in range(1, 13)
    ]
    rows.append(row(run=wild, call="m12", attempt=2, step=12, cost=900, input=9000, served_model="opus"))
    # Another agent's runs all cost that much.
    rows += [row(agent=AgentName("lab"), cost=12_000 + n) for n in range(10)]
    await enter(*rows)
    (found,) = await usage.outliers(Reader(tenant), ALL, 3.5, 10)
    assert (found.run.run, found.run.cost, found.run.calls, found.run.repeated) == (wild, 13 * 900, 13, 1)
    assert found.run.models == (("opus", 11_700),)
    assert found.usual.calls == 3
    assert found.z > 3.5
    assert found.times == pytest.approx(11_700 / 330, rel=0.05)
    assert [cause.cause for cause in found.causes] == ["context", "steps"]
    assert "12 calls where 3 are usual" in found.why
    assert "9,000 tokens read a call where 1,000 are usual" in found.why


async def test_alike_runs_and_agents_with_few_runs_have_no_outliers(usage, enter, row, tenant):
    await enter(*(row(cost=100) for _ in range(50)), row(cost=150))
    await enter(*(row(agent=AgentName("new"), cost=cost) for cost in (1, 1, 1, 1000)))
    assert await usage.outliers(Reader(tenant), ALL, 3.5, 10) == []


async def test_where_most_runs_cost_the_same_one_that_costs_ten_times_as_much_stands_out(usage, enter, row, tenant):
    await enter(*(row(cost=100) for _ in range(50)), row(cost=1000))
    (found,) = await usage.outliers(Reader(tenant), ALL, 3.5, 10)
    assert (found.run.cost, round(found.times)) == (1000, 10)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.lists(st.sampled_from(["t1", "t2", "t3"]), max_size=3),
            st.integers(0, 1000),
            st.integers(-50, 50),
            st.sampled_from([State.SPENT, State.PRESUMED]),
            st.integers(0, 50),
        ),
        max_size=25,
    ),
    st.sampled_from([(), ("user",), ("tool",), ("user", "tool"), ("tag:plan", "tool", "state")]),
    st.sampled_from([None, Every.HOUR, Every.DAY]),
    st.integers(1, 4),
)
async def test_however_it_is_told_apart_every_report_adds_up_to_the_same_whole(usage, row, calls, by, every, top):
    tenant = TenantId(uuid7())
    rows = [
        row(
            tenant=tenant,
            user=user,
            tools=tuple(tools),
            cost=cost,
            saved_cache=saved,
            state=state,
            at=AT + timedelta(hours=hour),
            tags={"plan": user} if hour % 2 else {},
        )
        for user, tools, cost, saved, state, hour in calls
    ]
    async with usage.database.tenant(tenant) as tx:
        await store.enter(tx, rows)
    report = await usage.report(Reader(tenant), Question(ALL, by, every, top=top))
    assert (report.total.calls, report.total.cost) == (len(rows), sum(one.cost or 0 for one in rows))
    assert report.total.saved_cache == sum(one.saved_cache for one in rows)
    assert report.total.presumed_calls == sum(one.state is State.PRESUMED for one in rows)
    assert sum(group.sums.cost for group in report.groups) == report.total.cost
    assert sum(group.sums.saved_cache for group in report.groups) == report.total.saved_cache
    assert len({group.keys for group in report.groups if not group.rest}) <= top
    assert all(group.groups >= 1 for group in report.groups)
