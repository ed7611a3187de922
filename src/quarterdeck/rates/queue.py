"""Who waits in this process for a place: in the order of asking, and only the first of them asks the database."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Queue:
    """Those who wait for a place under one limit."""

    def __init__(self) -> None:
        self._first = asyncio.Lock()
        self._freed = asyncio.Event()
        self.waiting = 0

    @asynccontextmanager
    async def turn(self, end: float) -> AsyncGenerator[bool]:
        """Wait to be the first, until `end` on the loop's clock; whether that came about. Others wait behind."""
        self.waiting += 1
        try:
            async with asyncio.timeout_at(end):
                await self._first.acquire()
        except TimeoutError:
            self.waiting -= 1
            yield False
            return
        except BaseException:
            self.waiting -= 1
            raise
        try:
            yield True
        finally:
            self._first.release()
            self.waiting -= 1

    async def freed(self, most: float) -> None:
        """Wait until a place was given up in this process, or `most` seconds: other processes don't tell."""
        self._freed.clear()
        try:
            async with asyncio.timeout(most):
                await self._freed.wait()
        except TimeoutError:
            pass

    def ring(self) -> None:
        """A place was given up."""
        self._freed.set()
