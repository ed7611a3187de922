"""The one appender of a run: every outcome goes through it, in order, behind the fence."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence

from msgspec.structs import replace

from quarterdeck.budgets.records import Refused
from quarterdeck.core import log as logs
from quarterdeck.core.clock import Clock
from quarterdeck.core.errors import Unavailable
from quarterdeck.db.faults import CommitUnknown
from quarterdeck.db.pool import Database
from quarterdeck.db.records import Tx
from quarterdeck.db.wakes import ADMIT, CONTROL
from quarterdeck.loop.accounts import Accounts, Paid, Stake
from quarterdeck.loop.ledger import Child, Ledger
from quarterdeck.runs import log, rules, view
from quarterdeck.runs.events import Event, ModelCalled, RunParked, RunReleased, ToolCalled
from quarterdeck.runs.fold import RunState, apply
from quarterdeck.runs.log import Departure, Hold
from quarterdeck.runs.records import PARKED, Effect, Run, Status
from quarterdeck.runs.service import Wakes

_log = logs.get(__name__)

PATIENCE = 120.0
"""Seconds for which an append waits for a database that is away, as long as the lease is good."""


class Recorder:
    """Keeps the run's state and its log in step: `emit` changes the state at once, `flush` makes it durable.

    What was emitted and not flushed is lost with the process, and that is what the caller has to know: flush before
    anything is done that can't be repeated.
    """

    def __init__(
        self,
        db: Database,
        wakes: Wakes,
        clock: Clock,
        hold: Hold,
        state: RunState,
        run: Run,
        lease_good: Callable[[], bool],
        ledger: Ledger,
        accounts: Accounts,
    ) -> None:
        self.state = state
        self.hold = hold
        self._db = db
        self._wakes = wakes
        self._clock = clock
        self._lease_good = lease_good
        self._events: list[Event] = []
        self._turn = asyncio.Lock()
        self._risk = run.risk_level
        self._child = run.parent is not None
        self._ledger = ledger
        self._accounts = accounts
        self.step = "starting"
        for call in state.calls:
            if call.intent is not None:
                self._note(call.intent)

    def emit(self, *events: Event) -> None:
        """These things have happened: the state knows at once, the log at the next flush."""
        now = self._clock.now()
        for event in events:
            if isinstance(event, ToolCalled):
                self._note(event)
            self.state = apply(self.state, event, self.hold.attempt, now)
        self._events.extend(events)

    def _note(self, event: ToolCalled) -> None:
        self._risk = rules.highest((self._risk, rules.RISK[Effect(event.effect)]))
        self._ledger.note(event)

    def expect(self, child: Child) -> None:
        """The next intent calls another agent: its run is admitted in the same transaction."""
        self._ledger.expect(child)

    def learn(self, event: Event) -> None:
        """Something that another process has written into the log already."""
        self.state = apply(self.state, event, self.hold.attempt, self._clock.now())

    async def flush(self) -> None:
        """Commit what was emitted, in one transaction. Waits out a database that is away while the lease is good.

        Raises FencedOut, or CommitUnknown: then the run must be given up.
        """
        async with self._turn:
            if self._events:
                events, state = self._events[:], self.state
                await undisturbed(self._patiently(lambda tx: self._append(tx, events, state)))
                del self._events[: len(events)]

    async def ask(self, called: ModelCalled, stake: Stake) -> Paid | Refused:
        """Commit what was emitted and a question, with what is set aside for it, in one transaction.

        Refused: nothing is set aside, and the question is not in the log; what was emitted before it is.
        """
        async with self._turn:
            events, state = self._events[:], self.state
            outcome: list[Paid | Refused] = []
            asked: list[RunState] = []

            async def work(tx: Tx) -> None:
                # What the last question really cost is booked first: the rest of its worst case may pay for this one.
                await self._accounts.enter(tx, events)
                outcome[:] = [await self._accounts.set_aside(tx, called, stake)]
                if isinstance(outcome[0], Paid):
                    paid = outcome[0].called
                    asked[:] = [apply(state, paid, self.hold.attempt, self._clock.now())]
                    await self._write(tx, [*events, paid], asked[0])
                elif events:
                    await self._write(tx, events, state)

            await undisturbed(self._patiently(work))
            del self._events[: len(events)]
            if isinstance(outcome[0], Paid):
                self.state = replace(asked[0], last_seq=self.state.last_seq)
                self._accounts.asked(outcome[0].called, stake)
            return outcome[0]

    async def set_aside(self, called: ModelCalled, stake: Stake) -> Paid | Refused:
        """Set a question's worst case aside once more: for another try of what may have been charged already."""
        outcome: list[Paid | Refused] = []

        async def work(tx: Tx) -> None:
            outcome[:] = [await self._accounts.set_aside(tx, called, stake)]

        await undisturbed(self._patiently(work))
        if isinstance(outcome[0], Paid):
            self._accounts.asked(called, stake)
        return outcome[0]

    async def leave(self, to: Departure, *events: Event) -> None:
        """Commit what was emitted and these last events, and give the run up for another status."""
        self.emit(*events)
        async with self._turn:
            going, state = self._events[:], self.state
            await undisturbed(self._patiently(lambda tx: self._leave(tx, going, state, to)))
            self._events.clear()

    async def park(self, to: Departure, parked: RunParked) -> None:
        """Commit what was emitted and give the run up until it is sent on by somebody.

        Where somebody has written to its log since we last did (an answer, an outcome), that may be what it is about
        to wait for: then it is queued again at once, for whoever takes it to read anew.
        """
        async with self._turn:
            going, state = self._events[:], self.state
            await undisturbed(self._patiently(lambda tx: self._park(tx, going, state, to, parked)))
            self._events.clear()

    async def _park(self, tx: Tx, events: Sequence[Event], state: RunState, to: Departure, parked: RunParked) -> None:
        told = await log.last_seq(tx, self.hold) > state.last_seq
        if told:
            to = Departure(Status.QUEUED)
        last: Event = RunReleased(why="told") if told else parked
        after = apply(state, last, self.hold.attempt, self._clock.now())
        await self._leave(tx, [*events, last], after, to)

    async def _append(self, tx: Tx, events: Sequence[Event], state: RunState) -> None:
        await self._write(tx, events, state)
        await self._accounts.enter(tx, events)

    async def _write(self, tx: Tx, events: Sequence[Event], state: RunState) -> None:
        audited = self._ledger.audited(events)
        last = await log.append(tx, self.hold, events, state, step=self.step, risk=self._risk, audited=audited)
        await self._ledger.enter(tx, events, state)
        self._told(tx, last)

    async def _leave(self, tx: Tx, events: Sequence[Event], state: RunState, to: Departure) -> None:
        last = await log.leave(tx, self.hold, events, state, self._risk, to, self._ledger.audited(events))
        await self._ledger.enter(tx, events, state)
        await self._accounts.enter(tx, events)
        if to.ended or to.status in PARKED:
            await view.announce(tx, self.hold.tenant, self.hold.run, "run.finished" if to.ended else "run.parked")
        if to.status is Status.QUEUED or (to.ended and state.admitted and state.admitted.thread):
            # Somebody else may go on with it; or the thread's next run may have been waiting for this one.
            tx.after_commit(lambda: self._wakes.send(ADMIT, 1, key="admit"))
        if to.ended and self._child:
            tx.after_commit(lambda: self._wakes.send(CONTROL, ["child"], key="child"))
        self._told(tx, last)

    def _told(self, tx: Tx, last: int) -> None:
        tx.after_commit(lambda: self._wakes.wake_run(self.hold.run, last))
        self.state = replace(self.state, last_seq=last)

    async def _patiently(self, work: Callable[[Tx], Awaitable[None]]) -> None:
        until = self._clock.boot() + PATIENCE
        while True:
            try:
                async with self._db.tenant(self.hold.tenant) as tx:
                    await work(tx)
            except CommitUnknown:
                raise
            except Unavailable as error:
                if not self._lease_good() or self._clock.boot() > until:
                    raise
                _log.warning("run.append_waits", run=str(self.hold.run), error=error.code)
                await asyncio.sleep(0.25)
            else:
                return


async def undisturbed(work: Coroutine[object, object, None]) -> None:
    """Finish `work` even when the caller is cancelled meanwhile: what is half committed must not be written twice."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
