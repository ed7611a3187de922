"""The runs that this worker holds: taken on delivery, executed side by side, interrupted, drained, let go."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import quarterdeck
from quarterdeck.core import log as logs
from quarterdeck.core.errors import Error, Unavailable
from quarterdeck.core.ids import ReleaseId, RunId, TenantId
from quarterdeck.engine.deliveries import Capacity
from quarterdeck.engine.records import Lease
from quarterdeck.loop.accounts import Accounts
from quarterdeck.loop.attempt import Attempt, Surroundings
from quarterdeck.loop.job import Job
from quarterdeck.loop.ledger import Ledger
from quarterdeck.loop.narrowing import narrow
from quarterdeck.loop.parting import Parting
from quarterdeck.loop.recorder import Recorder
from quarterdeck.releases.records import BEHAVIOUR_VERSION, Release
from quarterdeck.runs import log, store
from quarterdeck.runs.events import RunClaimed
from quarterdeck.runs.fold import fold
from quarterdeck.runs.log import FencedOut
from quarterdeck.runs.records import Run, StoredEvent

_log = logs.get(__name__)

FindRelease = Callable[[TenantId, ReleaseId], Awaitable[Release]]
"""The release that a run keeps to its end."""


@dataclass(slots=True)
class Held:
    """One run in this worker's hands."""

    run: Run
    task: asyncio.Task[None]
    parting: Parting | None = None
    job: Job | None = None


class Crew:
    """Executes what is delivered. One worker identity; when its lease is lost, a new crew begins."""

    def __init__(
        self,
        around: Surroundings,
        find_release: FindRelease,
        lease: Lease,
        lease_good: Callable[[], bool],
        capacity: Capacity,
        let_go: Callable[[], None],
        lost: Callable[[], None],
    ) -> None:
        self._around = around
        self._find_release = find_release
        self._lease = lease
        self._lease_good = lease_good
        self._capacity = capacity
        self._let_go = let_go
        self._lost = lost
        self._held: dict[RunId, Held] = {}
        self._draining = False
        self._claimed = RunClaimed(
            worker=str(lease.worker),
            host=socket.gethostname(),
            version=quarterdeck.__version__,
            behaviour=BEHAVIOUR_VERSION,
        )

    def held(self) -> list[RunId]:
        """The runs in hand."""
        return list(self._held)

    async def take(self, tenant: TenantId, run_id: RunId) -> None:
        """Claim a delivered run and start on it; a place of the capacity was taken for it by the caller."""
        taken = False
        try:
            async with self._around.db.tenant(tenant) as tx:
                row = await log.claim(tx, tenant, run_id, self._lease.worker, self._lease.epoch, self._claimed)
                events = await log.read(tx, tenant, run_id) if row is not None else []
                leaseless = row is None and await log.relinquish(tx, tenant, run_id)
            if leaseless:
                self._lost()
            if row is None:
                return  # another delivery of it was faster, or it has ended meanwhile
            run, fruitless = store.run_of(row), int(row["fruitless"])
            task = asyncio.create_task(self._work(run, events, fruitless), name=f"run {run_id}")
            self._held[run_id] = Held(run, task)
            taken = True
        finally:
            if not taken:
                self._capacity.give_back()

    def interrupt(self, run: RunId) -> None:
        """Somebody wants this run to end; ignored where it is not held here."""
        held = self._held.get(run)
        if held is not None and held.job is not None:
            held.job.interrupt()

    def review(self) -> None:
        """Switches have changed: calls on their way are looked at again."""
        for held in self._held.values():
            if held.job is not None:
                held.job.review()

    async def drain(self, grace: float) -> None:
        """Finish the steps in hand within `grace` seconds, then abandon the rest; give every run back."""
        self._draining = True
        for held in self._held.values():
            if held.job is not None:
                held.job.drain()
        tasks = {held.task for held in self._held.values()}
        if tasks:
            await asyncio.wait(tasks, timeout=grace)
        late = [held for held in self._held.values() if not held.task.done()]
        for held in late:
            held.task.cancel()
        if late:
            await asyncio.wait({held.task for held in late}, timeout=10.0)
        for held in late:
            await self._give_back(held)

    async def abandon(self) -> None:
        """Let go of everything at once without writing a word: the lease is lost and others own these runs."""
        tasks = {held.task for held in self._held.values()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=10.0)

    async def _give_back(self, held: Held) -> None:
        if held.parting is None:
            return
        try:
            await held.parting.give_back("drain")
        except Error as error:
            # Its lease is about to end; the sweep will find it.
            _log.warning("run.not_given_back", run=str(held.run.id), error=error.code)

    async def _work(self, run: Run, events: list[StoredEvent], fruitless: int) -> None:
        logs.bind(run=str(run.id), tenant=str(run.tenant))
        try:
            await self._attempt(run, events, fruitless)
        except FencedOut:
            _log.warning("run.fenced_out", attempt=run.attempt)
        except Unavailable as error:
            _log.warning("run.let_go", error=error.code)
        except Exception:
            _log.exception("run.crashed")
        finally:
            self._held.pop(run.id, None)
            self._capacity.give_back()
            self._let_go()

    async def _attempt(self, run: Run, events: list[StoredEvent], fruitless: int) -> None:
        """Execute, and turn what nobody foresaw into a later try, or into a failure that says what happened."""
        hold, around = log.Hold(run.tenant, run.id, self._lease.worker, run.attempt), self._around
        ledger = Ledger(run, around.runs, around.links)
        state = fold(events)
        above = state.admitted.narrowed.ancestors if state.admitted and state.admitted.narrowed else ()
        accounts = Accounts(run, around.clock, UUID(above[0]) if above else run.id)
        recorder = Recorder(around.db, around.wakes, around.clock, hold, state, run, self._lease_good, ledger, accounts)
        parting = self._held[run.id].parting = Parting(recorder, around.clock)
        if fruitless > around.max_attempts:
            await parting.fail_for_good("run.poison", f"{fruitless - 1} workers in a row took this run and got nowhere")
            return
        try:
            job = await self._begin(run, recorder, parting, accounts)
            await job.execute()
        except (FencedOut, Unavailable):
            raise
        except Exception as error:
            _log.exception("run.step_crashed", attempt=run.attempt)
            await self._cope(parting, error, fruitless)

    async def _begin(self, run: Run, recorder: Recorder, parting: Parting, accounts: Accounts) -> Job:
        admitted = recorder.state.admitted
        release = narrow(await self._find_release(run.tenant, run.release), admitted.narrowed if admitted else None)
        job = Job(Attempt(self._around, recorder, run, release, accounts), parting)
        self._held[run.id].job = job
        if run.cancel_requested_at is not None:
            job.interrupt()
        if self._draining:
            job.drain()
        return job

    async def _cope(self, parting: Parting, error: Exception, fruitless: int) -> None:
        """Try later what may pass, such as tools that can't be made ready just now; but not for ever."""
        known = error if isinstance(error, Error) else None
        code = known.code if known else "run.crashed"
        why = known.detail if known else f"{type(error).__name__}: {error}"
        if fruitless >= self._around.max_attempts or (known and known.status < 500):
            await parting.fail_for_good(code, why)
        else:
            words, wait = f"something went wrong here ({why}); trying again", _backoff(fruitless)
            await parting.try_later(code, words, wait, in_vain=True)


def _backoff(fruitless: int) -> timedelta:
    return timedelta(seconds=min(300.0, 2.0**fruitless))
