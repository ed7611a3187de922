"""The pace of a provider: found out by its own answers."""

import asyncio

import pytest

from quarterdeck.gates.pacing import Pace
from quarterdeck.models.records import Fault, ModelFault


def too_much(retry_after: float | None = None) -> ModelFault:
    return ModelFault("slow down", code=Fault.RATE_LIMITED, retryable=True, retry_after=retry_after)


async def take(pace: Pace, outcome: BaseException | None = None, hold: float = 0.0) -> None:
    with await pace.turn():
        await asyncio.sleep(hold)
        if outcome is not None:
            raise outcome


async def test_no_more_calls_are_under_way_than_allowed():
    pace, most = Pace(3), 0

    async def one() -> None:
        nonlocal most
        with await pace.turn():
            most = max(most, pace.under_way)
            await asyncio.sleep(0.005)

    await asyncio.gather(*(one() for _ in range(12)))
    assert (most, pace.under_way, pace.waiting) == (3, 0, 0)


async def test_whoever_came_first_goes_first():
    pace, order = Pace(1), []

    async def one(number: int) -> None:
        with await pace.turn():
            order.append(number)
            await asyncio.sleep(0)

    await asyncio.gather(*(one(number) for number in range(8)))
    assert order == list(range(8))


async def test_a_refusal_halves_the_limit_once_for_calls_sent_together():
    pace = Pace(16)
    outcomes = await asyncio.gather(*(take(pace, too_much(), 0.01) for _ in range(8)), return_exceptions=True)
    assert all(isinstance(outcome, ModelFault) for outcome in outcomes)
    assert pace.limit == 4.0


async def test_successes_widen_the_limit_again_up_to_the_most():
    pace = Pace(4)
    with pytest.raises(ModelFault):
        await take(pace, too_much())
    narrow = pace.limit
    for _ in range(40):
        await take(pace)
    assert narrow < pace.limit == 4.0


async def test_other_faults_and_cancelling_change_nothing():
    pace = Pace(8)
    with pytest.raises(ModelFault):
        await take(pace, ModelFault("x", code=Fault.SERVER_ERROR, retryable=True))
    cancelled = asyncio.create_task(take(pace, hold=10))
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    assert (pace.limit, pace.under_way) == (8.0, 0)


async def test_everybody_waits_for_as_long_as_the_provider_said():
    pace, loop = Pace(4), asyncio.get_running_loop()
    with pytest.raises(ModelFault):
        await take(pace, too_much(0.15))
    started = loop.time()
    await asyncio.gather(take(pace), take(pace))
    assert 0.14 <= loop.time() - started < 0.6


async def test_somebody_who_stops_waiting_leaves_no_place_taken():
    pace = Pace(1)
    holding = asyncio.create_task(take(pace, hold=0.05))
    await asyncio.sleep(0)
    waiting = [asyncio.create_task(take(pace)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    waiting[1].cancel()
    await asyncio.gather(holding, *waiting, return_exceptions=True)
    assert (pace.under_way, pace.waiting) == (0, 0)
    await asyncio.wait_for(take(pace), 1)


async def test_cancelling_at_the_moment_of_ones_turn_gives_it_on():
    pace = Pace(1)
    turn = await pace.turn()
    first, second = asyncio.create_task(take(pace)), asyncio.create_task(take(pace))
    await asyncio.sleep(0)
    turn.__exit__(None, None, None)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await asyncio.wait_for(second, 1)
    assert pace.under_way == 0


async def test_a_changed_setting_is_taken_over():
    pace = Pace(10)
    pace.allow(2)
    assert pace.limit == 2.0
    pace.allow(20)
    for _ in range(200):
        await take(pace)
    assert pace.limit == 20.0
