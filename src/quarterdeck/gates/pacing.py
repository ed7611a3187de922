"""How many calls a worker has under way with one provider: as many as it bears, found out by its own answers.

Additive increase, multiplicative decrease: each success widens the limit a little, each "too much" halves it and makes
everybody wait for as long as the provider said. So a storm of retries from one worker can't keep itself alive.

How often a provider may be asked is another matter, which all workers share (`quarterdeck.pacing`): where they do,
being asked too often is no reason to have fewer calls under way.
"""

import asyncio
from collections import deque
from types import TracebackType

from quarterdeck.models.records import Fault, ModelFault

_TOO_MUCH = frozenset({Fault.RATE_LIMITED, Fault.OVERLOADED})
_COOLING = 1.0
"""Seconds in which several refusals count as one: they answer calls that were sent together."""
LONGEST_PAUSE = 30.0


class Pace:
    """The pace of one provider connection in this process."""

    def __init__(self, most: int, *, shared: bool = False) -> None:
        """`shared`: how often it is asked is looked after elsewhere."""
        self._too_much = frozenset({Fault.OVERLOADED}) if shared else _TOO_MUCH
        self._most = float(most)
        self._limit = float(most)
        self._under_way = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._paused_until = 0.0
        self._narrowed_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None

    @property
    def limit(self) -> float:
        """Calls that may be under way now."""
        return self._limit

    @property
    def under_way(self) -> int:
        """Calls that are under way now."""
        return self._under_way

    @property
    def waiting(self) -> int:
        """Calls that wait for their turn."""
        return len(self._waiting)

    def allow(self, most: int) -> None:
        """Take over a changed setting."""
        if most != self._most:
            self._most = float(most)
            self._limit = min(self._limit, self._most)

    async def turn(self) -> "Turn":
        """Wait for a turn; `with await pace.turn():` around the call. First come, first served."""
        if self._waiting or not self._free():
            place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(place)
            self._admit()
            try:
                await place
            except BaseException:
                if place.done() and not place.cancelled():
                    self._under_way -= 1
                self._drop(place)
                raise
        else:
            self._under_way += 1
        return Turn(self)

    def done(self, fault: BaseException | None) -> None:
        """A call has ended, and how."""
        self._under_way -= 1
        now = asyncio.get_running_loop().time()
        if isinstance(fault, ModelFault) and fault.fault in self._too_much:
            if now - self._narrowed_at >= _COOLING:
                self._narrowed_at = now
                self._limit = max(1.0, min(self._limit, self._under_way + 1) / 2)
            pause = min(fault.retry_after or 0.0, LONGEST_PAUSE)
            self._paused_until = max(self._paused_until, now + pause)
        elif fault is None:
            self._limit = min(self._most, self._limit + 1 / self._limit)
        self._admit()

    def _free(self) -> bool:
        return self._under_way < self._limit and asyncio.get_running_loop().time() >= self._paused_until

    def _admit(self) -> None:
        while self._waiting and self._free():
            place = self._waiting.popleft()
            if not place.done():
                self._under_way += 1
                place.set_result(None)
        if self._waiting and self._timer is None:
            loop = asyncio.get_running_loop()
            if self._paused_until > loop.time():
                self._timer = loop.call_at(self._paused_until, self._resume)

    def _resume(self) -> None:
        self._timer = None
        self._admit()

    def _drop(self, place: asyncio.Future[None]) -> None:
        if place in self._waiting:
            self._waiting.remove(place)
        self._admit()


class Turn:
    """One call's turn; ends with its block, which tells the pace how it went."""

    __slots__ = ("_pace",)

    def __init__(self, pace: Pace) -> None:
        self._pace = pace

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pace.done(fault)
