"""Reading a result again that the model is shown as a reference: checked and written down like any call of a tool.

Nothing leaves the process and nothing new comes in: the answer is a page of what this conversation holds, under the
label that it came with.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from quarterdeck.context.view import READ_RESULT, NotKept, Page, read_again
from quarterdeck.gates.builtin import READING
from quarterdeck.gates.checks import BLIND_PAUSE, SWITCH_PAUSE
from quarterdeck.gates.gathering import in_force
from quarterdeck.gates.intents import Later, Refusal, ToolFacts, idempotency_key
from quarterdeck.gates.records import ALLOW, Check, Ruling, deny, not_now
from quarterdeck.gates.rules import decide
from quarterdeck.releases.records import Limits
from quarterdeck.runs.events import ToolAnswered, ToolCalled
from quarterdeck.runs.messages import Call, Message
from quarterdeck.runs.records import Effect, Repeat
from quarterdeck.switches.records import Standing
from quarterdeck.tools.schemas import Schema

_SCHEMA = Schema(READING)


@dataclass(frozen=True, slots=True)
class Reading:
    """What the checks look at; `said` is the whole conversation."""

    call: Call
    facts: ToolFacts
    limits: Limits
    standing: Standing
    said: Sequence[Message]

    @property
    def page(self) -> Page | NotKept:
        """What would be shown. Only of arguments that fit the schema."""
        begin, end = self.call.arguments.get("from"), self.call.arguments.get("to")
        ref = str(self.call.arguments.get("ref", ""))
        return read_again(self.said, ref, _whole(begin) or 0, _whole(end))


@dataclass(frozen=True, slots=True)
class Shown:
    """The call, and what it came to: both go into the log together."""

    call: ToolCalled
    answer: ToolAnswered


ReadingVerdict: TypeAlias = Shown | Refusal | Later


def switch(reading: Reading) -> Ruling:
    """No switch stands against the agent's calls, and this worker knows that."""
    standing = reading.standing
    if not standing.known:
        return not_now("Which switches are thrown is not known here at the moment.", BLIND_PAUSE, "unknown")
    if standing.paused:
        return not_now(standing.paused, SWITCH_PAUSE, "paused")
    return deny(standing.denied) if standing.denied else ALLOW


def schema(reading: Reading) -> Ruling:
    """The arguments name a result and, if at all, where to begin and to stop."""
    if reading.call.raw is not None:
        return deny('Its arguments are not a JSON object. Send them as one, for example {"ref": "r12"}.')
    problems = _SCHEMA.problems(reading.call.arguments)
    listed = "\n".join(f"- {problem}" for problem in problems)
    return deny(f"Its arguments do not fit the schema:\n{listed}") if problems else ALLOW


def limits(reading: Reading) -> Ruling:
    """The run may make another call."""
    most = reading.limits.max_tool_calls
    if reading.facts.tool_calls >= most:
        return deny(f"The limit of {most} tool calls a run is reached. Answer with what you have.", "tool_calls")
    return ALLOW


def kept(reading: Reading) -> Ruling:
    """There is a result of that name, and something of it in that place."""
    page = reading.page
    return deny(page.why) if isinstance(page, NotKept) else ALLOW


CHECKS: tuple[Check[Reading], ...] = (switch, schema, limits, kept)
"""The order is the contract."""


def read(reading: Reading) -> ReadingVerdict:
    """The page of a kept result as events to append, a refusal that the model is told, or "not now"."""
    call = reading.call
    decision = decide(CHECKS, reading, in_force("", "", reading.standing.switches))
    if decision.later_ms is not None:
        return Later(call, "switch", decision.reason, decision.later_ms / 1000)
    page = None if decision.verdict != "allow" else reading.page
    if not isinstance(page, Page):
        return Refusal(call, decision)
    called = ToolCalled(
        step=reading.facts.step,
        call=call.id,
        tool=READ_RESULT,
        arguments=call.arguments,
        effect=Effect.READ,
        repeat=Repeat.SAFE,
        decision=decision,
        key=idempotency_key(reading.facts, call.id),
        approved_by=("builtin",),
    )
    return Shown(called, ToolAnswered(call=call.id, content=page.content, label=page.label, size=page.size))


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
