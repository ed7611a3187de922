"""The verbs of a run from outside its worker: submit, cancel, retry, resolve. One transaction each."""

import time
from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from quarterdeck.audit import store as audit
from quarterdeck.audit.records import Entry
from quarterdeck.core.clock import Clock
from quarterdeck.core.errors import Invalid, NotFound, TooMany
from quarterdeck.core.ids import RunId, TenantId
from quarterdeck.core.json import Json
from quarterdeck.db.pool import Database
from quarterdeck.db.records import Tx
from quarterdeck.db.wakes import ADMIT, CONTROL
from quarterdeck.runs import log, rules, store, view
from quarterdeck.runs.events import (
    CancelRequested,
    Event,
    RunAdmitted,
    RunFinished,
    RunResumed,
    RunRetried,
    ToolResolved,
)
from quarterdeck.runs.fold import fold
from quarterdeck.runs.messages import Message, Text
from quarterdeck.runs.parts import Handoff
from quarterdeck.runs.records import Run, Status, Submission


class NoSuchRun(NotFound):
    """There is no such run here."""

    code = "run.not_found"


class QueueFull(TooMany):
    """This tenant has as many queued runs as it may have; try again when some have been executed."""

    code = "run.queue_full"


class KeyReused(Invalid):
    """This Idempotency-Key came before with another request; use a new key for a new request."""

    code = "idempotency.reused"


class Wakes(Protocol):
    """Tells other processes, after a commit and without any promise, that there is something to look at."""

    def send(self, channel: str, item: Json, *, key: str = "") -> None:
        """Queue one item for a channel; coalesced with others, and replacing one of the same key that still waits."""
        ...

    def wake_run(self, run: UUID, seq: int) -> None:
        """A run's log has grown up to `seq`."""
        ...


