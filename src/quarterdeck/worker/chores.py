"""What every worker does beside executing: admitting, sweeping, polling behind wakes, pruning."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta

from quarterdeck.alerts.job import PERIOD, OpenRoutes, Watch, none_open
from quarterdeck.approvals import job as approvals
from quarterdeck.approvals.links import Links
from quarterdeck.audit.job import Sealer
from quarterdeck.blobs import service as blobs
from quarterdeck.blobs.records import SWEEP_START
from quarterdeck.budgets import job as budgets
from quarterdeck.core import log as logs
from quarterdeck.core.clock import Clock
from quarterdeck.core.errors import Unavailable
from quarterdeck.core.ids import RunId, WorkerId
from quarterdeck.core.settings import Settings
from quarterdeck.db import partitions
from quarterdeck.db.pool import Database
from quarterdeck.db.wakes import DELIVER, Wakes
from quarterdeck.engine import store as engine
from quarterdeck.pacing import store_turns as turns
from quarterdeck.rates import store_counts as counts
from quarterdeck.recall import service as recall
from quarterdeck.runs import admission, children, sweep
from quarterdeck.runs.admission import Limits
from quarterdeck.runs.service import Runs
from quarterdeck.secrets.service import tell_due
from quarterdeck.switches.service import Switches

_log = logs.get(__name__)

CLAIM_WITHIN = timedelta(seconds=30)
SWEEP_PAGES = 20
OTHERS_LATER = 0.015
"""Seconds after which the other workers hear of what this one has admitted and rung for itself."""
BUSY_RETRY = 0.02
"""Seconds after which a worker looks again when another one was admitting."""


class Chores:
    """Loops that end with `stop`. Each survives a database that is away."""

    def __init__(self, db: Database, wakes: Wakes, settings: Settings, ring: Callable[[], None]) -> None:
        self._db = db
        self._wakes = wakes
        self._settings = settings
        self._ring = ring
        self._limits = Limits(
            settings.concurrency, settings.tenant_concurrency, settings.user_concurrency, settings.agent_concurrency
        )
        self._tell = asyncio.Event()
        self._admit = asyncio.Event()
        self._admit.set()
        self._left = False
        self._swept = SWEEP_START

    def admit_soon(self) -> None:
        """Something became admissible."""
        self._admit.set()

    def tell_soon(self) -> None:
        """A run has ended that another one waits for."""
        self._tell.set()

    def place_freed(self) -> None:
        """A run has left: look only if somebody was left waiting for its place."""
        if self._left:
            self._admit.set()

    async def admit_forever(self) -> None:
        """Admit when woken, and once a second all the same."""
        while True:
            try:
                async with asyncio.timeout(1.0):
                    await self._admit.wait()
            except TimeoutError:
                pass
            self._admit.clear()
            await surviving("admission", self._admit_once)

    async def _admit_once(self) -> None:
        async with self._db.system.transaction() as tx:
            admitted = await admission.admit(tx, self._limits)
        if admitted is None:
            await asyncio.sleep(BUSY_RETRY * random.uniform(0.5, 1.5))
            self._admit.set()
            return
        self._left = admitted.left
        if admitted.count:
            self._ring()
            # Wakes that follow each other closely wait for each other: the claims that come of the ring above go first.
            asyncio.get_running_loop().call_later(OTHERS_LATER, self._ring_others)

    def _ring_others(self) -> None:
        self._wakes.send(DELIVER, 1, key="deliver")

    async def sweep_forever(self) -> None:
        """Queue again what is stranded, five times a lease."""
        period = self._settings.lease / 5
        while True:
            await surviving("sweep", self._sweep_once)
            await asyncio.sleep(period * random.uniform(0.8, 1.2))

    async def _sweep_once(self) -> None:
        async with self._db.system.transaction() as tx:
            found = await sweep.sweep(tx, CLAIM_WITHIN)
        if found:
            _log.warning("sweep.found", runs=found)
            self._admit.set()

    async def poll_forever(
        self, worker: WorkerId, held: Callable[[], list[RunId]], interrupt: Callable[[RunId], None]
    ) -> None:
        """Behind the wakes: cancel requests once a second, strays every ten."""
        beat = 0
        while True:
            await asyncio.sleep(1.0)
            beat += 1
            if held() or beat % 10 == 0:
                await surviving("poll", lambda: self._poll_once(worker, held, interrupt, strays=beat % 10 == 0))  # noqa: B023  # awaited here

    async def _poll_once(
        self, worker: WorkerId, held: Callable[[], list[RunId]], interrupt: Callable[[RunId], None], *, strays: bool
    ) -> None:
        async with self._db.system.transaction() as tx:
            for run in await sweep.cancelling(tx, worker):
                interrupt(run)
            if strays and await sweep.release_strays(tx, worker, held()):
                self._admit.set()

    async def answer_forever(self, clock: Clock, links: Links | None) -> None:
        """End questions that nobody answered in time, and remind of those that are about to, once a second."""
        while True:
            await asyncio.sleep(random.uniform(0.8, 1.2))
            await surviving("approvals", lambda: self._answer_once(clock, links))

    async def _answer_once(self, clock: Clock, links: Links | None) -> None:
        await approvals.round(self._db, self._wakes, clock, links)

    async def tell_forever(self, runs: Runs) -> None:
        """Tell runs of the ends of those that they have called, when woken and once a second all the same."""
        while True:
            try:
                async with asyncio.timeout(random.uniform(0.8, 1.2)):
                    await self._tell.wait()
            except TimeoutError:
                pass
            self._tell.clear()
            await surviving("children", lambda: self._tell_once(runs))

    async def _tell_once(self, runs: Runs) -> None:
        await children.round(self._db, runs, self._wakes)

    async def expire_forever(self, clock: Clock) -> None:
        """Lift switches whose time has run out, once a second: what waits because of them goes on."""
        switches = Switches(self._db, self._wakes, clock)
        while True:
            await surviving("switches", lambda: _expire(switches))
            await asyncio.sleep(random.uniform(0.8, 1.2))

    async def seal_forever(self) -> None:
        """Chain what the audit has taken down, once a second."""
        sealer = Sealer.of(self._db, self._settings)
        while True:
            await asyncio.sleep(random.uniform(0.8, 1.2))
            await surviving("audit", sealer.round)

    async def watch_forever(self, clock: Clock, open_routes: OpenRoutes = none_open) -> None:
        """Raise and end alerts, every few seconds. `open_routes` are those that this worker leaves alone."""
        watch = Watch(self._db, clock, open_routes)
        while True:
            await asyncio.sleep(PERIOD * random.uniform(0.8, 1.2))
            await surviving("alerts", lambda: _watch(watch))

    async def account_forever(self) -> None:
        """Book what runs hold of budgets that have ended or are gone, about every five seconds."""
        while True:
            await asyncio.sleep(5.0 * random.uniform(0.8, 1.2))
            await surviving("budgets", self._account_once)

    async def _account_once(self) -> None:
        await budgets.sweep(self._db)

    async def prune_forever(self) -> None:
        """Delete what has served its time or belongs to nobody, and make partitions, about once in ten minutes."""
        while True:
            await surviving("prune", self._prune_once)
            await asyncio.sleep(600 * random.uniform(0.8, 1.2))

    async def _prune_once(self) -> None:
        async with self._db.system.transaction() as tx:
            await engine.prune(tx)
            await sweep.tidy(tx)
            await counts.sweep(tx)
            await turns.tidy(tx)
            await recall.sweep(tx)
            await partitions.make_partitions(tx)
        await budgets.prune(self._db)
        await tell_due(self._db)
        await self._sweep_blobs()

    async def _sweep_blobs(self) -> None:
        """Go on where the last round stopped, a bounded way: with many payloads the whole way takes several rounds."""
        for _ in range(SWEEP_PAGES):
            async with self._db.system.transaction() as tx:
                self._swept = await blobs.sweep(tx, self._swept)
            if self._swept.looked_at < blobs.PAGE:
                self._swept = SWEEP_START
                return


async def _watch(watch: Watch) -> None:
    await watch.round()


async def _expire(switches: Switches) -> None:
    await switches.expire_due()


async def surviving(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Do one round of a chore; a failure is logged and the next round comes."""
    try:
        await work()
    except Unavailable as error:
        _log.warning("chore.database_away", chore=name, error=error.code)
        await asyncio.sleep(0.5)
    except Exception:
        _log.exception("chore.failed", chore=name)
        await asyncio.sleep(1.0)
