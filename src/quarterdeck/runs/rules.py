"""What may happen to a run from outside its worker, and how it is named and judged for people. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from quarterdeck.core.errors import Conflict, NotFound
from quarterdeck.core.text import shorten
from quarterdeck.runs.events import ApprovalAnswered, ToolUnknown
from quarterdeck.runs.fold import RunState
from quarterdeck.runs.messages import Message, UserMessage, words
from quarterdeck.runs.records import ENDED, LIVE, Effect, Run, Status

RISK = {
    Effect.READ: "read",
    Effect.WRITE: "write",
    Effect.EXTERNAL_MESSAGE: "write",
    Effect.PAYMENT: "money",
    Effect.DELETION: "irreversible",
    Effect.ACCESS_CHANGE: "irreversible",
    Effect.PRODUCTION_CHANGE: "irreversible",
}
_ORDER = ("read", "write", "money", "irreversible")


class AlreadyEnded(Conflict):
    """This run has ended; nothing more can happen to it except a retry."""

    code = "run.already_ended"


class NotRetryable(Conflict):
    """Only a run that failed, stopped or was cancelled can be retried."""

    code = "run.not_retryable"


class NoSuchDoubt(NotFound):
    """This run has no call of that id whose outcome is unknown."""

    code = "run.no_such_unknown_outcome"


class TooEarlyToSay(Conflict):
    """The call may still be on its way; its outcome can be named after `ask_after`, once no worker has the run."""

    code = "run.too_early_to_say"


@dataclass(frozen=True, slots=True)
class EndNow:
    """Nobody executes the run: whoever asks ends it in the same transaction."""


@dataclass(frozen=True, slots=True)
class Interrupt:
    """A worker executes the run: tell it, and let it account for what is in flight."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """It is being cancelled already."""


def judge_cancel(run: Run) -> EndNow | Interrupt | Nothing:
    """How a cancel request takes effect. Raises AlreadyEnded."""
    if run.status in ENDED:
        raise AlreadyEnded(run_id=str(run.id), run_status=run.status)
    if run.status is Status.CANCELLING:
        return Nothing()
    return Interrupt() if run.status in LIVE else EndNow()


def judge_retry(run: Run) -> None:
    """Whether a run may go on from its last checkpoint. Raises NotRetryable."""
    if run.status not in {Status.FAILED, Status.STOPPED, Status.CANCELLED}:
        raise NotRetryable(run_id=str(run.id), run_status=run.status)


def judge_outcome(run: Run, state: RunState, call: str, now: datetime) -> ToolUnknown:
    """The doubt that an answer settles. Raises NoSuchDoubt, or TooEarlyToSay while the call could still begin.

    A worker that has the run in its hands would not learn of the answer, so it is too early then as well.
    """
    unknown = next((one.unknown for one in state.unknown if one.call.id == call), None)
    if unknown is None:
        raise NoSuchDoubt(call=call, unknown=[one.call.id for one in state.unknown])
    if run.status in LIVE:
        raise TooEarlyToSay(call=call, run_status=run.status, ask_after=unknown.ask_after, retry_after=1)
    if now.timestamp() * 1000 < unknown.ask_after:
        wait = timedelta(milliseconds=unknown.ask_after - now.timestamp() * 1000)
        raise TooEarlyToSay(call=call, ask_after=unknown.ask_after, retry_after=int(wait.total_seconds()) + 1)
    return unknown


def abandoned(state: RunState) -> tuple[ToolUnknown, ...]:
    """Doubts about calls that a dead attempt had sent, for a run that ends before anybody takes it up again."""
    return tuple(
        ToolUnknown(
            call=one.call.id,
            tool=one.intent.tool,
            why="the run was cancelled before anybody could find out",
            ask_after=one.intent.not_after + one.intent.timeout_ms,
        )
        for one in state.calls
        if one.intent and one.intent.effect != Effect.READ and one.outcome is None and one.unknown is None
    )


def withdrawn(state: RunState) -> tuple[ApprovalAnswered, ...]:
    """Questions that nobody has to answer any more, for a run that ends before somebody has."""
    return tuple(
        ApprovalAnswered(
            call=one.call.id,
            approval=one.asked.approval,
            state="withdrawn",
            why="its run ended before anybody answered",
        )
        for one in state.pending
        if one.asked
    )


def highest(risks: Iterable[str]) -> str:
    """The highest of some risk levels."""
    return max(risks, key=_ORDER.index, default="read")


def title(messages: Sequence[Message]) -> str:
    """The first words of the input, for lists."""
    for message in messages:
        if isinstance(message, UserMessage):
            return shorten(" ".join(words(message.content).split()), 120)
    return ""