class Runs:
    """What the API may do with runs. Every verb checks the tenant; none trusts a status that it read before."""

    def __init__(self, db: Database, wakes: Wakes, clock: Clock, queue_limit: int) -> None:
        self._db = db
        self._wakes = wakes
        self._clock = clock
        self._pressure = _Pressure(queue_limit)

    async def submit(
        self, submission: Submission, messages: Sequence[Message], *, position: int | None = None, tx: Tx | None = None
    ) -> tuple[Run, bool]:
        """Admit a run: its row and its first event in one transaction. True where it is new.

        The same dedup key with the same request gives the run that it made; with another one, KeyReused. Raises
        QueueFull. Once this has returned, the run can't be lost.
        """
        if tx is not None:
            return await self._submit(tx, submission, messages, position)
        async with self._db.tenant(submission.tenant) as own:
            return await self._submit(own, submission, messages, position)

    async def _submit(
        self, tx: Tx, submission: Submission, messages: Sequence[Message], position: int | None
    ) -> tuple[Run, bool]:
        await self._pressure.check(tx, submission.tenant)
        event = admitted(submission, messages)
        run = await store.insert(tx, submission, rules.title(messages), position, event)
        if run is None:
            return await self._same(tx, submission), False
        self._pressure.note(submission.tenant)
        tx.after_commit(lambda: self._wakes.send(ADMIT, 1, key="admit"))
        tx.after_commit(lambda: self._wakes.wake_run(run.id, 1))
        return run, True

    async def _same(self, tx: Tx, submission: Submission) -> Run:
        same = await self.repeated(tx, submission)
        if same is None:
            raise KeyReused
        return same

    async def repeated(self, tx: Tx, submission: Submission) -> Run | None:
        """The run that this very submission made before; None where its key is new. Raises KeyReused."""
        if submission.dedup_key is None:
            return None
        found = await store.by_dedup(tx, submission.tenant, submission.dedup_key)
        if found is None:
            return None
        run, digest = found
        if digest != submission.dedup_digest:
            raise KeyReused
        return run

    async def delegate(self, tx: Tx, submission: Submission, messages: Sequence[Message]) -> None:
        """Admit a run that another one calls, in the transaction of that call. No queue is too full for it."""
        event = admitted(submission, messages)
        run = await store.insert(tx, submission, rules.title(messages), None, event)
        assert run is not None, "a child has no dedup key"
        tx.after_commit(lambda: self._wakes.send(ADMIT, 1, key="admit"))

    async def get(self, tenant: TenantId, run: RunId) -> Run:
        """One run. Raises NoSuchRun, also for another tenant's."""
        async with self._db.tenant(tenant) as tx:
            return await self.find(tx, tenant, run)

    async def find(self, tx: Tx, tenant: TenantId, run: RunId) -> Run:
        """The same in a transaction of the caller's."""
        return await _found(store.read(tx, tenant, run))

    async def cancel(self, tenant: TenantId, run_id: RunId, by: str, why: str, *, tx: Tx | None = None) -> Run:
        """Ask for the end of a run. What nobody executes ends at once; a worker is told, and confirms by ending it.

        Raises NoSuchRun, or AlreadyEnded. Asking twice does no harm.
        """
        if tx is not None:
            return await self._cancel(tx, tenant, run_id, by, why)
        async with self._db.tenant(tenant) as own:
            return await self._cancel(own, tenant, run_id, by, why)

    async def _cancel(self, tx: Tx, tenant: TenantId, run_id: RunId, by: str, why: str) -> Run:
        run = await _found(store.lock(tx, tenant, run_id))
        verdict = rules.judge_cancel(run)
        request = CancelRequested(by=by, why=why)
        if isinstance(verdict, rules.EndNow):
            await self._end_cancelled(tx, run, request)
        elif isinstance(verdict, rules.Interrupt):
            await store.move(tx, run, Status.CANCELLING, why=f"cancelled by {by}", cancel=True)
            await self._append(tx, run, [request])
            tx.after_commit(lambda: self._wakes.send(CONTROL, ["cancel", run.id.hex]))
        return await _found(store.read(tx, tenant, run_id))

    async def _end_cancelled(self, tx: Tx, run: Run, request: CancelRequested) -> None:
        state = fold(await log.read(tx, run.tenant, run.id))
        why = f"cancelled by {request.by}" + (f": {request.why}" if request.why else "")
        abandoned = rules.abandoned(state)
        tools = [one.call.tool for one in state.unknown] + [one.tool for one in abandoned]
        doubts = tuple(f"find out whether {tool.replace('_', ' ')} took effect" for tool in tools)
        done = tuple(state.tools_called)
        finished = RunFinished(status=Status.CANCELLED, handoff=Handoff(done, doubts or ("the whole task",), why))
        await store.move(tx, run, Status.CANCELLED, why=why, ended=True, cancel=True)
        withdrawn = rules.withdrawn(state)
        await self._append(tx, run, [*abandoned, *withdrawn, request, finished])
        await store.withdraw(tx, run.tenant, run.id)
        for one in abandoned:
            await store.settle(tx, run.tenant, run.id, store.entry(state.steps, one.call), "unknown", request.by)
        if run.thread is not None:
            tx.after_commit(lambda: self._wakes.send(ADMIT, 1, key="admit"))
        await view.announce(tx, run.tenant, run.id, "run.finished")

    async def retry(self, tenant: TenantId, run_id: RunId, by: str, why: str) -> Run:
        """Send an ended run back from its last checkpoint. What took effect is in its log and is not repeated."""
        async with self._db.tenant(tenant) as tx:
            run = await _found(store.lock(tx, tenant, run_id))
            rules.judge_retry(run)
            await store.move(tx, run, Status.QUEUED, forgive=True)
            await self._append(tx, run, [RunRetried(by=by, why=why)])
            tx.after_commit(lambda: self._wakes.send(ADMIT, 1, key="admit"))
            return await _found(store.read(tx, tenant, run_id))

    async def resolve(
        self, tenant: TenantId, run_id: RunId, call: str, *, happened: bool, by: str, words: str, why: str
    ) -> Run:
        """Say what became of a call whose outcome nobody knew. The run goes on once no doubt is left.

        Raises NoSuchDoubt, or TooEarlyToSay while a frozen worker could still send the call.
        """
        async with self._db.tenant(tenant) as tx:
            run = await _found(store.lock(tx, tenant, run_id))
            state = fold(await log.read(tx, tenant, run_id))
            unknown = rules.judge_outcome(run, state, call, self._clock.now())
            outcome = "happened" if happened else "did_not_happen"
            said = words or (
                f"{unknown.tool} took effect (confirmed by a person)."
                if happened
                else f"{unknown.tool} did not take effect (confirmed by a person). It was not repeated."
            )
            events: list[Event] = [ToolResolved(call=call, outcome=outcome, by=by, content=(Text(said),))]
            if run.status is Status.WAITING_FOR_OUTCOME and len(state.unknown) == 1:
                events.append(
                    RunResumed(why=why or f"{by} said that {unknown.tool} {outcome.replace('_', ' ')}", by=by)
                )
                await store.move(tx, run, Status.QUEUED)
                tx.after_commit(lambda: self._wakes.send(ADMIT, 1, key="admit"))
            await store.settle(tx, tenant, run_id, store.entry(state.steps, call), outcome, by)
            await self._append(tx, run, events)
            return await _found(store.read(tx, tenant, run_id))

    async def _append(self, tx: Tx, run: Run, events: Sequence[Event]) -> None:
        last = await log.append_locked(tx, run.tenant, run.id, events)
        await audit.write(tx, list(_audited(run, events, last - len(events) + 1)))
        tx.after_commit(lambda: self._wakes.wake_run(run.id, last))


