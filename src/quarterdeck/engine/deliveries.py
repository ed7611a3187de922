"""Taking deliveries: PgQueuer's loop, held back while the worker is full and built anew whenever it ends."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from datetime import timedelta

from pgqueuer.core.executors import EntrypointExecutor, EntrypointExecutorParameters
from pgqueuer.core.qm import QueueManager
from pgqueuer.domain.models import Job
from pgqueuer.domain.types import Channel
from pgqueuer.ports.repository import EntrypointExecutionParameter

from quarterdeck.core import log
from quarterdeck.core.ids import RunId, TenantId
from quarterdeck.db.connections import Pool
from quarterdeck.engine.driver import CHANNEL, PoolDriver, queries
from quarterdeck.engine.records import entrypoint, parse

_log = log.get(__name__)

Take = Callable[[TenantId, RunId], Awaitable[None]]
BATCH = 10
POLL = timedelta(seconds=1)
HEARTBEAT = timedelta(seconds=30)


class Capacity:
    """How many more runs this worker can hold: a place is taken with a delivery, and given back when its run leaves."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._some = asyncio.Event()
        self._some.set()

    @property
    def free(self) -> int:
        """Places left."""
        return self._free

    def take(self) -> None:
        """One place less."""
        self._free -= 1
        if self._free <= 0:
            self._some.clear()

    def give_back(self) -> None:
        """One place more."""
        self._free += 1
        if self._free > 0:
            self._some.set()

    async def some(self) -> None:
        """Return once there is a place."""
        await self._some.wait()


class Deliveries:
    """Calls `take` for each delivery, at most as many at a time as there are free places.

    `take` claims the run and returns; the place stays taken until somebody calls `capacity.give_back()`, which `take`
    does itself when it could not claim. A supervisor builds PgQueuer's loop anew when the database was away.
    """

    def __init__(self, pool: Pool, behaviours: Sequence[int], capacity: Capacity, take: Take) -> None:
        self._pool = pool
        self._behaviours = behaviours
        self._capacity = capacity
        self._take = take
        self._driver: PoolDriver | None = None
        self._manager: _HeldBack | None = None
        self._stopping = asyncio.Event()

    def ring(self) -> None:
        """There may be something to take: look now."""
        if self._driver is not None:
            self._driver.ring()

    def stop(self) -> None:
        """Take nothing more; `run` returns soon."""
        self._stopping.set()
        if self._manager is not None:
            self._manager.shutdown.set()

    async def run(self) -> None:
        """Take deliveries until `stop`."""
        pause = 0.1
        while not self._stopping.is_set():
            self._driver = PoolDriver(self._pool)
            self._manager = manager = self._build(self._driver)
            if self._stopping.is_set():
                return
            began = asyncio.get_running_loop().time()
            try:
                await manager.run(dequeue_timeout=POLL, batch_size=BATCH, heartbeat_timeout=HEARTBEAT)
            except Exception as error:
                _log.warning("engine.restarted", error=repr(error))
            pause = 0.1 if asyncio.get_running_loop().time() - began > 5 else min(2.0, pause * 2)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)

    def _build(self, driver: PoolDriver) -> "_HeldBack":
        manager = _HeldBack(driver, capacity=self._capacity)
        for behaviour in self._behaviours:
            parameters = EntrypointExecutorParameters(concurrency_limit=0, func=self._deliver)
            manager.register_executor(entrypoint(behaviour), EntrypointExecutor(parameters))
        return manager

    async def _deliver(self, job: Job) -> None:
        assert job.payload is not None
        tenant, run = parse(job.payload)
        await self._take(tenant, run)


class _HeldBack(QueueManager):
    """PgQueuer's loop, which asks for no more jobs than there are places."""

    def __init__(self, driver: PoolDriver, *, capacity: Capacity) -> None:
        super().__init__(queries(driver), Channel(CHANNEL))
        self._driver = driver
        self._capacity = capacity

    async def _effective_dequeue_timeout(self, dequeue_timeout: timedelta) -> timedelta:
        """How long to wait before the next look. Ours are never deferred, so the table needn't be asked each time.

        A ring that came since the last look counts, also one that PgQueuer has drained while it dispatched.
        """
        return timedelta(0) if self._driver.rung else dequeue_timeout

    async def fetch_jobs(
        self, batch_size: int, global_concurrency_limit: int | None, heartbeat_timeout: timedelta
    ) -> AsyncGenerator[Job, None]:
        """Jobs, each with a place taken for it. Stops asking once fewer came than were asked for."""
        del global_concurrency_limit  # places are counted here, not in the engine's table
        entrypoints = {name: EntrypointExecutionParameter(concurrency_limit=0) for name in self.entrypoint_registry}
        while not self.shutdown.is_set():
            await self._room()
            wanted = min(batch_size, self._capacity.free)
            if self.shutdown.is_set() or wanted <= 0:
                return
            self._driver.rung = False
            jobs = await self.queries.dequeue(
                batch_size=wanted,
                entrypoints=entrypoints,
                queue_manager_id=self.queue_manager_id,
                global_concurrency_limit=None,
                heartbeat_timeout=heartbeat_timeout,
            )
            for job in jobs:
                self._capacity.take()
                yield job
            if len(jobs) < wanted:
                return

    async def _room(self) -> None:
        """Wait for a free place, or for the end."""
        if self._capacity.free > 0:
            return
        waits = [asyncio.ensure_future(self._capacity.some()), asyncio.ensure_future(self.shutdown.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
