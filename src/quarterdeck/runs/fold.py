"""The state of a run is the fold of its log, and nothing else: whoever reads the same events goes on in the same way.

Pure: no clock, no I/O. A worker folds once when it claims a run and applies each event that it appends from then on.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import cast

import msgspec
from msgspec.structs import replace

from quarterdeck.core.json import Json, canonical
from quarterdeck.runs import events as e
from quarterdeck.runs.messages import (
    Call,
    Content,
    Label,
    Message,
    ModelMessage,
    ToolMessage,
    Trust,
    Usage,
    UserMessage,
)
from quarterdeck.runs.records import Status, StoredEvent


class CallState(msgspec.Struct, frozen=True):
    """One call of the present turn: asked for, perhaps put before a person, perhaps sent, perhaps answered."""

    call: Call
    intent: e.ToolCalled | None = None
    attempt: int = 0
    outcome: ToolMessage | None = None
    unknown: e.ToolUnknown | None = None
    asked: e.ApprovalAsked | None = None
    said: e.ApprovalAnswered | None = None

    @property
    def pending(self) -> bool:
        """Whether a person has been asked and has not answered."""
        return self.asked is not None and self.said is None and self.outcome is None

    @property
    def settled(self) -> bool:
        """Whether nothing more is done for it: it has its outcome, or only somebody outside can name it."""
        return self.outcome is not None or self.unknown is not None


class RunState(msgspec.Struct, frozen=True):
    """Everything that decides how a run goes on. `messages` are this run's own; the thread's come before them.

    `faults` counts model calls in a row that came to nothing, and `held` those that the provider had no room for;
    `active_ms` is execution before `active_since`. `shortened` is what the model is shown less of, all shortenings in
    one, and `summaries` are all that it was ever shown; `counted` are the input tokens of the last step as its provider
    counted them. `closing` is set once nothing but a last answer is asked for; `asides` counts questions that are no
    step of the conversation.
    """

    admitted: e.RunAdmitted | None = None
    attempt: int = 0
    last_seq: int = 0
    history: tuple[str, ...] | None = None
    messages: tuple[Message, ...] = ()
    steps: int = 0
    asked: e.ModelCalled | None = None
    asked_attempt: int = 0
    answer: e.ModelAnswered | None = None
    calls: tuple[CallState, ...] = ()
    turns: tuple[str, ...] = ()
    tools_called: Mapping[str, int] = {}
    tool_calls: int = 0
    affected: int = 0
    failed_calls: int = 0
    usage: Usage = Usage()
    cost: int = 0
    faults: int = 0
    held: int = 0
    nudges: tuple[str, ...] = ()
    rejected: e.OutputRejected | None = None
    parked: e.RunParked | None = None
    cancel: e.CancelRequested | None = None
    finished: e.RunFinished | None = None
    escalated: e.RunEscalated | None = None
    input_judged: e.GuardrailJudged | None = None
    output_judged: e.GuardrailJudged | None = None
    shortened: e.ContextShortened | None = None
    summaries: tuple[Message, ...] = ()
    counted: int = 0
    closing: e.RunClosing | None = None
    asides: int = 0
    active_ms: int = 0
    active_since: datetime | None = None
    last_at: datetime | None = None

    @property
    def status(self) -> Status:
        """The status that this log amounts to, as far as the log alone tells it."""
        if self.finished:
            return Status(self.finished.status)
        if self.parked:
            return Status(self.parked.status)
        return Status.RUNNING if self.active_since else Status.QUEUED

    def active_ms_at(self, now: datetime) -> int:
        """Milliseconds of execution until `now`; time in the queue, parked or without a living worker doesn't count."""
        if self.active_since is None:
            return self.active_ms
        return self.active_ms + max(0, _ms(self.active_since, now))

    @property
    def unknown(self) -> tuple[CallState, ...]:
        """Calls of this turn whose outcome somebody must name."""
        return tuple(call for call in self.calls if call.unknown is not None and call.outcome is None)

    @property
    def pending(self) -> tuple[CallState, ...]:
        """Calls of this turn that wait for a person's yes."""
        return tuple(call for call in self.calls if call.pending)

    @property
    def children(self) -> tuple[CallState, ...]:
        """Calls of this turn that another run carries out at the moment."""
        return tuple(
            call
            for call in self.calls
            if call.intent is not None and call.intent.child is not None and not call.settled
        )


