"""What one attempt at one run shares between its turns."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from quarterdeck.approvals.links import Links
from quarterdeck.budgets.estimates import Factors
from quarterdeck.budgets.records import Line, Spender
from quarterdeck.budgets.service import Budgets
from quarterdeck.core.clock import Clock
from quarterdeck.core.ids import TenantId
from quarterdeck.db.pool import Database
from quarterdeck.gates.guards import Guards
from quarterdeck.gates.model import ModelGate
from quarterdeck.gates.tool import ToolGate
from quarterdeck.loop.accounts import Accounts
from quarterdeck.loop.flights import Flights
from quarterdeck.loop.recorder import Recorder
from quarterdeck.releases.records import Release
from quarterdeck.runs.records import Run
from quarterdeck.runs.service import Runs, Wakes
from quarterdeck.switches.board import Board

T = TypeVar("T")
Resolve = Callable[[TenantId, str], Coroutine[object, object, Release]]
"""The release that a new run of `agent` or `agent@version` takes. Raises NotFound or Conflict of some kind."""
ReadBlobs = Callable[[TenantId, str, list[str]], Coroutine[object, object, Mapping[str, str]]]
"""The texts of some blobs by key (hex), as (tenant, holder, keys) asks for them."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a job needs of its process. `watched` tells whether anybody listens to a run's deltas."""

    db: Database
    wakes: Wakes
    clock: Clock
    models: ModelGate
    tools: ToolGate
    switches: Board
    budgets: Budgets
    factors: Factors
    guards: Guards
    runs: Runs
    resolve: Resolve
    read_blobs: ReadBlobs
    watched: Callable[[str], bool]
    max_attempts: int
    links: Links | None = None


class Interrupted(Exception):  # a signal, not a fault
    """Somebody wants what is in flight to end: the run is cancelled, or a switch was thrown."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt: its run and release, its appender, and the wish to end it."""

    around: Surroundings
    recorder: Recorder
    run: Run
    release: Release
    accounts: Accounts
    interrupt: asyncio.Event = field(default_factory=asyncio.Event)
    flights: Flights = field(default_factory=Flights)

    @property
    def spender(self) -> Spender:
        """Whose budgets its questions are paid from."""
        run, admitted = self.run, self.recorder.state.admitted
        return Spender(
            tenant=run.tenant,
            agent=run.agent,
            release=run.release,
            user=run.user_id,
            thread=None if run.thread is None else str(run.thread),
            run=str(run.id),
            ancestors=admitted.narrowed.ancestors if admitted and admitted.narrowed else (),
        )

    def lines(self) -> tuple[Line, ...]:
        """The limits that its questions are paid under. Raises BudgetsUnknown."""
        run = self.run
        standing = self.around.switches.standing(run.tenant, run.agent, background=run.priority < 0)
        return self.around.budgets.lines(
            self.spender, self.release.budgets, standing.max_run_micro_usd, run_spent=self.recorder.state.cost
        )

    async def unless_interrupted(self, work: Coroutine[object, object, T], cancel: asyncio.Event) -> T:
        """The result of `work`, or Interrupted as soon as `cancel` is set; the work is cancelled then."""
        task = asyncio.ensure_future(work)
        stop = asyncio.ensure_future(cancel.wait())
        try:
            await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise Interrupted
        finally:
            stop.cancel()
            if not task.done():
                task.cancel()
                await asyncio.wait({task})
