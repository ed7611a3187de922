"""Rates on a real database: never too many in any span of time, whoever asks, and nobody is forgotten."""

import asyncio
from dataclasses import dataclass

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quarterdeck.core.ids import TenantId, uuid7
from quarterdeck.db.pool import Database
from quarterdeck.rates import store_counts
from quarterdeck.rates.records import Later, Place, PlaceWant, RateWant, Subject, Taken
from quarterdeck.rates.service import Rates


def want(key: str = "k", calls: int = 3, seconds: float = 60.0) -> RateWant:
    return RateWant(key, calls, seconds, f"at most {calls} of {key}")


def seat(key: str = "k", most: int = 2) -> PlaceWant:
    return PlaceWant(key, most, f"at most {most} of {key} at once")


async def test_as_many_calls_as_the_limit_says_are_let_through_and_the_next_is_told_how_long(rates: Rates, tenant):
    for _ in range(3):
        assert await rates.take(tenant, [want()]) == Taken(0.0)
    later = await rates.take(tenant, [want()])
    assert isinstance(later, Later)
    assert 55 < later.seconds < 66
    assert (later.why, later.key) == ("At most 3 of k.", "k")


async def test_a_short_wait_is_booked_so_that_the_turn_is_kept(rates: Rates, tenant):
    first = await rates.take(tenant, [want(calls=1, seconds=0.5)])
    second = await rates.take(tenant, [want(calls=1, seconds=0.5)])
    third = await rates.take(tenant, [want(calls=1, seconds=0.5)])
    assert first == Taken(0.0)
    assert isinstance(second, Taken)
    assert isinstance(third, Taken)
    assert 0.3 < second.after <= 0.5
    assert 0.8 < third.after <= 1.0


async def test_of_several_limits_all_are_taken_or_none(rates: Rates, tenant):
    narrow, wide = want("narrow", 1), want("wide", 2)
    assert await rates.take(tenant, [narrow, wide]) == Taken(0.0)
    later = await rates.take(tenant, [narrow, wide])
    assert isinstance(later, Later)
    assert later.key == "narrow"
    # The refused call cost the wide limit nothing.
    assert await rates.take(tenant, [wide]) == Taken(0.0)
    assert isinstance(await rates.take(tenant, [wide]), Later)


async def test_one_users_booking_holds_nobody_else_back(rates: Rates, tenant):
    tool = want("tool", 10, 60.0)
    assert await rates.take(tenant, [want("ann", 1, 1.0), tool]) == Taken(0.0)
    booked = await rates.take(tenant, [want("ann", 1, 1.0), tool])
    assert isinstance(booked, Taken)
    assert booked.after > 0.5
    assert await rates.take(tenant, [want("bob", 1, 1.0), tool]) == Taken(0.0)


async def test_tenants_count_apart(rates: Rates, tenant):
    assert await rates.take(tenant, [want(calls=1)]) == Taken(0.0)
    assert await rates.take(TenantId(uuid7()), [want(calls=1)]) == Taken(0.0)
    assert isinstance(await rates.take(tenant, [want(calls=1)]), Later)


async def test_a_call_under_no_limit_asks_the_database_nothing(rates: Rates, database: Database, tenant):
    subject = Subject("refund", "desk", "ann", "run-1")
    await rates.close()
    database.terminate()
    assert await rates.take(tenant, rates.wants(tenant, subject, ())) == Taken(0.0)
    place = await rates.enter(tenant, rates.places(tenant, subject, 0), 30)
    assert isinstance(place, Place)
    await rates.leave(place)


async def test_who_was_sent_away_may_book_further_ahead_than_who_comes_new(rates: Rates, tenant):
    slow = want(calls=1, seconds=5.0)
    assert await rates.take(tenant, [slow]) == Taken(0.0)
    assert isinstance(await rates.take(tenant, [slow]), Later)
    came_back = await rates.take(tenant, [slow], waited=1.0)
    assert isinstance(came_back, Taken)
    assert 4 < came_back.after <= 5
    assert isinstance(await rates.take(tenant, [slow]), Later)


@dataclass(frozen=True)
class Limits:
    calls: int
    ms: int
    callers: int
    rounds: int


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.builds(
        Limits,
        st.sampled_from([1, 2, 3, 7, 63, 64, 65, 150]),
        st.integers(40, 400),
        st.integers(1, 6),
        st.integers(4, 25),
    )
)
async def test_in_no_span_of_time_are_more_let_through_than_the_limit_says(
    rates: Rates, others: Rates, database: Database, wanted: Limits
):
    tenant, span = TenantId(uuid7()), wanted.ms / 1000
    limit = want("k", wanted.calls, span)
    instants: list[float] = []

    async def caller(at: Database) -> None:
        for _ in range(wanted.rounds):
            async with at.tenant(tenant) as tx:
                counted = await store_counts.take(tx, tenant, [limit], 0.2)
            if counted.taken:
                instants.append(counted.at)

    await rates.take(tenant, [limit])  # opens the row
    async with database.tenant(tenant) as tx:
        await tx.execute("UPDATE qd.rate_windows SET times = '{}', counts = '{}' WHERE tenant = $1", tenant)
    pools = [database, others._database]
    await asyncio.gather(*[caller(pools[number % 2]) for number in range(wanted.callers)])
    instants.sort()
    assert instants
    for number in range(len(instants) - wanted.calls):
        # A microsecond of rounding: instants came as floats.
        assert instants[number + wanted.calls] - instants[number] >= span - 2e-6