PATIENT = frozenset({"paced", "rate_limited", "overloaded"})
"""What a provider says, or is spared, that has too much to do: a run waits for it as long as it takes."""
CLOSING = "closing"
"""The purpose of the question for a last answer."""


def is_aside(event: e.ModelCalled | e.ModelAnswered | e.ModelFailed) -> bool:
    """Whether a question is no step of the conversation: a summary, a judge."""
    return event.purpose not in {"", CLOSING}


NEW = RunState()
"""The state before the first event."""


def fold(rows: Iterable[StoredEvent], state: RunState = NEW) -> RunState:
    """The state after these rows of the log, oldest first. Raises UnknownEvent for events of a newer version."""
    for row in rows:
        state = apply(state, e.read(row.kind, row.v, row.data), row.attempt, row.at)
        if row.seq > state.last_seq:
            state = replace(state, last_seq=row.seq)
    return state


def apply(state: RunState, event: e.Event, attempt: int, at: datetime) -> RunState:
    """The state after one more event that happened in `attempt` at `at`."""
    after = _RULES[type(event)](state, event, attempt, at)
    return replace(after, last_at=at)


def _admitted(state: RunState, event: e.RunAdmitted, _attempt: int, _at: datetime) -> RunState:
    return replace(state, admitted=event, messages=event.input)


def _claimed(state: RunState, _event: e.RunClaimed, attempt: int, at: datetime) -> RunState:
    # The time between the dead worker's last event and this claim was nobody's work.
    return replace(_idle(state, state.last_at), attempt=attempt, parked=None, active_since=at)


def _continued(state: RunState, event: e.ThreadContinued, _attempt: int, _at: datetime) -> RunState:
    return replace(state, history=event.runs)


def _added(state: RunState, event: e.MessageAdded, _attempt: int, _at: datetime) -> RunState:
    return replace(state, messages=(*state.messages, event.message), nudges=(*state.nudges, event.cause), answer=None)


def _judged(state: RunState, event: e.GuardrailJudged, _attempt: int, _at: datetime) -> RunState:
    if event.edge != "input":
        return replace(state, output_judged=event)
    messages = event.replaced or state.messages
    if event.verdict == "label":
        messages = tuple(_distrusted(message) for message in messages)
    return replace(state, input_judged=event, messages=messages)


def _distrusted(message: Message) -> Message:
    if not isinstance(message, UserMessage):
        return message
    content = tuple(replace(part, label=None) for part in message.content)
    return UserMessage(content, Label(message.label.source, Trust.UNTRUSTED))


def _shortened(state: RunState, event: e.ContextShortened, _attempt: int, _at: datetime) -> RunState:
    before = state.shortened
    if before is not None and event.messages_upto <= before.messages_upto:
        # The summary that there was goes on standing for what it stands for.
        event = replace(event, messages_upto=before.messages_upto, summary=before.summary)
    if before is not None and event.results_upto < before.results_upto:
        event = replace(event, results_upto=before.results_upto)
    fresh = event.summary is not None and (before is None or event.summary is not before.summary)
    summaries = (*state.summaries, event.summary) if fresh and event.summary is not None else state.summaries
    return replace(state, shortened=event, summaries=summaries)


def _closing(state: RunState, event: e.RunClosing, _attempt: int, _at: datetime) -> RunState:
    return replace(state, closing=event, asked=None, answer=None, faults=0)


def _model_called(state: RunState, event: e.ModelCalled, attempt: int, _at: datetime) -> RunState:
    if is_aside(event):
        return replace(state, asides=state.asides + 1)
    asked = replace(state, asked=event, asked_attempt=attempt, answer=None, output_judged=None)
    return asked if event.purpose == CLOSING else replace(asked, steps=event.step)


def _model_answered(state: RunState, event: e.ModelAnswered, _attempt: int, _at: datetime) -> RunState:
    state = replace(state, usage=state.usage.plus(event.usage), cost=state.cost + (event.cost or 0))
    if is_aside(event):
        return state
    message = ModelMessage(event.content)
    if event.purpose == CLOSING:
        return replace(state, asked=None, answer=event, messages=(*state.messages, message), faults=0, held=0)
    calls = tuple(CallState(call) for call in message.calls)
    return replace(
        state,
        asked=None,
        answer=event,
        messages=(*state.messages, message),
        counted=event.usage.input,
        calls=calls,
        turns=(*state.turns, _signature(message.calls)) if calls else state.turns,
        faults=0,
        held=0,
    )


