"""Workers that share a provider's limits: what goes out in all, who waits, and what comes back."""

import asyncio
import time

import pytest

from quarterdeck.core.ids import RunId, TenantId, uuid7
from quarterdeck.core.settings import Settings
from quarterdeck.db.pool import Database
from quarterdeck.db.urls import urls_of
from quarterdeck.db.wakes import Wakes
from quarterdeck.pacing import job, store, store_turns
from quarterdeck.pacing.records import Asker, Go, LaneName, Source, Told, Wait
from quarterdeck.pacing.service import Pacer

LANE = LaneName("openai", "0123456789abcdef", "gpt-4.1-2025-04-14")
ACME, BETA = TenantId(uuid7()), TenantId(uuid7())


def asker(tenant: TenantId = ACME) -> Asker:
    return Asker(tenant, RunId(uuid7()))


async def go(pacer: Pacer, tokens: float = 10.0, name: LaneName = LANE, **more: object) -> Go:
    turn = await pacer.turn(name, asker(), lambda: tokens, **more)  # pyright: ignore[reportArgumentType]
    assert isinstance(turn, Go), turn
    return turn


async def call_up(database: Database) -> list[Asker]:
    async with database.system.transaction() as tx:
        return await job.call_up(tx)


async def test_what_nothing_is_known_of_goes_out_at_once_and_asks_the_database_nothing(
    pacer: Pacer, database: Database
):
    database.terminate()
    turns = [await go(pacer) for _ in range(200)]
    assert not any(turn.paced for turn in turns)


async def test_limits_that_the_provider_tells_one_worker_pace_all_of_them(pacer: Pacer, others: Pacer):
    pacer.heard(await go(pacer), Told(requests=600, tokens=90_000), 12.0)
    await asyncio.sleep(0.1)
    await others._follower.look()
    lane = others.lane(LANE)
    assert lane is not None
    assert (lane.requests.now, lane.tokens.now) == (pytest.approx(582), pytest.approx(87_300))
    assert lane.requests.source is Source.HEADERS
    assert (await go(others)).paced


@pytest.mark.parametrize("unit", ["requests", "tokens"])
async def test_two_workers_together_keep_to_the_limit_and_use_it(pacer: Pacer, others: Pacer, unit: str):
    limits = (1200, None) if unit == "requests" else (None, 12_000)  # twenty calls a second
    began, sent = time.monotonic(), []

    async def ask(worker: Pacer) -> None:
        while time.monotonic() - began < 4:
            turn = await worker.turn(LANE, asker(), lambda: 10.0, limits)
            if isinstance(turn, Go):
                sent.append(time.monotonic() - began)
            else:
                await asyncio.sleep(0.2)

    await asyncio.gather(*(ask(worker) for worker in (pacer, others) for _ in range(8)))
    windows = [sum(start <= at < start + 1 for at in sent) for start in (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)]
    assert max(windows) <= 20 + 20 * 0.3, windows  # a busy machine is late at times, and then makes up for it
    assert sum(1 <= at < 4 for at in sent) >= 0.8 * 60, windows


async def test_a_refusal_of_one_holds_all_workers_back(pacer: Pacer, others: Pacer):
    await go(others)
    await pacer.refused(await go(pacer), Told(retry_after=1.5))
    await others._follower.look()
    began = time.monotonic()
    assert isinstance(await others.turn(LANE, asker(), lambda: 10.0), Go)
    assert 1.2 <= time.monotonic() - began <= 2.1


async def test_who_would_wait_for_long_stands_in_line_and_is_told_when_to_come(pacer: Pacer):
    await pacer.refused(await go(pacer), Told(retry_after=30))
    turn = await pacer.turn(LANE, asker(), lambda: 10.0)
    assert isinstance(turn, Wait)
    assert 29 <= turn.seconds <= 40
    assert "left alone" in turn.why


async def crowd(database: Database, *askers: Asker, rate: float = 60.0) -> None:
    """A lane of one call a second, with these in line."""
    async with database.system.transaction() as tx:
        await store.open_lane(tx, LANE)
        await tx.execute("UPDATE qd.pace_lanes SET requests_now = $1, requests_chosen = $1", rate)
        for one in askers:
            await store.line_up(tx, LANE, one, 10.0, (0.0, 0.0))


async def test_runs_in_line_are_called_as_far_as_there_is_room_and_the_oldest_first(database: Database):
    line = sorted((asker() for _ in range(8)), key=lambda one: one.run)
    await crowd(database, *reversed(line))
    assert {one.run for one in await call_up(database)} == {one.run for one in line[:3]}
    assert await call_up(database) == []


async def test_a_tenant_with_a_long_line_does_not_keep_another_one_out(database: Database):
    long, short = [asker(ACME) for _ in range(200)], [asker(BETA) for _ in range(2)]
    await crowd(database, *long, *short)
    called = [one.tenant for one in await call_up(database)]
    assert sorted([called.count(ACME), called.count(BETA)]) == [1, 2]


