"""What a run does next, decided from its state alone. `Step` is what the job then carries out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from quarterdeck.core.json import Json
from quarterdeck.guardrails.shape import Fits, Misfits, OutputCheck
from quarterdeck.releases.records import Limits
from quarterdeck.runs.events import RunClosing, RunEscalated
from quarterdeck.runs.fold import CallState, RunState
from quarterdeck.runs.messages import ModelMessage, Text
from quarterdeck.runs.records import CHILD, Effect, Repeat, Status, StopReason

EMPTY = "empty"
CUT_OFF = "cut_off"
LOOPING = "looping"
_ADVICE = "Use what you have learnt, try something else, or give your final answer."
REPAIR = "repair"


@dataclass(frozen=True, slots=True)
class CallModel:
    """Ask the model. `again`: the attempt before asked already and got no answer that was kept.

    `closing`: for a last answer and nothing more.
    """

    step: int
    again: bool = False
    closing: bool = False


@dataclass(frozen=True, slots=True)
class JudgeInput:
    """Put what the user said before the input guardrails, once, before any model reads it."""


@dataclass(frozen=True, slots=True)
class Close:
    """A limit is reached: from here on only a last answer is asked for."""

    reason: StopReason
    why: str


@dataclass(frozen=True, slots=True)
class CallTools:
    """Put `fresh` calls before the gate and send what it allows; send `again` those that may be repeated."""

    step: int
    fresh: tuple[CallState, ...]
    again: tuple[CallState, ...]


@dataclass(frozen=True, slots=True)
class Doubt:
    """These calls may or may not have had their effect, and may not be repeated: note that nobody knows."""

    calls: tuple[CallState, ...]


@dataclass(frozen=True, slots=True)
class Nudge:
    """Tell the model something on the user's side of the conversation, then ask again."""

    cause: str
    text: str
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Park:
    """Give the slot back and wait. `reason` names what for, where the status alone does not."""

    status: Status
    why: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Finish:
    """The end. `text` and `output` are the result; everything but success carries a handoff."""

    status: Status
    text: str = ""
    output: Json = None
    reason: StopReason | None = None
    why: str = ""
    error_code: str | None = None


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing to do: the run has ended."""


Step: TypeAlias = CallModel | CallTools | JudgeInput | Close | Doubt | Nudge | Park | Finish | Rest

GRACEFUL = 3
"""The behaviour from which on inputs are judged and a run that has reached a limit is asked for a last answer."""


def next_step(
    state: RunState,
    limits: Limits,
    now: datetime,
    output: OutputCheck | None = None,
    behaviour: int = GRACEFUL,
) -> Step:
    """The one next step. Deterministic: the same state and time give the same step in any process."""
    ended = _ended(state)
    if ended is not None:
        return ended
    step = _open(state, limits, now, output, behaviour)
    if isinstance(step, Close) and behaviour < GRACEFUL:
        return Finish(Status.STOPPED, reason=step.reason, why=step.why)
    return step


def _ended(state: RunState) -> Step | None:
    """What is left to do for a run that has ended, or that somebody has decided to end."""
    if state.finished:
        return Rest()
    if state.cancel:
        return Finish(Status.CANCELLED, why=f"cancelled by {state.cancel.by}")
    if state.escalated:
        return _passed_on(state.escalated)
    for judged in (state.input_judged, state.output_judged):
        if judged is not None and judged.verdict == "deny":
            why = f"the {judged.edge} guardrail {judged.rule} refused it"
            return Finish(Status.STOPPED, judged.reason, reason=StopReason.POLICY, why=why)
    return _closing(state, state.closing) if state.closing else None


def _closing(state: RunState, closing: RunClosing) -> Step:
    """One question for a last answer; if nothing comes of it, what the log knows has to do."""
    if state.answer is None and state.asked is None and not state.faults:
        return CallModel(state.steps + 1, closing=True)
    text = ModelMessage(state.answer.content).text.strip() if state.answer is not None else ""
    return Finish(Status.STOPPED, text, reason=StopReason(closing.reason), why=closing.why)


def _open(state: RunState, limits: Limits, now: datetime, output: OutputCheck | None, behaviour: int) -> Step:
    """What an open run does next."""
    if behaviour >= GRACEFUL and state.input_judged is None and not state.steps:
        return JudgeInput()
    if state.calls:
        return _calls(state, limits, now)
    if state.answer is not None:
        return _answered(state, output)
    return _ask(state, limits, now)


def _passed_on(escalated: RunEscalated) -> Finish:
    why = f"passed to {escalated.to}" + (f": {escalated.why}" if escalated.why else "")
    text = f"I have passed this conversation to a person ({escalated.to}), who will take it from here."
    return Finish(Status.STOPPED, text, reason=StopReason.ESCALATED, why=why)


def _calls(state: RunState, limits: Limits, now: datetime) -> Step:
    waiting = tuple(call for call in state.calls if not call.settled and not call.pending)
    sent = tuple(call for call in waiting if call.intent and call.intent.child is None)
    orphans = tuple(call for call in sent if call.attempt < state.attempt)
    doubtful = tuple(call for call in orphans if not may_repeat(call))
    if doubtful:
        return Doubt(doubtful)
    fresh = tuple(call for call in waiting if call.intent is None)
    if fresh or orphans:
        return _over_calls(state, fresh, limits, now) or CallTools(state.steps, fresh, orphans)
    return _wait(state)


def _wait(state: RunState) -> Park:
    """Nothing of this turn can be done here: a person has to answer, or another run to end."""
    if state.pending:
        return Park(Status.WAITING_FOR_APPROVAL, f"{_tools(state.pending)} needs a person's approval")
    if state.unknown:
        return Park(Status.WAITING_FOR_OUTCOME, f"nobody knows whether {_tools(state.unknown)} took effect")
    return Park(Status.WAITING_FOR_RETRY, f"waiting for {_tools(state.children)}", CHILD)


def _tools(calls: tuple[CallState, ...]) -> str:
    return ", ".join(sorted({call.call.tool for call in calls}))


def _over_calls(state: RunState, fresh: tuple[CallState, ...], limits: Limits, now: datetime) -> Close | None:
    if fresh and len(fresh) == len(state.calls) and state.tool_calls + len(fresh) > limits.max_tool_calls:
        return Close(StopReason.CALLS, f"the limit of {limits.max_tool_calls} tool calls is reached")
    if fresh and repeats(state.turns) > limits.max_repeats + 1:
        return Close(StopReason.LOOP, f"the same calls came {repeats(state.turns)} times in a row")
    if fresh and state.active_ms_at(now) > limits.max_seconds * 1000:
        return Close(StopReason.TIME, f"the limit of {limits.max_seconds:g} s of execution is reached")
    return None


def _answered(state: RunState, output: OutputCheck | None) -> Step:
    answer = state.answer
    assert answer is not None
    message = ModelMessage(answer.content)
    text = message.text.strip()
    if answer.finish in {"refusal", "filtered"}:
        said = text or "The model refused to answer."
        return Finish(Status.STOPPED, said, reason=StopReason.POLICY, why=f"the model answered with a {answer.finish}")
    if answer.finish == "length" and CUT_OFF not in state.nudges:
        return Nudge(CUT_OFF, "Your last answer was cut off because it was too long. Answer again, shorter.")
    if not text:
        if EMPTY in state.nudges:
            return Finish(Status.FAILED, why="the model gave an empty answer twice", error_code="model.empty")
        return Nudge(EMPTY, "Your last answer was empty. Give your final answer, or call a tool.")
    if output is None:
        return Finish(Status.SUCCEEDED, text)
    return _structured(state, output.judge(text), text)


def _structured(state: RunState, judged: Fits | Misfits, text: str) -> Step:
    if isinstance(judged, Fits):
        return Finish(Status.SUCCEEDED, text, judged.value)
    if state.rejected is not None:
        why = "the answer did not fit the output schema, even after a repair: " + "; ".join(judged.errors[:3])
        return Finish(Status.FAILED, text, why=why, error_code="output.invalid")
    listed = "\n".join(f"- {error}" for error in judged.errors)
    return Nudge(
        REPAIR,
        f"Your answer does not fit the required JSON schema:\n{listed}\nAnswer with the corrected JSON only.",
        judged.errors,
    )


def _ask(state: RunState, limits: Limits, now: datetime) -> Step:
    again = state.asked is not None
    if not again and state.steps >= limits.max_steps:
        return Close(StopReason.STEPS, f"the limit of {limits.max_steps} steps is reached")
    if state.usage.input + state.usage.output >= limits.max_tokens:
        return Close(StopReason.TOKENS, f"the limit of {limits.max_tokens:,} tokens is reached")
    if state.active_ms_at(now) > limits.max_seconds * 1000:
        return Close(StopReason.TIME, f"the limit of {limits.max_seconds:g} s of execution is reached")
    count = repeats(state.turns)
    if count >= limits.max_repeats and LOOPING not in state.nudges[-1:]:
        if count > limits.max_repeats + 1:
            return Close(StopReason.LOOP, f"the same calls came {count} times in a row")
        return Nudge(
            LOOPING,
            f"You have made the same tool calls {count} times in a row. {_ADVICE}",
        )
    return CallModel(state.asked.step if state.asked else state.steps + 1, again)


def may_repeat(call: CallState) -> bool:
    """Whether a call whose outcome was lost may be sent again: reads always, others by their declared `repeat`."""
    intent = call.intent
    assert intent is not None
    return intent.effect == Effect.READ or intent.repeat in {Repeat.SAFE, Repeat.KEYED}


def lost(state: RunState) -> tuple[CallState, ...]:
    """Effects that were sent and not heard of: a run that ends now won't send them again, and has to say so."""
    return tuple(
        call
        for call in state.calls
        if call.intent and call.intent.child is None and call.intent.effect != Effect.READ and not call.settled
    )


def repeats(turns: Sequence[str], longest: int = 3) -> int:
    """How many times in a row the last turn, or the last cycle of up to `longest` turns, has come."""
    best = 1 if turns else 0
    longest = min(longest, len(turns))
    for period in range(1, longest + 1):
        cycle, count = turns[-period:], 1
        while len(cycle) == period and turns[-(count + 1) * period : -count * period] == cycle:
            count += 1
        best = max(best, count)
    return best


def nudge_text(text: str) -> tuple[Text, ...]:
    """A nudge's words as message content."""
    return (Text(text),)
