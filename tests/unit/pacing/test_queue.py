"""Who waits in a process for leases: in order, called ones first, and nothing that was leased is lost."""

import asyncio
from collections.abc import Sequence

import pytest

from quarterdeck.core.errors import Unavailable
from quarterdeck.core.ids import RunId, TenantId, uuid7
from quarterdeck.pacing.queue import Queue
from quarterdeck.pacing.records import Asker, Leased


class Lender:
    """Lends as many starts as it was told to, and remembers what came back."""

    def __init__(self, *lends: int) -> None:
        self.lends = list(lends)
        self.held = 0.0
        self.crowded = False
        self.away = False
        self.back = (0.0, 0.0)
        self.came: list[Asker] = []
        self.exchanges = 0

    async def exchange(
        self, tokens: Sequence[float], back: tuple[float, float], waiting: int, came: Sequence[Asker]
    ) -> Leased | None:
        self.exchanges += 1
        if self.away:
            raise Unavailable
        self.back = (self.back[0] + back[0], self.back[1] + back[1])
        self.came += came
        count = min(len(tokens), self.lends.pop(0) if self.lends else 0)
        return Leased((0.0,) * count, 1.05, self.crowded)

    def queue(self) -> Queue:
        return Queue(self.exchange, lambda: self.held)


def asker() -> Asker:
    return Asker(TenantId(uuid7()), RunId(uuid7()))


async def test_who_came_first_goes_first_and_who_was_called_before_all():
    lender, order = Lender(0, 1, 1, 1), list[str]()
    queue = lender.queue()

    async def go(name: str, called: Asker | None = None) -> None:
        assert await queue.start(10.0, 5.0, called)
        order.append(name)

    one = asker()
    tasks = [asyncio.create_task(go("first")), asyncio.create_task(go("second"))]
    await asyncio.sleep(0.01)
    tasks.append(asyncio.create_task(go("called", one)))
    await asyncio.gather(*tasks)
    await queue.close()
    assert order == ["called", "first", "second"]
    assert lender.came == [one]


async def test_who_waits_in_vain_is_told_so_in_time():
    queue = Lender().queue()
    assert not await queue.start(10.0, 0.1)
    assert queue.waiting == 0
    await queue.close()


async def test_a_lease_of_one_who_was_cancelled_goes_to_the_next():
    lender = Lender(1)
    queue = lender.queue()
    first = asyncio.create_task(queue.start(10.0, 5.0))
    await asyncio.sleep(0)
    second = asyncio.create_task(queue.start(10.0, 5.0))
    await asyncio.sleep(0)
    first.cancel()
    assert await second
    with pytest.raises(asyncio.CancelledError):
        await first
    await queue.close()


async def test_many_who_come_together_travel_in_one_exchange():
    lender = Lender(50)
    queue = lender.queue()
    assert all(await asyncio.gather(*(queue.start(10.0, 1.0) for _ in range(50))))
    assert lender.exchanges == 1
    await queue.close()


async def test_leases_that_nobody_uses_are_given_back():
    lender = Lender(3, 100)
    queue = lender.queue()
    await asyncio.gather(*(queue.start(10.0, 1.0) for _ in range(3)))
    await asyncio.sleep(0.1)
    assert await queue.start(10.0, 1.0)  # and some more, that are expected, are leased with it
    await queue.close()
    assert lender.back[0] in {2.0, 3.0}
    assert lender.back[1] == pytest.approx(10.0 * lender.back[0])


async def test_nobody_begins_while_the_provider_wants_to_be_left_alone():
    lender = Lender(1, 0, 1)
    queue = lender.queue()
    lender.held = 10.0
    waiting = asyncio.create_task(queue.start(10.0, 2.0))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    lender.held = 0.0
    assert await waiting
    assert lender.back[0] >= 1.0
    await queue.close()


async def test_what_a_call_took_more_than_was_thought_is_owed():
    lender = Lender(1)
    queue = lender.queue()
    assert await queue.start(10.0, 1.0)
    queue.correct(90.0)
    await queue.close()
    assert lender.back == (0.0, -90.0)


async def test_a_database_that_is_away_for_a_moment_is_waited_for():
    lender = Lender(1)
    queue = lender.queue()
    lender.away = True
    waiting = asyncio.create_task(queue.start(10.0, 3.0))
    await asyncio.sleep(0.1)
    lender.away = False
    assert await waiting
    await queue.close()