def _model_failed(state: RunState, event: e.ModelFailed, _attempt: int, _at: datetime) -> RunState:
    if event.presumed:
        state = replace(state, cost=state.cost + event.presumed)
    if event.retry_in_ms is not None or is_aside(event):
        return state
    if event.code in PATIENT and event.purpose != CLOSING:
        return replace(state, asked=None, held=state.held + 1)
    return replace(state, asked=None, faults=state.faults + 1)


def _unchanged(state: RunState, _event: e.Event, _attempt: int, _at: datetime) -> RunState:
    return state


def _tool_called(state: RunState, event: e.ToolCalled, attempt: int, _at: datetime) -> RunState:
    first = not any(call.call.id == event.call and call.intent for call in state.calls)
    counted = {**state.tools_called, event.tool: state.tools_called.get(event.tool, 0) + 1}
    return replace(
        state,
        calls=_with(state.calls, event.call, lambda call: replace(call, intent=event, attempt=attempt)),
        tools_called=counted if first else state.tools_called,
        tool_calls=state.tool_calls + first,
        affected=state.affected + (event.records if first else 0),
    )


def _tool_denied(state: RunState, event: e.ToolDenied, _attempt: int, _at: datetime) -> RunState:
    return _settle(state, event.call, event.content, is_error=True)


def _approval_asked(state: RunState, event: e.ApprovalAsked, _attempt: int, _at: datetime) -> RunState:
    return replace(state, calls=_with(state.calls, event.call, lambda call: replace(call, asked=event, said=None)))


def _approval_answered(state: RunState, event: e.ApprovalAnswered, _attempt: int, _at: datetime) -> RunState:
    def take(call: CallState) -> CallState:
        return replace(call, said=event) if call.asked and call.asked.approval == event.approval else call

    return replace(state, calls=_with(state.calls, event.call, take))


def _escalated(state: RunState, event: e.RunEscalated, _attempt: int, _at: datetime) -> RunState:
    return replace(state, escalated=event)


def _tool_answered(state: RunState, event: e.ToolAnswered, _attempt: int, _at: datetime) -> RunState:
    message = ToolMessage(event.call, _tool_of(state, event.call), event.content, event.is_error, event.label)
    return _close_turn(replace(state, calls=_outcome(state.calls, event.call, message)), failed=event.is_error)


def _tool_failed(state: RunState, event: e.ToolFailed, _attempt: int, _at: datetime) -> RunState:
    return _settle(state, event.call, event.content, is_error=True)


def _tool_unknown(state: RunState, event: e.ToolUnknown, _attempt: int, _at: datetime) -> RunState:
    return replace(state, calls=_with(state.calls, event.call, lambda call: replace(call, unknown=event)))


def _tool_resolved(state: RunState, event: e.ToolResolved, _attempt: int, _at: datetime) -> RunState:
    return _settle(state, event.call, event.content, is_error=event.outcome != "happened")


def _parked(state: RunState, event: e.RunParked, _attempt: int, at: datetime) -> RunState:
    return replace(_idle(state, at), parked=event)


def _released(state: RunState, event: e.RunReleased, _attempt: int, at: datetime) -> RunState:
    # A sweep writes this long after the worker's death: only up to its last event did anybody work.
    return _idle(state, state.last_at if event.why == "lease" else at)


def _resumed(state: RunState, _event: e.RunResumed, _attempt: int, _at: datetime) -> RunState:
    return replace(state, parked=None)


def _retried(state: RunState, _event: e.RunRetried, _attempt: int, _at: datetime) -> RunState:
    if _is_a_dead_end(state):
        state = replace(state, answer=None, messages=state.messages[:-1])
    return replace(
        state,
        finished=None,
        escalated=None,
        parked=None,
        cancel=None,
        asked=None,
        rejected=None,
        nudges=(),
        turns=(),
        faults=0,
        active_ms=0,
        closing=None,
        output_judged=None,
    )


