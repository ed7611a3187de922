"""Keeping what a process knows in step with the database: it looks at the start, after each wake, and by the clock.

For settings that are asked about far more often than they change. Whoever keeps them says with `known` whether they may
be believed: a process that could not look for a while must not go on with what may be stale.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

from quarterdeck.core import log as logs
from quarterdeck.core.errors import Unavailable
from quarterdeck.db.wakes import Heard, Wakes

PAUSE = 1.0
"""Seconds between two looks when nobody says that something changed."""
BELIEVED_FOR = 5.0
"""Seconds after the last successful look for which it is believed."""
_PATIENCE = 4.0

_log = logs.get(__name__)


class Follower:
    """Calls `look` again and again, never twice at once. `start` it once; `close` it at the end."""

    def __init__(
        self,
        name: str,
        look: Callable[[], Awaitable[None]],
        wakes: Wakes | None,
        channel: str = "",
        *,
        pause: float = PAUSE,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`name` is for the log. Without `wakes` it looks by the clock alone. `now` only goes forward."""
        self._name = name
        self._look = look
        self._wakes = wakes
        self._channel = channel
        self._pause = pause
        self._now = now
        self._looked_at = float("-inf")
        self._stir = asyncio.Event()
        self._turn = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._deaf: Callable[[], None] | None = None

    async def start(self, *, patient: bool) -> None:
        """Look once, then follow. A first look that fails is raised, unless `patient`: then the next one comes."""
        if self._wakes is not None:
            self._deaf = self._wakes.listen(self._channel, self._heard)
        if patient:
            await self._survive()
        else:
            await self.look()
        self._task = asyncio.create_task(self._follow(), name=self._name)

    async def close(self) -> None:
        """Follow no more. What was known stays believed for as long as it would have been."""
        if self._deaf is not None:
            self._deaf()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    @property
    def known(self) -> bool:
        """Whether the last successful look is recent enough to be believed."""
        return self._now() - self._looked_at <= BELIEVED_FOR

    async def look(self) -> None:
        """Look now: what was committed before is known afterwards. Raises what looking raises."""
        async with self._turn:
            self._stir.clear()
            began = self._now()
            await self._look()
            self._looked_at = began

    async def _follow(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause):
                    await self._stir.wait()
            if not await self._survive():
                await asyncio.sleep(self._pause / 4)

    async def _survive(self) -> bool:
        """One look; a failure is logged, and the next one comes. Silence counts as a failure."""
        try:
            async with asyncio.timeout(_PATIENCE):
                await self.look()
        except (Unavailable, TimeoutError) as fault:
            _log.warning(f"{self._name}.not_read", reason=str(fault) or type(fault).__name__, known=self.known)
            return False
        except Exception:
            _log.exception(f"{self._name}.not_read", known=self.known)
            return False
        return True

    def _heard(self, heard: Heard) -> None:
        del heard  # that something changed is all there is to know
        self._stir.set()
