"""Who waits in this process for leave to ask under one lane: first come, first served, those who were called first.

Leases are taken for all who wait in one exchange with the database, and for as many more as are expected within the
next second. What was leased and is not used goes back with the next exchange; what a dead process held has lapsed by
itself, since a start is a moment in time.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

from quarterdeck.core.errors import Unavailable
from quarterdeck.core.log import get
from quarterdeck.pacing.records import Asker, Leased

HORIZON = 1.0
"""Seconds for which starts are leased ahead."""
BETWEEN = 0.05
"""Seconds between two exchanges of one process at least: who comes meanwhile travels with the next."""
LATE = 0.5
"""Seconds after its start for which a spare lease is good."""
MOST_AT_ONCE = 200
_AGAIN = 0.5

Exchange: TypeAlias = Callable[[Sequence[float], tuple[float, float], int, Sequence[Asker]], Awaitable[Leased | None]]
"""Lease starts for calls with so many tokens: (tokens, given back, how many are waiting, who has had their turn).
None: there is no such lane any more. Raises Unavailable."""

_log = get(__name__)


@dataclass(slots=True, eq=False)
class _Place:
    """One who waits. The future is given the start, on the loop's clock."""

    tokens: float
    start: asyncio.Future[float]
    called: Asker | None


class Queue:
    """Those who wait for one lane."""

    def __init__(
        self, exchange: Exchange, held: Callable[[], float], now: Callable[[], float] = time.monotonic
    ) -> None:
        """`held` says for how many seconds more nobody may ask at all."""
        self._exchange = exchange
        self._held = held
        self._now = now
        self._bell = asyncio.Event()
        self._called: deque[_Place] = deque()
        self._new: deque[_Place] = deque()
        self._spare: deque[tuple[float, float]] = deque()
        self._back_requests = 0.0
        self._back_tokens = 0.0
        self._came: list[Asker] = []
        self._busy: asyncio.Task[None] | None = None
        self._speed = 0.0
        self._size = 0.0
        self._counted_at = 0.0
        self.crowded = False
        """Whether runs stand in line for this lane, as far as this process knows."""

    @property
    def waiting(self) -> int:
        """How many wait in this process."""
        return len(self._called) + len(self._new)

    async def start(self, tokens: float, patience: float, called: Asker | None = None) -> bool:
        """Wait until the call may begin, for at most `patience` seconds; whether it may.

        `called` is the run, where it stood in line and was called.
        """
        self._count(tokens)
        place = self._join(tokens, called)
        try:
            async with asyncio.timeout(patience):
                await self._begin(place)
                while self._held() > 0:  # the provider refused somebody since
                    self._give_back(tokens)
                    place = self._join(tokens, called, first=True)
                    await self._begin(place)
        except BaseException as fault:
            self._leave(place)
            if isinstance(fault, TimeoutError):
                return False
            raise
        if called is not None:
            self._came.append(called)
        return True

    def correct(self, tokens: float) -> None:
        """A call took so many tokens more than was thought when it was leased, or less."""
        self._back_tokens -= tokens
        self._work_on()

    def withdraw(self) -> None:
        """The provider wants to be left alone: what was leased ahead is given back."""
        while self._spare:
            _, tokens = self._spare.popleft()
            self._give_back(tokens)
        self._stir()

    async def close(self) -> None:
        """Give back what is left, if that goes quickly."""
        if self._busy is not None:
            self._busy.cancel()
            with suppress(asyncio.CancelledError):
                await self._busy
        while self._spare:
            self._give_back(self._spare.popleft()[1])
        if self._owes:
            with suppress(Unavailable, TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._trade()

    @property
    def _owes(self) -> bool:
        return bool(self._back_requests or self._back_tokens or self._came)

    def _join(self, tokens: float, called: Asker | None, *, first: bool = False) -> _Place:
        place = _Place(tokens, asyncio.get_running_loop().create_future(), called)
        line = self._new if called is None else self._called
        if first:
            line.appendleft(place)
        else:
            line.append(place)
        self._serve_spare()
        if not place.start.done():
            self._stir()
        return place

    async def _begin(self, place: _Place) -> None:
        at = await place.start
        await asyncio.sleep(max(0.0, at - self._now()))

    def _leave(self, place: _Place) -> None:
        """Who gives up, or is cancelled, leaves the lease that it may have got to the next."""
        if place.start.done() and not place.start.cancelled():
            self._spare.appendleft((place.start.result(), place.tokens))
            self._serve_spare()
            return
        place.start.cancel()
        for line in (self._called, self._new):
            with suppress(ValueError):
                line.remove(place)

    def _give_back(self, tokens: float) -> None:
        self._back_requests += 1
        self._back_tokens += tokens

    def _stir(self) -> None:
        self._bell.set()
        self._work_on()

    def _work_on(self) -> None:
        if self._busy is None or self._busy.done():
            self._busy = asyncio.create_task(self._work(), name="pacing.lease")

    async def _work(self) -> None:
        """Exchange until nobody waits and nothing is owed."""
        while self.waiting or self._spare or self._owes:
            self._bell.clear()
            if self.waiting:
                await asyncio.sleep(await self._trade_or_not() * random.uniform(0.8, 1.2))
            elif self._spare:
                await self._rest(self._spare[-1][0] + LATE - self._now())
            elif not await self._rest(_AGAIN):  # what is owed can wait for company
                await self._trade_or_not()
            self._serve_spare()

    async def _rest(self, seconds: float) -> bool:
        """Wait, but not after somebody came; whether somebody did."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(BETWEEN, seconds)):
                await self._bell.wait()
                return True
        return False

    async def _trade_or_not(self) -> float:
        try:
            return await self._trade()
        except Unavailable as fault:
            _log.warning("pacing.not_leased", error=fault.code)
        except Exception:
            _log.exception("pacing.lease_failed")  # those who wait run out of patience, and say so
        return _AGAIN

    async def _trade(self) -> float:
        """One exchange; how long to wait until the next is worth while."""
        waiting = [*self._called, *self._new][:MOST_AT_ONCE]
        wanted = [place.tokens for place in waiting]
        if not self.crowded:
            expected = min(MOST_AT_ONCE, int(self._recent() * HORIZON) - len(self._spare))
            wanted += [self._size] * max(0, expected)
        back, came = (self._back_requests, self._back_tokens), self._came
        self._back_requests, self._back_tokens, self._came = 0.0, 0.0, []
        began = self._now()
        try:
            leased = await self._exchange(wanted, back, len(waiting), came)
        except BaseException:
            self._back_requests += back[0]
            self._back_tokens += back[1]
            self._came += came
            raise
        if leased is None:
            self._let_all_go()
            return BETWEEN
        self.crowded = leased.crowded
        for tokens, after in zip(wanted, leased.starts, strict=False):
            self._spare.append((began + after, tokens))
        self._serve_spare(fresh=True)
        if not self.waiting:
            return BETWEEN
        return min(_AGAIN, max(BETWEEN, leased.more_in - HORIZON))

    def _let_all_go(self) -> None:
        now = self._now()
        for place in [*self._called, *self._new]:
            if not place.start.done():
                place.start.set_result(now)
        self._called.clear()
        self._new.clear()

    def _serve_spare(self, *, fresh: bool = False) -> None:
        """Give the leases at hand to who waits; those whose time is over go back."""
        now = self._now()
        while self._spare and self._spare[0][0] + LATE < now and not fresh:
            self._give_back(self._spare.popleft()[1])
        while self._spare and self.waiting:
            place = self._called.popleft() if self._called else self._new.popleft()
            if place.start.done():
                continue
            at, tokens = self._spare.popleft()
            # A start that is a little late is good all the same; tokens are put right with the next exchange.
            self._back_tokens += tokens - place.tokens
            place.start.set_result(at)

    def _count(self, tokens: float) -> None:
        self._speed = self._recent() + 1.0
        self._counted_at = self._now()
        self._size = tokens if not self._size else self._size * 0.8 + tokens * 0.2

    def _recent(self) -> float:
        """Calls within the last second or so."""
        return self._speed * max(0.0, 1.0 - (self._now() - self._counted_at)) if self._counted_at else 0.0
