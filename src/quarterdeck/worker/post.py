"""One worker identity: registered, leased, executing until it is told to stop or its lease is lost."""

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine
from datetime import timedelta
from uuid import UUID

import quarterdeck
from quarterdeck.core import log as logs
from quarterdeck.core.errors import Error
from quarterdeck.core.ids import RunId, new_worker_id
from quarterdeck.core.settings import Settings
from quarterdeck.db.records import Urls
from quarterdeck.db.wakes import ADMIT, CONTROL, DELIVER, Heard, Wakes
from quarterdeck.engine import store as engine
from quarterdeck.engine.deliveries import Capacity, Deliveries
from quarterdeck.engine.lease import LeaseThread
from quarterdeck.engine.records import Lease
from quarterdeck.loop.attempt import Surroundings
from quarterdeck.releases.records import EXECUTED
from quarterdeck.worker.chores import Chores
from quarterdeck.worker.crew import Crew, FindRelease
from quarterdeck.worker.pulse import beat_forever
from quarterdeck.worker.turns import call_up_forever

_log = logs.get(__name__)


class Post:
    """A worker at its post."""

    def __init__(
        self, settings: Settings, urls: Urls, around: Surroundings, wakes: Wakes, find_release: FindRelease
    ) -> None:
        self._settings = settings
        self._urls = urls
        self._around = around
        self._wakes = wakes
        self._find_release = find_release

    async def serve(self, stop: asyncio.Event) -> bool:
        """Register, execute what is delivered, leave in good order. Raises when registering is not possible.

        True: the lease was lost and a new post may begin. False: it was told to stop and has left nothing behind.
        """
        settings, db = self._settings, self._around.db
        worker, lease = new_worker_id(), settings.lease_time
        async with db.system.transaction() as tx:
            epoch = await engine.register(
                tx,
                worker,
                lease,
                host=socket.gethostname(),
                pid=os.getpid(),
                version=quarterdeck.__version__,
                behaviours=list(EXECUTED),
                capacity=settings.worker_capacity,
            )
        lost = asyncio.Event()
        thread = LeaseThread(self._urls.system, worker, epoch, lease, self._around.clock, lost.set)
        _log.info("worker.registered", worker=str(worker), epoch=epoch, capacity=settings.worker_capacity)
        capacity = Capacity(settings.worker_capacity)
        held = Lease(worker, epoch, self._around.clock.boot() + lease.total_seconds())
        bell = _Bell()
        chores = Chores(db, self._wakes, settings, bell.ring)
        crew = Crew(self._around, self._find_release, held, thread.good, capacity, chores.place_freed, lost.set)
        deliveries = Deliveries(db.system.pool, EXECUTED, capacity, crew.take)
        bell.hang(deliveries.ring)
        stops = self._listen(chores, crew, deliveries)
        loops = _begin(
            deliveries.run(),
            chores.admit_forever(),
            chores.sweep_forever(),
            chores.poll_forever(worker, crew.held, crew.interrupt),
            chores.answer_forever(self._around.clock, self._around.links),
            chores.expire_forever(self._around.clock),
            chores.tell_forever(self._around.runs),
            chores.seal_forever(),
            chores.account_forever(),
            chores.watch_forever(self._around.clock, self._around.models.asking.outages.open_routes),
            chores.prune_forever(),
            call_up_forever(db, self._wakes, self._around.models.asking.pacer, chores.admit_soon),
            beat_forever(lambda: len(crew.held())),
        )
        try:
            await _first(stop, lost)
            deliveries.stop()
            if lost.is_set():
                await crew.abandon()
                return not stop.is_set()
            thread.draining = True
            _log.info("worker.draining", runs=len(crew.held()), grace=settings.drain_grace)
            await crew.drain(settings.drain_grace)
            await self._give_up(Lease(worker, epoch, 0.0))
            return False
        finally:
            for silence in stops:
                silence()
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)
            await thread.stop()

    def _listen(self, chores: Chores, crew: Crew, deliveries: Deliveries) -> list[Callable[[], None]]:
        def controlled(heard: Heard) -> None:
            for item in heard.items:
                if isinstance(item, list) and len(item) == 2 and item[0] == "cancel":
                    crew.interrupt(RunId(UUID(str(item[1]))))
                elif item == ["child"]:
                    chores.tell_soon()

        return [
            self._wakes.listen(ADMIT, lambda _: chores.admit_soon()),
            self._wakes.listen(DELIVER, lambda _: deliveries.ring()),
            self._wakes.listen(CONTROL, controlled),
            self._around.switches.listen(lambda _: crew.review()),
        ]

    async def _give_up(self, lease: Lease) -> None:
        try:
            async with self._around.db.system.transaction() as tx:
                await engine.give_up(tx, lease.worker, lease.epoch)
        except Error as error:
            _log.warning("worker.lease_not_given_up", error=error.code)
        self._wakes.send(ADMIT, 1, key="admit")


class _Bell:
    """Rings what is hung into it later: admission and deliveries need each other."""

    def __init__(self) -> None:
        self._ring: Callable[[], None] | None = None

    def hang(self, ring: Callable[[], None]) -> None:
        """What `ring` calls from now on."""
        self._ring = ring

    def ring(self) -> None:
        """Call it, if it hangs."""
        if self._ring is not None:
            self._ring()


def _begin(*work: Coroutine[object, object, None]) -> list[asyncio.Task[None]]:
    return [asyncio.create_task(one) for one in work]


async def _first(*events: asyncio.Event) -> None:
    """Return when any of these is set."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def grace_of(settings: Settings) -> timedelta:
    """How long a supervisor should wait after SIGTERM before it kills: the drain, and a little for closing."""
    return timedelta(seconds=settings.drain_grace + 10)