async def test_who_is_called_goes_before_who_is_new_and_leaves_the_line(pacer: Pacer, database: Database):
    line = sorted((asker() for _ in range(12)), key=lambda one: one.run)
    first = line[0]
    await crowd(database, *line, rate=120.0)
    await pacer._follower.look()
    assert first in await call_up(database)
    newcomer = await pacer.turn(LANE, asker(), lambda: 10.0, (120, None))
    assert isinstance(newcomer, Wait)
    assert isinstance(await pacer.turn(LANE, first, lambda: 10.0, (120, None)), Go)
    await asyncio.sleep(1.0)
    async with database.system.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM qd.pace_turns WHERE run = $1", first.run) == 0


async def test_who_was_called_and_does_not_come_is_called_again_and_then_forgotten(database: Database):
    await crowd(database, asker())
    for _ in range(4):
        await call_up(database)
        async with database.system.transaction() as tx:
            await tx.execute("UPDATE qd.pace_turns SET called_at = called_at - interval '2 minutes'")
    await call_up(database)
    async with database.system.transaction() as tx:
        assert await store_turns.count(tx) == {}


async def test_leases_that_are_not_used_come_back(pacer: Pacer, database: Database):
    limits = (6000, None)
    for _ in range(10):
        await go(pacer, limits=limits)
    await asyncio.sleep(0.1)
    async with database.system.transaction() as tx:
        leased = await tx.fetchval("SELECT requests_used FROM qd.pace_lanes")
    assert leased > 10.5, "nothing was leased ahead, so this test proves nothing"
    await asyncio.sleep(3)
    async with database.system.transaction() as tx:
        assert await tx.fetchval("SELECT requests_used FROM qd.pace_lanes") <= 10.0


async def test_what_a_dead_worker_had_leased_lapses_by_itself(pacer: Pacer, others: Pacer, database: Database):
    await crowd(database, rate=600.0)
    async with database.system.transaction() as tx:
        leased = await store.lease(tx, LANE, [10.0] * 50, 1.0)
    assert leased is not None
    assert len(leased.starts) >= 10
    await asyncio.sleep(1.2)
    began = time.monotonic()
    await go(others, limits=(600, None))
    assert time.monotonic() - began < 0.5


async def test_estimates_are_put_right_by_what_was_used(pacer: Pacer, database: Database):
    turn = await go(pacer, tokens=100.0, limits=(None, 60_000))
    pacer.heard(turn, None, 5100.0)
    await asyncio.sleep(1.2)
    async with database.system.transaction() as tx:
        used = await tx.fetchval("SELECT tokens_used FROM qd.pace_lanes")
    assert 3000 <= used <= 5100


async def test_an_option_that_is_taken_back_leaves_the_lane_unpaced(pacer: Pacer):
    assert (await go(pacer, limits=(600, None))).paced
    assert not (await go(pacer)).paced


async def test_keys_and_models_are_paced_by_themselves(pacer: Pacer):
    await pacer.refused(await go(pacer), Told(retry_after=30))
    assert not (await go(pacer, name=LaneName("openai", "0123456789abcdef", "gpt-4.1-mini-2025-04-14"))).paced
    assert not (await go(pacer, name=LaneName("openai", "fedcba9876543210", LANE.model))).paced


async def test_without_the_database_nobody_asks_under_a_known_limit(pacer: Pacer, database: Database):
    assert (await go(pacer, limits=(600, None))).paced
    database.terminate()
    pacer._queue(LANE).crowded = True
    turn = await pacer.turn(LANE, asker(), lambda: 10.0, (600, None))
    assert isinstance(turn, Wait)


async def test_lanes_of_keys_that_are_gone_are_forgotten_and_those_in_use_are_not(database: Database):
    await crowd(database, asker())
    old = LaneName("openai", "fedcba9876543210")
    async with database.system.transaction() as tx:
        await store.open_lane(tx, old)
        await tx.execute("UPDATE qd.pace_lanes SET made_at = now() - interval '8 days'")
        await tx.execute(
            "UPDATE qd.pace_lanes SET used_at = extract(epoch FROM now()) - 3600 WHERE fingerprint = $1",
            LANE.fingerprint,
        )
        await store_turns.tidy(tx)
        assert [lane.name for lane in (await store.every(tx))[0]] == [LANE]


async def test_a_refusal_is_heard_of_before_it_is_read(database: Database, settings: Settings):
    wakes = Wakes(urls_of(settings).listen)
    await wakes.start()
    one, other = Pacer(database, wakes), Pacer(database, wakes)
    await one.start()
    await other.start()
    assert (await go(one, limits=(600, None))).paced
    await other._follower.look()
    await other._follower.close()  # from here on it only listens
    turn = await go(one, limits=(600, None))
    await one.refused(turn, Told(retry_after=30))
    until = time.monotonic() + 5
    while not other.held(LANE) and time.monotonic() < until:
        await asyncio.sleep(0.01)
    assert other.held(LANE) == pytest.approx(30, abs=5)
    await one.close()
    await other.close()
    await wakes.close()
