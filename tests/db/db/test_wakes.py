"""Wakes on a real server: what is heard, how much travels together, and what a lost connection does."""

import asyncio
import contextlib

import asyncpg
import pytest

from quarterdeck.core.ids import uuid7
from quarterdeck.db.urls import urls_of
from quarterdeck.db.wakes import ADMIT, CONTROL, DELTAS, LARGEST_PAYLOAD, RUNS, Heard, Wakes
from tests.marks import on_every_postgres


class Ear:
    """A listener that keeps what it heard."""

    def __init__(self) -> None:
        self.items: list[object] = []
        self.reconnects = 0
        self._more = asyncio.Event()

    def __call__(self, heard: Heard) -> None:
        self.items.extend(heard.items)
        self.reconnects += heard.reconnected
        self._more.set()

    async def until(self, condition) -> None:
        async with asyncio.timeout(10):
            while not condition(self):
                self._more.clear()
                await self._more.wait()


@pytest.fixture
async def wakes(settings):
    """Two processes: one that speaks, one that listens."""
    speaker, listener = Wakes(urls_of(settings).listen), Wakes(urls_of(settings).listen)
    await asyncio.gather(speaker.start(), listener.start())
    yield speaker, listener
    await asyncio.gather(speaker.close(), listener.close())


async def hear(wakes: Wakes, channel: str) -> Ear:
    """An ear that is certainly listening by now."""
    ear = Ear()
    wakes.listen(channel, ear)
    await ear.until(lambda it: it.reconnects == 1)
    return ear


@contextlib.asynccontextmanager
async def notifications(owner_url: str, channel: str):
    """The raw payloads on a channel."""
    heard: list[str] = []
    connection = await asyncpg.connect(owner_url)
    await connection.add_listener(channel, lambda *arguments: heard.append(arguments[-1]))
    yield heard
    await connection.close()


@on_every_postgres
async def test_a_wake_is_heard_by_another_process(wakes):
    speaker, listener = wakes
    ear = await hear(listener, CONTROL)
    speaker.send(CONTROL, {"run": "x", "cancel": True})
    await ear.until(lambda it: it.items)
    assert ear.items == [{"run": "x", "cancel": True}]


async def test_a_process_hears_itself_and_channels_are_kept_apart(wakes):
    speaker, _ = wakes
    admit, control = await hear(speaker, ADMIT), await hear(speaker, CONTROL)
    speaker.send(ADMIT, 1)
    speaker.send(CONTROL, 2)
    await control.until(lambda it: it.items)
    await admit.until(lambda it: it.items)
    assert (admit.items, control.items) == ([1], [2])


async def test_a_wake_after_a_silence_leaves_at_once(wakes):
    speaker, listener = wakes
    ear = await hear(listener, RUNS)
    loop = asyncio.get_running_loop()
    quickest = 1.0
    for number in range(1, 11):
        await asyncio.sleep(0.02)
        began = loop.time()
        speaker.send(RUNS, number)
        await ear.until(lambda it, number=number: len(it.items) == number)
        quickest = min(quickest, loop.time() - began)
    assert quickest < 0.008


async def test_a_burst_travels_together_in_order_and_complete(wakes, owner_url):
    speaker, listener = wakes
    ear = await hear(listener, DELTAS)
    async with notifications(owner_url, DELTAS) as raw:
        for number in range(2000):
            speaker.send(DELTAS, number)
            if number % 100 == 0:
                await asyncio.sleep(0)
        await ear.until(lambda it: len(it.items) == 2000)
        await asyncio.sleep(0.05)
    assert ear.items == list(range(2000))
    assert len(raw) < 20
    assert max(len(payload.encode()) for payload in raw) <= LARGEST_PAYLOAD


async def test_of_a_runs_wakes_that_travel_together_the_last_one_counts(wakes):
    speaker, listener = wakes
    ear = await hear(listener, RUNS)
    run, other = uuid7(), uuid7()
    for seq in range(1, 101):
        speaker.wake_run(run, seq)
    speaker.wake_run(other, 7)
    await ear.until(lambda it: [other.hex, 7] in it.items)
    assert [run.hex, 100] in ear.items
    assert len(ear.items) <= 3


async def test_what_can_not_be_sent_is_dropped_and_hurts_nobody(wakes):
    speaker, listener = wakes
    ear = await hear(listener, DELTAS)
    speaker.send(DELTAS, "x" * LARGEST_PAYLOAD)
    speaker.send(DELTAS, object())
    speaker.send(DELTAS, "\ud800")
    speaker.send(DELTAS, "after")
    await ear.until(lambda it: it.items)
    assert ear.items == ["after"]


async def test_a_listener_that_fails_does_not_keep_others_from_hearing(wakes):
    speaker, listener = wakes

    def deaf(heard: Heard) -> None:
        raise RuntimeError("a listener's own fault")

    listener.listen(RUNS, deaf)
    ear = await hear(listener, RUNS)
    speaker.send(RUNS, 1)
    await ear.until(lambda it: it.items)


async def test_a_second_listener_may_join_and_one_that_stopped_hears_no_more(wakes):
    speaker, listener = wakes
    first = await hear(listener, RUNS)
    second = Ear()
    stop = listener.listen(RUNS, second)
    speaker.send(RUNS, 1)
    await second.until(lambda it: it.items == [1])
    stop()
    speaker.send(RUNS, 2)
    await first.until(lambda it: it.items == [1, 2])
    assert second.items == [1]


async def test_a_channel_that_nobody_listens_to_any_more_is_left(wakes, owner_url):
    speaker, listener = wakes
    ear = Ear()
    stop = listener.listen(DELTAS, ear)
    await ear.until(lambda it: it.reconnects == 1)
    stop()
    again = Ear()
    async with asyncio.timeout(5):
        while listener._listening:  # nobody is told of it
            await asyncio.sleep(0.01)
    listener.listen(DELTAS, again)
    await again.until(lambda it: it.reconnects == 1)
    speaker.send(DELTAS, 1)
    await again.until(lambda it: it.items == [1])


async def test_after_a_lost_connection_listeners_are_told_and_hear_again(wakes, owner_url):
    speaker, listener = wakes
    ear = await hear(listener, RUNS)
    owner = await asyncpg.connect(owner_url)
    for round_number in (2, 3):
        await owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'quarterdeck wakes' AND datname = current_database()"
        )
        speaker.send(RUNS, "perhaps lost")
        await ear.until(lambda it, wanted=round_number: it.reconnects == wanted)
        # Until the speaker has noticed too, a wake may be lost: it is repeated as a poll would repeat it.
        async with asyncio.timeout(10):
            while round_number not in ear.items:
                speaker.send(RUNS, round_number)
                await asyncio.sleep(0.05)
    await owner.close()


async def test_without_a_server_nothing_raises_and_nothing_waits():
    wakes = Wakes("postgresql://qd_app:x@127.0.0.1:1/qd")
    ear = Ear()
    wakes.listen(RUNS, ear)
    async with asyncio.timeout(3):
        await wakes.start(patience=0.1)
        for number in range(30_000):
            wakes.send(RUNS, number)
        await wakes.close()
    assert len(wakes._waiting) <= 20_000
    assert ear.items == []


async def test_what_waits_at_closing_is_still_sent(settings, wakes):
    _, listener = wakes
    ear = await hear(listener, RUNS)
    leaving = Wakes(urls_of(settings).listen)
    await leaving.start()
    leaving.send(RUNS, "first")
    leaving.send(RUNS, "last words")
    await leaving.close()
    await ear.until(lambda it: "last words" in it.items)
