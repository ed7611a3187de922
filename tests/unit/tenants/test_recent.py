"""What was looked up is believed for a few seconds and not a moment longer."""

import asyncio
from datetime import timedelta

import pytest

from quarterdeck.core.clock import FakeClock
from quarterdeck.tenants import recent
from quarterdeck.tenants.recent import Recent


class Source:
    def __init__(self) -> None:
        self.looks = 0
        self.value: str | None = "one"
        self.gate = asyncio.Event()
        self.gate.set()
        self.fault: Exception | None = None

    async def look_up(self, wanted: str) -> str | None:
        self.looks += 1
        value, fault = self.value, self.fault
        await self.gate.wait()
        if fault:
            raise fault
        return value


async def test_one_look_serves_all_who_ask_within_the_lifetime():
    source, clock = Source(), FakeClock()
    memory = Recent(clock, source.look_up)
    assert [await memory.get("k") for _ in range(5)] == ["one"] * 5
    source.value = None
    clock.advance(timedelta(seconds=recent.LIFETIME - 0.1))
    assert await memory.get("k") == "one"
    clock.advance(timedelta(seconds=0.1))
    assert await memory.get("k") is None
    assert await memory.get("k") is None
    assert source.looks == 2


async def test_who_asks_during_a_look_waits_for_that_one_and_may_leave_alone():
    source = Source()
    source.gate.clear()
    memory = Recent(FakeClock(), source.look_up)
    askers = [asyncio.create_task(memory.get("k")) for _ in range(10)]
    await asyncio.sleep(0)
    askers[0].cancel()
    await asyncio.sleep(0)
    source.gate.set()
    assert await asyncio.gather(*askers[1:]) == ["one"] * 9
    assert source.looks == 1


async def test_what_changed_during_a_look_is_not_kept_as_it_was():
    source = Source()
    source.gate.clear()
    memory = Recent(FakeClock(), source.look_up)
    early = asyncio.create_task(memory.get("k"))
    await asyncio.sleep(0.01)
    source.value = "two"
    memory.forget("k")
    late = asyncio.create_task(memory.get("k"))
    await asyncio.sleep(0)
    source.gate.set()
    assert (await early, await late) == ("one", "two")
    assert await memory.get("k") == "two"


async def test_a_failed_look_is_told_to_its_askers_and_not_kept():
    source = Source()
    source.fault = OSError("away")
    memory = Recent(FakeClock(), source.look_up)
    with pytest.raises(OSError, match="away"):
        await memory.get("k")
    source.fault = None
    assert await memory.get("k") == "one"


async def test_a_flood_of_guesses_is_held_in_bounds(monkeypatch):
    monkeypatch.setattr(recent, "CAPACITY", 10)
    source = Source()
    memory = Recent(FakeClock(), source.look_up)
    for number in range(100):
        await memory.get(str(number))
    assert source.looks == 100
    await memory.get("99")
    assert source.looks == 100
    await memory.get("0")
    assert source.looks == 101
