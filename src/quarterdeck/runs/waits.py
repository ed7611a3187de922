"""Holding an answer until a run has ended or parked: woken by the run's own log, and looking once a second besides."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Protocol
from uuid import UUID

from quarterdeck.core.ids import RunId, TenantId
from quarterdeck.db.wakes import RUNS, Heard, Listener
from quarterdeck.runs.records import ENDED, PARKED, Run
from quarterdeck.runs.service import Runs

POLL = 1.0
PAUSE = 0.025
"""Seconds between two looks at a run that writes quickly."""
LONGEST = 60.0


class Hears(Protocol):
    """Where wakes come from."""

    def listen(self, channel: str, listener: Listener) -> Callable[[], None]:
        """Call `listener` with what is heard on a channel; answers a function that ends it."""
        ...


class Waits:
    """Everybody in this process who waits for a run."""

    def __init__(self, runs: Runs, wakes: Hears, closing: asyncio.Event) -> None:
        self._runs = runs
        self._closing = closing
        self._waiting: dict[UUID, set[asyncio.Event]] = {}
        self._stop = wakes.listen(RUNS, self._heard)

    def close(self) -> None:
        """Stop listening. Who still waits goes on by the clock."""
        self._stop()

    async def until_settled(self, tenant: TenantId, run_id: RunId, seconds: float) -> Run:
        """The run as soon as it has ended or waits for a person. Raises NoSuchRun.

        As it then is when that takes longer than `seconds`, or this process is told to close. What is answered was
        read after it became so: an answer never says less than the log.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + min(seconds, LONGEST)
        stirred = asyncio.Event()
        self._waiting.setdefault(run_id, set()).add(stirred)
        try:
            while True:
                stirred.clear()
                run = await self._runs.get(tenant, run_id)
                left = until - loop.time()
                if settled(run) or left <= 0 or self._closing.is_set():
                    return run
                await self._stirred(stirred, min(POLL, left))
                await asyncio.sleep(min(PAUSE, max(0.0, until - loop.time())))
        finally:
            self._waiting[run_id].discard(stirred)
            if not self._waiting[run_id]:
                del self._waiting[run_id]

    async def _stirred(self, stirred: asyncio.Event, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await stirred.wait()

    def _heard(self, heard: Heard) -> None:
        if heard.reconnected:
            for waiting in self._waiting.values():
                for stirred in waiting:
                    stirred.set()
        for item in heard.items:
            match item:
                case [str(run), _] if self._waiting:
                    for stirred in self._waiting.get(UUID(run), ()):
                        stirred.set()
                case _:
                    pass


def settled(run: Run) -> bool:
    """Whether it is somebody else's turn: the run has ended, or waits for a person."""
    return run.status in ENDED or run.status in PARKED
