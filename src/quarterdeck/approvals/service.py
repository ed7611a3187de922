"""Answering questions: one transaction each, in which the run learns of the answer and goes on.

Locks are taken in one order everywhere: the run's row, then the question's. An answer alone does nothing: it is used up
with the intent of the call that it allows, so a crash in between leaves it to be used.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from quarterdeck.approvals import rules, store
from quarterdeck.approvals.links import Links
from quarterdeck.approvals.records import Approval, NoSuchApproval, Said, State
from quarterdeck.audit import store as audit
from quarterdeck.audit.records import Entry
from quarterdeck.core.clock import Clock
from quarterdeck.core.ids import RunId, TenantId
from quarterdeck.core.json import Json
from quarterdeck.db.pool import Database
from quarterdeck.db.records import Tx
from quarterdeck.db.wakes import ADMIT, CONTROL
from quarterdeck.runs import log
from quarterdeck.runs import store as runs
from quarterdeck.runs.events import ApprovalAnswered, Event, RunResumed
from quarterdeck.runs.fold import fold
from quarterdeck.runs.records import LIVE, Run, Status
from quarterdeck.runs.service import Wakes


class Approvals:
    """What people and the clock do with questions."""

    def __init__(self, db: Database, wakes: Wakes, clock: Clock, links: Links | None = None) -> None:
        self._db = db
        self._wakes = wakes
        self._clock = clock
        self.links = links

    async def answer(self, tenant: TenantId, approval: UUID, said: Said) -> Approval:
        """Take one person's answer; the question as it then is. The same person's same answer again changes nothing.

        Raises NoSuchApproval, AlreadyAnswered with what happened, or the reason for which the answer does not count.
        An answer that comes too late is refused as such, and the question is then expired or withdrawn: never denied.
        """
        async with self._db.tenant(tenant) as tx:
            run, held, now = await self._hold(tx, tenant, approval)
            outcome = rules.judge(held, run, said, now)
            match outcome:
                case rules.Same():
                    pass
                case rules.Counted(counted):
                    await store.vote(tx, counted)
                    await _audit(tx, counted, "approval.voted", (said.person.by,), said.why)
                case rules.Settled(settled, state, by, why):
                    await store.vote(tx, settled)
                    await self._settle(tx, run, settled, state, by, why)
                case rules.Lapsed(state, why):
                    await self._settle(tx, run, held, state, (), why)
            found = await self._found(tx, tenant, approval)
        if isinstance(outcome, rules.Lapsed):
            raise rules.answered(found)
        return found

    async def expire(self, tenant: TenantId, approval: UUID) -> bool:
        """End a question whose time is over, and let its run go on. False where there is nothing to end."""
        async with self._db.tenant(tenant) as tx:
            run, held, now = await self._hold(tx, tenant, approval)
            lapsed = rules.lapse(held, run, now) if held.state is State.PENDING else None
            if lapsed is None:
                return False
            await self._settle(tx, run, held, lapsed.state, (), lapsed.why)
            return True

    async def revive(self, tenant: TenantId, run_id: RunId) -> bool:
        """Let a run go on that waits for an answer which nobody can give any more. False where it does not.

        Its questions were ended without its log's knowledge: it is told what became of each.
        """
        async with self._db.tenant(tenant) as tx:
            run = await runs.lock(tx, tenant, run_id)
            if run is None or run.status is not Status.WAITING_FOR_APPROVAL:
                return False
            known = {str(one.id): one for one in await store.of_run(tx, tenant, run_id)}
            if any(one.state is State.PENDING for one in known.values()):
                return False
            events: list[Event] = []
            for call in fold(await log.read(tx, tenant, run_id)).pending:
                assert call.asked is not None
                events.append(_told(call.asked.call, call.asked.approval, known.get(call.asked.approval)))
            await self._resume(tx, run, events, "what it waited for was answered", "")
            return True

    async def _hold(self, tx: Tx, tenant: TenantId, approval: UUID) -> tuple[Run, Approval, datetime]:
        found = await self._found(tx, tenant, approval)
        run = await runs.lock(tx, tenant, found.run)
        held = await store.hold(tx, tenant, approval)
        if run is None or held is None:
            raise NoSuchApproval
        return run, *held

    async def _found(self, tx: Tx, tenant: TenantId, approval: UUID) -> Approval:
        found = await store.find(tx, tenant, approval)
        if found is None:
            raise NoSuchApproval
        return found

    async def _settle(self, tx: Tx, run: Run, held: Approval, state: State, by: tuple[str, ...], why: str) -> None:
        await store.settle(tx, held, state, by, why)
        if not run.ended:
            arguments = held.edited if state is State.APPROVED else None
            answer = ApprovalAnswered(
                call=held.call, approval=str(held.id), state=state.value, by=by, why=why, arguments=arguments
            )
            await self._tell(tx, run, held, answer)
        settled = await self._found(tx, held.tenant, held.id)
        await _audit(tx, settled, "approval.answered", by, why)
        await store.announce(tx, settled, "approval.answered", self._clock.now())

    async def _tell(self, tx: Tx, run: Run, held: Approval, answer: ApprovalAnswered) -> None:
        """The run's log learns of the answer; a run that waited is queued, one that is executed finds it there."""
        if run.status is Status.WAITING_FOR_APPROVAL:
            words = rules.why_resumed(State(answer.state), held.tool, answer.by)
            await self._resume(tx, run, [answer], words, ", ".join(answer.by))
            return
        await self._append(tx, run, [answer])
        if run.status in LIVE:
            tx.after_commit(lambda: self._wakes.send(CONTROL, ["answered", run.id.hex]))

    async def _resume(self, tx: Tx, run: Run, events: Sequence[Event], why: str, by: str) -> None:
        await runs.move(tx, run, Status.QUEUED)
        await self._append(tx, run, [*events, RunResumed(why=why, by=by)])
        tx.after_commit(lambda: self._wakes.send(ADMIT, 1, key="admit"))

    async def _append(self, tx: Tx, run: Run, events: Sequence[Event]) -> None:
        last = await log.append_locked(tx, run.tenant, run.id, events)
        tx.after_commit(lambda: self._wakes.wake_run(run.id, last))


async def _audit(tx: Tx, approval: Approval, kind: str, by: tuple[str, ...], why: str) -> None:
    """Write down who said what about which call, and what it is bound to."""
    inputs: dict[str, Json] = {"why": why, "digest": approval.digest, "summary": approval.summary}
    if approval.edited is not None:
        inputs["edited"] = approval.edited
    entry = Entry(
        tenant=approval.tenant,
        kind=kind,
        actor=by[-1] if by else "system",
        action=approval.tool,
        target=str(approval.id),
        run=approval.run,
        call=approval.call,
        user=approval.user_id,
        release=approval.release,
        verdict="ask",
        rule=str(approval.decision.get("rule", "")),
        approved_by=tuple(f"person:{one}" for one in by) if approval.state is not State.DENIED else (),
        status=approval.state.value,
        effective=approval.effective,
        inputs=inputs,
    )
    await audit.write(tx, [entry])


def _told(call: str, approval: str, row: Approval | None) -> ApprovalAnswered:
    """What became of a question, as its row says; withdrawn where there is none."""
    if row is None:
        return ApprovalAnswered(call=call, approval=approval, state=State.WITHDRAWN, why="nobody was asked")
    return ApprovalAnswered(
        call=call,
        approval=approval,
        state=row.state.value,
        by=row.answered_by,
        why=row.why,
        arguments=row.edited if row.state is State.APPROVED else None,
    )
