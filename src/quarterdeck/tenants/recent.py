"""A short memory of what was looked up, so that a busy key costs the database one look every few seconds."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from quarterdeck.core.clock import Clock

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

LIFETIME = 5.0
"""Seconds for which another process may still honour what was revoked."""

CAPACITY = 10_000


@dataclass(slots=True)
class _Kept(Generic[V]):
    value: V | None
    until: float


class Recent(Generic[K, V]):
    """What was looked up a few seconds ago, absence included. Who asks during a look-up waits for that one."""

    def __init__(self, clock: Clock, look_up: Callable[[K], Awaitable[V | None]], lifetime: float = LIFETIME) -> None:
        self._clock = clock
        self._look_up = look_up
        self._lifetime = lifetime
        self._kept: dict[K, _Kept[V]] = {}
        self._under_way: dict[K, asyncio.Task[V | None]] = {}

    async def get(self, wanted: K) -> V | None:
        """The thing, as it was at most `lifetime` seconds ago."""
        kept = self._kept.get(wanted)
        if kept is not None and kept.until > self._clock.boot():
            return kept.value
        under_way = self._under_way.get(wanted)
        if under_way is None:
            under_way = self._under_way[wanted] = asyncio.create_task(self._fetch(wanted))
            under_way.add_done_callback(_mark_seen)
        # One asker who leaves must not take the answer from the others.
        return await asyncio.shield(under_way)

    def forget(self, wanted: K) -> None:
        """Look it up anew next time; a look-up under way does not count."""
        self._kept.pop(wanted, None)
        self._under_way.pop(wanted, None)

    def clear(self) -> None:
        """Look everything up anew."""
        self._kept.clear()
        self._under_way.clear()

    async def _fetch(self, wanted: K) -> V | None:
        mine = asyncio.current_task()
        try:
            value = await self._look_up(wanted)
            if self._under_way.get(wanted) is mine:
                self._make_room()
                self._kept[wanted] = _Kept(value, self._clock.boot() + self._lifetime)
            return value
        finally:
            if self._under_way.get(wanted) is mine:
                del self._under_way[wanted]

    def _make_room(self) -> None:
        # In order of insertion, which is about the order of age; a flood of guesses costs memory for seconds only.
        while len(self._kept) >= CAPACITY:
            del self._kept[next(iter(self._kept))]


def _mark_seen(task: "asyncio.Task[V | None]") -> None:
    """Every asker may have left by now; then a failed look-up is nobody's and no cause for alarm."""
    if not task.cancelled():
        task.exception()