async def test_two_workers_at_once_never_exceed_a_limit_that_neither_has_counted_before(
    rates: Rates, others: Rates, tenant
):
    wants = [want("b", 20), want("a", 500), want("c", 30)]
    taken = await asyncio.gather(
        *[who.take(tenant, wants[:: 1 - 2 * (n % 2)]) for n in range(40) for who in (rates, others)]
    )
    assert sum(isinstance(one, Taken) for one in taken) == 20


async def test_limits_in_opposite_orders_lock_nobody_out(rates: Rates, others: Rates, tenant):
    one, two = [want("a", 500), want("b", 500)], [want("b", 500), want("a", 500)]
    taken = await asyncio.gather(
        *[who.take(tenant, keys) for _ in range(60) for who, keys in ((rates, one), (others, two))]
    )
    assert all(isinstance(each, Taken) for each in taken)


async def test_as_many_are_under_way_as_there_are_places(rates: Rates, others: Rates, tenant):
    under_way, most = 0, 0

    async def call(who: Rates) -> bool:
        nonlocal under_way, most
        place = await who.enter(tenant, [seat()], 30)
        if isinstance(place, Later):
            return False
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.01)
        under_way -= 1
        await who.leave(place)
        return True

    done = await asyncio.gather(*[call(who) for _ in range(10) for who in (rates, others)])
    assert all(done)
    assert most == 2


async def test_places_are_given_in_the_order_of_asking(rates: Rates, tenant):
    first = await rates.enter(tenant, [seat(most=1)], 30)
    assert isinstance(first, Place)
    order: list[int] = []

    async def call(number: int) -> None:
        place = await rates.enter(tenant, [seat(most=1)], 30)
        assert isinstance(place, Place)
        order.append(number)
        await rates.leave(place)

    tasks = []
    for number in range(5):
        tasks.append(asyncio.create_task(call(number)))
        await asyncio.sleep(0.02)
    await rates.leave(first)
    await asyncio.gather(*tasks)
    assert order == [0, 1, 2, 3, 4]


async def test_a_full_limit_holds_nobody_back_who_does_not_count_against_it(rates: Rates, tenant):
    tool = seat("tool", 10)
    held = await rates.enter(tenant, [tool, seat("ann", 1)], 30)
    assert isinstance(held, Place)
    waiting = asyncio.create_task(rates.enter(tenant, [tool, seat("ann", 1)], 30))
    await asyncio.sleep(0.05)
    async with asyncio.timeout(1.0):
        assert isinstance(await rates.enter(tenant, [tool, seat("bob", 1)], 30), Place)
    await rates.leave(held)
    assert isinstance(await waiting, Place)


async def test_no_place_is_free_and_the_call_is_sent_away_after_a_while(rates: Rates, tenant):
    assert isinstance(await rates.enter(tenant, [seat(most=1)], 30), Place)
    later = await rates.enter(tenant, [seat(most=1)], 30)
    assert isinstance(later, Later)
    assert 3 < later.seconds < 7
    assert later.why == "At most 1 of k at once."
    assert not rates._queues


async def test_a_dead_workers_place_is_free_when_its_time_is_over(rates: Rates, others: Rates, tenant):
    assert isinstance(await others.enter(tenant, [seat(most=1)], 0.4), Place)
    assert isinstance(await rates.enter(tenant, [seat(most=1)], 30), Place)


async def test_leaving_twice_frees_nobody_elses_place(rates: Rates, tenant):
    one, two = await rates.enter(tenant, [seat()], 30), await rates.enter(tenant, [seat()], 30)
    assert isinstance(one, Place)
    assert isinstance(two, Place)
    await rates.leave(one)
    await rates.leave(one)
    assert isinstance(await rates.enter(tenant, [seat()], 30), Place)
    assert isinstance(await rates.enter(tenant, [seat()], 30), Later)


async def test_whoever_stops_waiting_leaves_the_queue_as_it_was(rates: Rates, tenant):
    held = await rates.enter(tenant, [seat(most=1)], 30)
    assert isinstance(held, Place)
    tired = [asyncio.create_task(rates.enter(tenant, [seat(most=1)], 30)) for _ in range(3)]
    await asyncio.sleep(0.1)
    tired[0].cancel()
    tired[1].cancel()
    await asyncio.sleep(0)
    await rates.leave(held)
    assert isinstance(await tired[2], Place)
    assert not rates._queues


async def test_what_no_longer_counts_is_swept(rates: Rates, database: Database, tenant):
    await rates.take(tenant, [want("old", 1, 0.01)])
    await rates.take(tenant, [want("new", 1, 600.0)])
    async with database.system.transaction() as tx:
        await tx.execute("UPDATE qd.rate_windows SET expires_at = now() - interval '1 s' WHERE key = 'old'")
        await store_counts.sweep(tx)
        left = await tx.fetch("SELECT key FROM qd.rate_windows WHERE tenant = $1", tenant)
    assert [row["key"] for row in left] == ["new"]
    assert await rates.take(tenant, [want("old", 1, 0.01)]) == Taken(0.0)


async def test_counting_does_not_wait_for_the_disk(database: Database, rates: Rates, tenant):
    await rates.take(tenant, [want()])
    async with database.tenant(tenant) as tx:
        assert await tx.fetchval("SHOW synchronous_commit") == "on"
        await store_counts.take(tx, tenant, [want()], 0)
        assert await tx.fetchval("SHOW synchronous_commit") == "off"
    async with database.tenant(tenant) as tx:
        assert await tx.fetchval("SHOW synchronous_commit") == "on"
