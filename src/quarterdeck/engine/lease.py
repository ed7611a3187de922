"""A worker's lease, renewed from a thread of its own so that a busy event loop does not look like a dead worker."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from datetime import timedelta

from quarterdeck.core import log
from quarterdeck.core.clock import Clock
from quarterdeck.core.ids import WorkerId
from quarterdeck.db import driver
from quarterdeck.db.driver import Connection
from quarterdeck.engine import store

_log = log.get(__name__)

STUCK_AFTER = 60.0
"""Seconds without a sign of life from the event loop after which the thread lets the lease run out."""


class LeaseThread:
    """Renews a lease every third of its time until stopped; tells once, on the loop, when it was lost."""

    def __init__(
        self, url: str, worker: WorkerId, epoch: int, lease: timedelta, clock: Clock, lost: Callable[[], None]
    ) -> None:
        self._url = url
        self._worker = worker
        self._epoch = epoch
        self._lease = lease
        self._clock = clock
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._stop = threading.Event()
        self._good_until = clock.boot() + lease.total_seconds()
        self._alive_at = clock.boot()
        self.draining = False
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)
        self._thread.start()

    def good(self) -> bool:
        """Whether this worker may still act, by its own boot-time clock: False as soon as others may take over."""
        return self._clock.boot() < self._good_until

    async def stop(self) -> None:
        """End the thread; the lease itself is given up by the caller."""
        self._stop.set()
        await asyncio.to_thread(self._thread.join, 5.0)

    def _run(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed under us: the process ends
            asyncio.run(self._renew_until_stopped())

    async def _renew_until_stopped(self) -> None:
        period = self._lease.total_seconds() / 3
        connection: Connection | None = None
        while not self._stop.is_set():
            self._ask_for_sign_of_life()
            asked_at = self._clock.boot()
            try:
                if connection is None or connection.is_closed():
                    connection = await driver.connect(self._url, timeout=period)
                renewed = await asyncio.wait_for(self._renew(connection), timeout=period * 1.5)
            except Exception as error:
                # A database that is away for a moment is not yet a lost lease: try again until the time is up.
                _log.warning("lease.renewal_failed", worker=str(self._worker), error=repr(error))
                if connection is not None:
                    connection.terminate()
                connection, renewed = None, None
            if renewed:
                self._good_until = asked_at + self._lease.total_seconds()
            elif renewed is False or not self.good():
                _log.error("lease.lost", worker=str(self._worker), epoch=self._epoch)
                self._good_until = 0.0
                self._loop.call_soon_threadsafe(self._lost)
                return
            await asyncio.to_thread(self._stop.wait, period if renewed else min(0.5, period))
        if connection is not None:
            await connection.close(timeout=2.0)

    async def _renew(self, connection: Connection) -> bool | None:
        if self._clock.boot() - self._alive_at > STUCK_AFTER:
            _log.error("lease.loop_stuck", worker=str(self._worker))
            return False
        return await store.renew(connection, self._worker, self._epoch, self._lease, draining=self.draining)

    def _ask_for_sign_of_life(self) -> None:
        self._loop.call_soon_threadsafe(self._note_life)

    def _note_life(self) -> None:
        self._alive_at = self._clock.boot()