def _audited(run: Run, events: Sequence[Event], first: int) -> Iterator[Entry]:
    """What somebody has told a run to do, or has said of it; the words stand in the run's log."""
    for seq, event in enumerate(events, first):
        if isinstance(event, CancelRequested | RunRetried | ToolResolved):
            yield Entry(
                tenant=run.tenant,
                kind=event.kind,
                actor=event.by,
                action=event.kind.rpartition(".")[2],
                target=f"run:{run.id}",
                run=run.id,
                call=event.call if isinstance(event, ToolResolved) else "",
                seq=seq,
                user=run.user_id,
                release=run.release,
                status=event.outcome if isinstance(event, ToolResolved) else "done",
            )


def admitted(submission: Submission, messages: Sequence[Message]) -> RunAdmitted:
    """The first event of a run."""
    return RunAdmitted(
        agent=submission.agent,
        release=submission.release,
        user=submission.user_id,
        input=tuple(messages),
        thread=str(submission.thread) if submission.thread else None,
        variables=submission.variables,
        tags=submission.tags,
        priority=submission.priority,
        submitted_by=submission.submitted_by,
        traceparent=submission.traceparent,
        not_before=int(submission.available_at.timestamp() * 1000) if submission.available_at else None,
        roles=submission.roles,
        claims=submission.claims,
        narrowed=submission.narrowed,
    )


async def _found(reading: Awaitable[Run | None]) -> Run:
    run = await reading
    if run is None:
        raise NoSuchRun
    return run


@dataclass(slots=True)
class _Queue:
    """What was counted of one tenant's queue, when, and how long it may get."""

    counted_at: float
    count: int
    limit: int


class _Pressure:
    """How many runs of each tenant are queued: counted at most once a second, and upwards in between."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._queues: dict[TenantId, _Queue] = {}

    async def check(self, tx: Tx, tenant: TenantId) -> None:
        """Raise QueueFull when there is no room for one more."""
        queue = self._queues.get(tenant)
        if queue is None or time.monotonic() - queue.counted_at > 1.0:
            count, own_limit = await store.queued(tx, tenant)
            queue = self._queues[tenant] = _Queue(time.monotonic(), count, own_limit or self._limit)
        if queue.count >= queue.limit:
            raise QueueFull(queued=queue.count, limit=queue.limit, retry_after=5)

    def note(self, tenant: TenantId) -> None:
        """One more is queued."""
        if queue := self._queues.get(tenant):
            queue.count += 1
