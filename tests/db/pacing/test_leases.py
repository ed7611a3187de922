"""Leases hold the limits whatever is asked for: in any span of time no more begins than it allows, and hardly less."""

import asyncio
import random
import time

import pytest

from quarterdeck.db.pool import Database
from quarterdeck.pacing import store
from quarterdeck.pacing.queue import HORIZON
from quarterdeck.pacing.records import LaneName

SLACK = 0.3
"""Seconds by which the instants of this test's exchanges are uncertain."""


async def leases(
    database: Database, dice: random.Random, lane: LaneName, requests: float | None, tokens: float | None
) -> list[tuple[float, float]]:
    """Starts and sizes of calls that were leased in exchanges of any size, as several workers would."""
    async with database.system.transaction() as tx:
        await store.open_lane(tx, lane)
        statement = "UPDATE qd.pace_lanes SET requests_now = $2, tokens_now = $3 WHERE key = $1"
        await tx.execute(statement, lane.key, requests, tokens)
    found: list[tuple[float, float]] = []
    for _ in range(25):
        sizes = [float(dice.choice([1, 50, 400, 3000])) for _ in range(dice.randint(1, 12))]
        async with database.system.transaction() as tx:
            leased = await store.lease(tx, lane, sizes, horizon=dice.choice([0.2, HORIZON]), waiting=len(sizes))
        now = time.time()
        await asyncio.sleep(dice.choice([0.0, 0.0, 0.1, 0.4]))
        assert leased is not None
        assert list(leased.starts) == sorted(leased.starts)
        found += [(now + start, size) for start, size in zip(leased.starts, sizes, strict=False)]
    return sorted(found)


@pytest.mark.parametrize("seed", range(6))
async def test_in_any_span_no_more_begins_than_the_limits_allow(database: Database, seed: int):
    dice = random.Random(seed)
    requests = dice.choice([None, 30.0, 600.0])
    tokens = dice.choice([60_000.0, 200_000.0]) if requests is None else dice.choice([None, 60_000.0])
    found = await leases(database, dice, LaneName("a", "b", str(seed)), requests, tokens)
    assert len(found) > 1
    for first, (begin, _) in enumerate(found):
        taken = 0.0
        for count, (end, size) in enumerate(found[first:], 1):
            span = end - begin + store.BURST + HORIZON + SLACK
            if requests is not None:
                assert count <= requests / 60 * span + 1
            if tokens is not None:
                assert taken <= tokens / 60 * span  # the last one may begin as soon as those before it are paid for
            taken += size


@pytest.mark.parametrize(("requests", "tokens"), [(600.0, None), (None, 60_000.0)])
async def test_nearly_all_that_the_limits_allow_is_leased(
    database: Database, requests: float | None, tokens: float | None
):
    found = await leases(database, random.Random(1), LaneName("a", "b", "c"), requests, tokens)
    span = found[-1][0] - found[0][0]
    assert span > 1
    if requests is not None:
        assert len(found) - 1 >= 0.9 * requests / 60 * span
    if tokens is not None:
        assert sum(size for _, size in found[:-1]) >= 0.9 * tokens / 60 * span


async def test_what_is_given_back_is_leased_again(database: Database):
    lane = LaneName("a", "b", "c")
    async with database.system.transaction() as tx:
        await store.open_lane(tx, lane)
        await tx.execute("UPDATE qd.pace_lanes SET requests_now = 60")
        first = await store.lease(tx, lane, [1.0] * 30, 10.0)
        again = await store.lease(tx, lane, [1.0] * 30, 10.0)
        assert first is not None
        assert again is not None
        assert len(first.starts) >= 10
        assert again.starts == ()
        third = await store.lease(tx, lane, [1.0] * 30, 10.0, back=(5.0, 5.0))
        assert third is not None
        assert len(third.starts) == 5
