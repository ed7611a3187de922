"""Asked before each tool call: may one more be made now, and may one more be under way?

Both are answered from PostgreSQL, so all workers count together. A call under no limit costs nothing.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import TypeAlias, TypeVar

from quarterdeck.core.ids import TenantId, uuid7
from quarterdeck.db.pool import Database, retrying
from quarterdeck.db.records import Tx
from quarterdeck.rates import rules, store_counts
from quarterdeck.rates.book import Book
from quarterdeck.rates.queue import Queue
from quarterdeck.rates.records import (
    Declared,
    Later,
    Place,
    PlaceOrLater,
    PlaceWant,
    RateWant,
    Subject,
    Taken,
    TakenOrLater,
)
from quarterdeck.rates.store_counts import Counted, Seated

PATIENCE = 2.0
"""Seconds that a call waits in place, for its turn or for a place; one that would wait longer is sent away."""
LONG_PATIENCE = 10.0
"""The same for a call that was sent away before: it may book further ahead, so those who come new can't starve it."""
AT_ONCE = 4
"""Connections that one process uses for counting: a limit that everybody wants must not take them all."""
_LOOK_AGAIN = 0.25
_AWAY = 5.0
_LONGEST_AWAY = 60.0

T = TypeVar("T")
_Open: TypeAlias = Callable[[Tx, TenantId, Sequence[str]], Awaitable[None]]


class Rates:
    """Limits on tool calls, one of these per process. `await start()` before use and `await close()` after."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._book = Book(database)
        self._counting = asyncio.Semaphore(AT_ONCE)
        self._queues: dict[tuple[TenantId, str], Queue] = {}

    async def start(self) -> None:
        """Read the tenants' limits and follow their changes. Raises Unavailable."""
        await self._book.start()

    async def close(self) -> None:
        """Stop following."""
        await self._book.close()

    def wants(self, tenant: TenantId, subject: Subject, declared: Sequence[Declared]) -> tuple[RateWant, ...]:
        """What a call counts against: the rates that its release declares of the tool, and the tenant's limits."""
        return rules.rate_wants(subject, declared, self._book.limits(tenant))

    def places(self, tenant: TenantId, subject: Subject, concurrency: int) -> tuple[PlaceWant, ...]:
        """Where a call needs a place: by its release's `concurrency` of the tool (0 = any), and the tenant's limits."""
        return rules.place_wants(subject, concurrency, self._book.limits(tenant))

    async def take(self, tenant: TenantId, wants: Sequence[RateWant], *, waited: float = 0.0) -> TakenOrLater:
        """Count one call under all of these limits or under none, by the database's clock.

        `Taken.after` > 0: its turn is booked and comes in that time, at most PATIENCE seconds; wait and go, without
        asking again. `Later`: nothing was counted; come back then, with the seconds that were `waited` by then. In any
        span of time no more calls are let through than a limit says. Raises Unavailable: then make no call.
        """
        if not wants:
            return Taken()
        keys = [want.key for want in wants]
        patience = LONG_PATIENCE if waited > 0 else PATIENCE

        async def work() -> Counted:
            async with self._database.tenant(tenant) as tx:
                return await store_counts.take(tx, tenant, wants, patience)

        counted = await self._count(work)
        if counted.found < len(keys):
            await self._open(tenant, store_counts.open_windows, keys)
            counted = await self._count(work)
        if counted.taken:
            return Taken(counted.wait)
        # Those who are sent away together must not come back together.
        seconds = counted.wait * random.uniform(1.0, 1.1)
        return Later(seconds, _words(wants, counted.slowest), counted.slowest)

    async def enter(
        self, tenant: TenantId, wants: Sequence[PlaceWant], seconds: float, *, waited: float = 0.0
    ) -> PlaceOrLater:
        """Take a place under all of these limits or under none for at most `seconds`; `leave` it when the call is over.

        Waits up to PATIENCE seconds for one, in the order of asking. `Later`: come back then, with the seconds that
        were `waited` by then. A worker that dies leaves its places when their time is over. Raises Unavailable: then
        make no call.
        """
        place = Place(tenant, uuid7(), tuple(want.key for want in wants))
        if not wants:
            return place
        end = asyncio.get_running_loop().time() + (LONG_PATIENCE if waited > 0 else PATIENCE)
        full = next((key for key in place.keys if (tenant, key) in self._queues), "")
        if not full:
            full = await self._seat(place, wants, seconds)
        while full:
            turn = await self._wait_for(place, wants, seconds, full, end)
            if turn is None:
                away = min(_LONGEST_AWAY, max(_AWAY, waited)) * random.uniform(0.8, 1.2)
                return Later(away, _words(wants, full), full)
            full = turn
        return place

    async def leave(self, place: Place) -> None:
        """Give a place up. Repeating it does no harm. Raises Unavailable: then the place frees itself in its time."""
        if not place.keys:
            return

        async def work() -> None:
            async with self._database.tenant(place.tenant) as tx:
                await store_counts.leave(tx, place.tenant, place.keys, place.id)

        await self._count(work)
        for key in place.keys:
            if queue := self._queues.get((place.tenant, key)):
                queue.ring()

    async def _wait_for(
        self, place: Place, wants: Sequence[PlaceWant], seconds: float, full: str, end: float
    ) -> str | None:
        """Wait behind the limit that is full: empty once seated, another limit that is full, None when time is up."""
        queue = self._queues.setdefault((place.tenant, full), Queue())
        try:
            async with queue.turn(end) as first:
                while first:
                    left = end - asyncio.get_running_loop().time()
                    blocking = await self._seat(place, wants, seconds)
                    if blocking != full:
                        return blocking
                    if left <= 0:
                        return None
                    await queue.freed(min(left, _LOOK_AGAIN * random.uniform(0.8, 1.2)))
            return None
        finally:
            if not queue.waiting:
                self._queues.pop((place.tenant, full), None)

    async def _seat(self, place: Place, wants: Sequence[PlaceWant], seconds: float) -> str:
        """Try to take the place: empty when that was done, else the key of a limit that is full."""

        async def work() -> Seated:
            async with self._database.tenant(place.tenant) as tx:
                return await store_counts.enter(tx, place, wants, timedelta(seconds=seconds))

        seated = await self._count(work)
        if seated.found < len(wants):
            await self._open(place.tenant, store_counts.open_places, place.keys)
            seated = await self._count(work)
        return "" if seated.entered else seated.slowest or place.keys[0]

    async def _count(self, work: Callable[[], Awaitable[T]]) -> T:
        async with self._counting:
            return await retrying(work)

    async def _open(self, tenant: TenantId, make: _Open, keys: Sequence[str]) -> None:
        """Make missing rows: committed before they are locked, so that nobody waits for them in a circle."""

        async def work() -> None:
            async with self._database.tenant(tenant) as tx:
                await make(tx, tenant, keys)

        await self._count(work)


def _words(wants: Sequence[RateWant] | Sequence[PlaceWant], key: str) -> str:
    words = next((want.words for want in wants if want.key == key), wants[0].words)
    return f"{words[:1].upper()}{words[1:]}."
