"""What every worker does for the pace, by turns: let limits grow back, and call the runs whose turn it is."""

from collections.abc import Iterable

from quarterdeck.db.records import Tx
from quarterdeck.pacing import rules, store, store_turns
from quarterdeck.pacing.records import Asker, Lane
from quarterdeck.pacing.service import REACH

PAUSE = 0.5
"""Seconds between two rounds."""


async def call_up(tx: Tx) -> list[Asker]:
    """One round, in qd_system's transaction: the runs that may ask now. Nothing where another worker is at it."""
    if not await store_turns.may_call(tx):
        return []
    lanes, now = await store.every(tx)
    await _grow(tx, lanes, now)
    await store_turns.forget(tx)
    called: list[Asker] = []
    for lane, crowded in lanes.items():
        if crowded:
            room = rules.room(lane, REACH, now)
            if room[0] > 0:
                called += await store_turns.call(tx, lane.name, room)
    return called


async def _grow(tx: Tx, lanes: Iterable[Lane], now: float) -> None:
    """Let rates grow that may; those that are at their limit cost nothing."""
    for lane in lanes:
        if rules.grow(lane, now) == lane or now - lane.grown_at < 1.0:
            continue
        found = await store.lock(tx, lane.name)
        if found is not None:
            await store.write(tx, rules.grow(*found))
