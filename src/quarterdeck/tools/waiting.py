"""Waiting for an answer, a time-out or a person's cancellation, whichever comes first: one timer and one future."""

import asyncio
from typing import TypeVar

T = TypeVar("T")


class Waiting:
    """One wait. Neither the answer nor the cancel event is changed by it."""

    __slots__ = ("_answer", "_over", "_stop", "_timer")

    def __init__(self, answer: "asyncio.Future[T]", timeout: float, cancel: asyncio.Event | None) -> None:
        loop = asyncio.get_running_loop()
        self._over: asyncio.Future[str] = loop.create_future()
        self._answer = answer
        answer.add_done_callback(self._answered)
        self._timer = loop.call_later(timeout, self._end, "timeout")
        self._stop = loop.create_task(cancel.wait()) if cancel is not None else None
        if self._stop is not None:
            self._stop.add_done_callback(self._stopped)

    async def over(self) -> str:
        """Wait. Empty = the answer is there; else why it was given up: `timeout` or `cancelled`."""
        try:
            return await self._over
        finally:
            self._timer.cancel()
            self._answer.remove_done_callback(self._answered)
            if self._stop is not None:
                self._stop.cancel()

    def _answered(self, _: "asyncio.Future[T]") -> None:
        self._end("")

    def _stopped(self, stop: "asyncio.Task[object]") -> None:
        if not stop.cancelled():
            self._end("cancelled")

    def _end(self, how: str) -> None:
        if not self._over.done():
            self._over.set_result(how)
