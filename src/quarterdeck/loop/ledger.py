"""What is written beside the log, in the transaction of its events: the ledger of effects, questions for people,
conversations passed on, and the audit.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from quarterdeck.approvals import store as approvals
from quarterdeck.approvals.links import Links
from quarterdeck.audit import store as audit
from quarterdeck.audit.records import Entry
from quarterdeck.core.errors import Error
from quarterdeck.core.json import fingerprint
from quarterdeck.db.records import Tx
from quarterdeck.escalations import store as escalations
from quarterdeck.runs import store
from quarterdeck.runs.events import (
    ApprovalAsked,
    Event,
    ModelCalled,
    RunEscalated,
    RunFinished,
    ToolAnswered,
    ToolCalled,
    ToolDenied,
    ToolFailed,
    ToolUnknown,
)
from quarterdeck.runs.fold import RunState
from quarterdeck.runs.messages import Message
from quarterdeck.runs.parts import Decision
from quarterdeck.runs.records import Effect, Run, Submission
from quarterdeck.runs.service import Runs


@dataclass(frozen=True, slots=True)
class Child:
    """A run to be admitted together with the intent that it carries out."""

    submission: Submission
    messages: tuple[Message, ...]


class ApprovalSpent(Error):
    """The approval of this call can't be used: it was used before, has expired, or is for something else."""

    code, status = "approval.spent", 500


class Ledger:
    """The books of one attempt. `links`: webhooks about questions hold a link that answers."""

    def __init__(self, run: Run, runs: Runs, links: Links | None) -> None:
        self._run = run
        self._runs = runs
        self._links = links
        self._children: dict[str, Child] = {}
        self._entries: dict[str, str] = {}
        self._tools: dict[str, str] = {}

    def note(self, event: ToolCalled) -> None:
        """A call has been intended: its outcome will be entered under the same name."""
        self._tools[event.call] = event.tool
        if event.effect != Effect.READ:
            self._entries[event.call] = store.entry(event.step, event.call)

    def expect(self, child: Child) -> None:
        """A run that the next intent calls: it is admitted with it."""
        self._children[str(child.submission.id)] = child

    def audited(self, events: Sequence[Event]) -> str:
        """What the audit gets for these events, for the statement that appends them."""
        return audit.beside_rows(list(self._audited(events)))

    async def enter(self, tx: Tx, events: Sequence[Event], state: RunState) -> None:
        """Enter what these events mean; `state` is the run's after them.

        Raises ApprovalSpent, and nothing of the transaction may stand then.
        """
        for event in events:
            await self._enter(tx, event, state)

    async def _enter(self, tx: Tx, event: Event, state: RunState) -> None:
        run = self._run
        match event:
            case ToolCalled():
                await self._intend(tx, event)
            case ToolAnswered() | ToolFailed() | ToolUnknown():
                if (entry := self._entries.get(event.call)) is not None:
                    await store.settle(tx, run.tenant, run.id, entry, _STATES[type(event)], "worker")
            case ApprovalAsked():
                await approvals.ask(
                    tx,
                    run.tenant,
                    run.id,
                    event,
                    agent=run.agent,
                    release=run.release,
                    user=run.user_id,
                    links=self._links,
                )
            case RunEscalated():
                await escalations.open(
                    tx, run.tenant, run.id, event, agent=run.agent, user=run.user_id, thread=run.thread
                )
            case RunFinished() if state.pending:
                await approvals.withdraw(tx, run.tenant, run.id)
            case _:
                pass

    async def _intend(self, tx: Tx, event: ToolCalled) -> None:
        """The intent into the ledger; the approval that allowed it is used up in the same transaction."""
        tenant, run = self._run.tenant, self._run.id
        is_read = event.effect == Effect.READ
        digest = "" if is_read and event.approval is None else fingerprint(event.arguments)
        if event.approval is not None:
            approval, release = UUID(event.approval), self._run.release
            used = await approvals.consume(
                tx, tenant, approval, digest, run=run, call=event.call, tool=event.tool, release=release
            )
            if not used:
                raise ApprovalSpent(approval=event.approval)
        if event.child is not None and (child := self._children.get(event.child)) is not None:
            await self._runs.delegate(tx, child.submission, child.messages)
        if not is_read:
            await store.intend(tx, tenant, run, _intent(event, digest))

    def _audited(self, events: Sequence[Event]) -> Iterator[tuple[int, Entry]]:
        for at, event in enumerate(events, 1):
            match event:
                case ToolCalled() | ToolDenied() | ApprovalAsked():
                    yield at, self._entry(event, event.tool, event.call, event.decision)
                case ModelCalled():
                    yield at, self._entry(event, event.model, event.call, event.decision)
                case ToolAnswered() | ToolFailed() | ToolUnknown():
                    tool = self._tools.get(event.call, "")
                    yield at, self._entry(event, tool, event.call, None, _STATES[type(event)])
                case RunEscalated():
                    yield at, self._entry(event, event.to, event.call)
                case _:
                    pass

    def _entry(
        self,
        event: Event,
        action: str,
        call: str,
        decision: Decision | None = None,
        status: str = "",
    ) -> Entry:
        run = self._run
        return Entry(
            tenant=run.tenant,
            kind=event.kind,
            actor=f"agent:{run.agent}",
            action=action,
            run=run.id,
            call=call,
            user=run.user_id,
            release=run.release,
            verdict=decision.verdict if decision else "",
            rule=decision.rule if decision else "",
            approved_by=_approved_by(event),
            status=status,
            effective=decision.effective if decision else "",
        )


_STATES: dict[type[Event], str] = {ToolAnswered: "happened", ToolFailed: "failed", ToolUnknown: "unknown"}


def _approved_by(event: Event) -> tuple[str, ...]:
    """Who or what let a call pass."""
    if not isinstance(event, ToolCalled):
        return ()
    return (*event.approved_by, *(f"policy:{policy}" for policy in event.decision.policies))


def _intent(event: ToolCalled, digest: str) -> store.EffectIntent:
    return store.EffectIntent(
        store.entry(event.step, event.call),
        event.tool,
        event.effect,
        event.repeat,
        event.key,
        digest,
        datetime.fromtimestamp(event.not_after / 1000, UTC),
    )