def _is_a_dead_end(state: RunState) -> bool:
    """Whether what was said last is nothing to go on from: it told of a stop, or was withheld."""
    answer, judged = state.answer, state.output_judged
    if answer is None or not state.messages or not isinstance(state.messages[-1], ModelMessage):
        return False
    return answer.purpose == CLOSING or (judged is not None and judged.verdict in {"deny", "ask"})


def _cancel_requested(state: RunState, event: e.CancelRequested, _attempt: int, _at: datetime) -> RunState:
    return replace(state, cancel=event)


def _output_rejected(state: RunState, event: e.OutputRejected, _attempt: int, _at: datetime) -> RunState:
    return replace(state, rejected=event)


def _finished(state: RunState, event: e.RunFinished, _attempt: int, at: datetime) -> RunState:
    return replace(_idle(state, at), finished=event, parked=None)


_Rule = Callable[[RunState, e.Event, int, datetime], RunState]
_RULES: dict[type[e.Event], _Rule] = cast(
    "dict[type[e.Event], _Rule]",
    {
        e.RunAdmitted: _admitted,
        e.RunClaimed: _claimed,
        e.ThreadContinued: _continued,
        e.MessageAdded: _added,
        e.GuardrailJudged: _judged,
        e.ContextShortened: _shortened,
        e.RunClosing: _closing,
        e.ModelCalled: _model_called,
        e.ModelAnswered: _model_answered,
        e.ModelFailed: _model_failed,
        e.ModelDrifted: _unchanged,
        e.ToolCalled: _tool_called,
        e.ToolDenied: _tool_denied,
        e.ApprovalAsked: _approval_asked,
        e.ApprovalAnswered: _approval_answered,
        e.RunEscalated: _escalated,
        e.ToolAnswered: _tool_answered,
        e.ToolFailed: _tool_failed,
        e.ToolUnknown: _tool_unknown,
        e.ToolResolved: _tool_resolved,
        e.RunParked: _parked,
        e.RunReleased: _released,
        e.RunResumed: _resumed,
        e.RunRetried: _retried,
        e.CancelRequested: _cancel_requested,
        e.OutputRejected: _output_rejected,
        e.RunFinished: _finished,
    },
)


def _ms(start: datetime, end: datetime) -> int:
    return int((end - start).total_seconds() * 1000)


def _idle(state: RunState, at: datetime | None) -> RunState:
    if state.active_since is None:
        return state
    worked = max(0, _ms(state.active_since, at)) if at else 0
    return replace(state, active_ms=state.active_ms + worked, active_since=None)


def _with(calls: tuple[CallState, ...], id_: str, change: Callable[[CallState], CallState]) -> tuple[CallState, ...]:
    return tuple(change(call) if call.call.id == id_ else call for call in calls)


def _outcome(calls: tuple[CallState, ...], id_: str, message: ToolMessage) -> tuple[CallState, ...]:
    # The first outcome of a call stands: a second one could only come from a worker that was fenced out.
    return _with(calls, id_, lambda call: call if call.outcome else replace(call, outcome=message))


def _tool_of(state: RunState, id_: str) -> str:
    return next((call.call.tool for call in state.calls if call.call.id == id_), "")


def _settle(state: RunState, id_: str, content: tuple[Content, ...], *, is_error: bool) -> RunState:
    message = ToolMessage(id_, _tool_of(state, id_), content, is_error)
    return _close_turn(replace(state, calls=_outcome(state.calls, id_, message)), failed=is_error)


def _close_turn(state: RunState, *, failed: bool) -> RunState:
    """Once each call has its outcome, the results join the conversation in the order in which they were asked for."""
    state = replace(state, failed_calls=state.failed_calls + failed)
    outcomes = tuple(call.outcome for call in state.calls if call.outcome)
    if len(outcomes) < len(state.calls):
        return state
    return replace(state, messages=(*state.messages, *outcomes), calls=(), answer=None)


def _signature(calls: tuple[Call, ...]) -> str:
    """What a turn asks for, so that the same turn again is recognised."""
    asked: list[Json] = [[call.tool, call.arguments, call.raw] for call in calls]
    try:
        return canonical(asked).decode()
    except ValueError:  # integers beyond 2^53 have no canonical form
        return repr(asked)
