"""A model that follows a script: what tests and benches ask, where only the runtime around the model is of interest.

A script is a Python callable, or JSON among a connection's options, where a line stands for one step of a run:
`{"steps": [{"call": "lookup", "arguments": {"page": "{n}"}, "times": 4}, {"text": "done"}]}`. `{n}` in a string is the
number of the repetition, from 1; alone it becomes that number.
"""

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from quarterdeck.core.ids import RunId
from quarterdeck.core.json import Json
from quarterdeck.models.prices import UNPRICED, Prices
from quarterdeck.models.records import RETRYABLE, Delta, Fault, ModelAnswer, ModelFault, ModelRequest
from quarterdeck.providers.options import ScriptedOptions
from quarterdeck.runs.messages import USER, Call, Spoken, Text, Thinking, Usage, UserMessage


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model says next, after `latency` seconds."""

    content: tuple[Spoken, ...] = ()
    finish: str | None = None
    usage: Usage = Usage(input=100, output=10)
    cost: int | None = None
    latency: float = 0.0
    served_model: str | None = None


Script: TypeAlias = Callable[[ModelRequest], Reply]
"""Decides from the whole request; may raise ModelFault. `request.step` counts a run's questions from 1."""


def say(text: str, usage: Usage = Usage(input=100, output=10)) -> Reply:  # frozen
    """Words and nothing else."""
    return Reply((Text(text),), usage=usage)


def call(tool: str, arguments: Mapping[str, Json] | None = None, call_id: str = "call_1") -> Reply:
    """One tool call."""
    return Reply((Call(call_id, tool, dict(arguments or {})),))


class Scripted:
    """Asks the script. Nothing here costs more as a conversation grows."""

    def __init__(self, script: Script, *, latency: float = 0.0, prices: Prices = UNPRICED) -> None:
        self._script = script
        self._prices = prices
        self._latency = latency

    @classmethod
    def read(cls, options: ScriptedOptions, prices: Prices = UNPRICED) -> "Scripted":
        """From a connection's options. Raises ValueError for a script that can't be read."""
        script = msgspec.json.decode(options.script, type=Lines)
        return cls(Reading(script), latency=options.latency_ms / 1000, prices=prices)

    async def answer(self, request: ModelRequest, delta: Delta | None) -> ModelAnswer:
        """What the script says. Raises ModelFault where it does."""
        started = time.monotonic()
        reply = self._script(request)
        if latency := reply.latency or self._latency:
            await asyncio.sleep(latency)
        if delta is not None:
            for kind, text in _streamed(reply.content):
                delta(kind, text)
        ms = int((time.monotonic() - started) * 1000)
        served = reply.served_model or request.pin.id
        return ModelAnswer(
            content=reply.content,
            finish=reply.finish or ("calls" if any(isinstance(part, Call) for part in reply.content) else "stop"),
            served_model=served,
            usage=reply.usage,
            cost=self._prices.charge(request.pin.id, served, reply.usage) if reply.cost is None else reply.cost,
            response_id=None,
            ms=ms,
            first_token_ms=ms if delta is not None else None,
        )

    async def close(self) -> None:
        """Nothing is held open."""


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One step of a script: `text`, a `call` with its `arguments`, several `calls` at once, or a `fault`.

    `times` repeats it. A fault is met by one try; the try after it, of the same step, gets the next line.
    """

    call: str | None = None
    arguments: dict[str, object] = {}
    calls: tuple["Line", ...] = ()
    text: str | None = None
    thinking: str | None = None
    fault: Fault | None = None
    retry_after: float | None = None
    finish: str | None = None
    usage: Usage = Usage(input=100, output=10)
    cost: int | None = None
    latency_ms: float = 0.0
    served_model: str | None = None
    times: int = 1


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Steps for runs whose user said something that matches a regular expression."""

    when: str
    steps: tuple[Line, ...]


class Lines(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A script: the first rule that matches, else `steps`. At its end it says its last line again.

    `beside` answers questions that are no step of the conversation, by purpose: `closing`, `summary`, `judge`.
    """

    steps: tuple[Line, ...] = (Line(text="done"),)
    rules: tuple[Rule, ...] = ()
    beside: Mapping[str, Line] = {}


_Unrolled: TypeAlias = tuple[tuple[Line, int], ...]
"""Lines with their repetitions laid out, so that a step is an index."""


class Reading:
    """Plays a written script. Raises ValueError for a rule that is no regular expression or a script without steps."""

    def __init__(self, script: Lines) -> None:
        try:
            self._beside_lines = script.beside
            self._rules = [(re.compile(rule.when), _unroll(rule.steps)) for rule in script.rules]
        except re.error as fault:
            raise ValueError(f"a rule is no regular expression: {fault}") from None
        self._steps = _unroll(script.steps)
        self._chosen: OrderedDict[RunId, _Unrolled] = OrderedDict()
        self._failed: dict[RunId, int] = {}

    def __call__(self, request: ModelRequest) -> Reply:
        """The reply to one question. Raises ModelFault where the script says so."""
        if request.purpose:
            return self._beside(request)
        lines = self._lines(request) if self._rules else self._steps
        index = request.step - 1 + self._failed.get(request.run, 0)
        line, n = lines[min(max(index, 0), len(lines) - 1)]
        if line.fault is None:
            return _reply(line, n, request)
        self._failed[request.run] = self._failed.get(request.run, 0) + 1
        raise ModelFault(
            f"The script says {line.fault}.",
            code=line.fault,
            retryable=line.fault in RETRYABLE,
            retry_after=line.retry_after,
        )

    def _beside(self, request: ModelRequest) -> Reply:
        line = self._beside_lines.get(request.purpose)
        if line is None:
            detail = f"The script has no answer for `{request.purpose}`."
            raise ModelFault(detail, code=Fault.NOT_RECORDED, retryable=False)
        if line.fault is not None:
            raise ModelFault(f"The script says {line.fault}.", code=line.fault, retryable=False)
        return _reply(line, 1, request)

    def _lines(self, request: ModelRequest) -> _Unrolled:
        chosen = self._chosen.get(request.run)
        if chosen is None:
            text = _user_text(request)
            chosen = next((lines for pattern, lines in self._rules if pattern.search(text)), self._steps)
            self._chosen[request.run] = chosen
            if len(self._chosen) > _KEPT_RUNS:
                _ = self._chosen.popitem(last=False)
        return chosen


_KEPT_RUNS = 10_000


def _reply(line: Line, n: int, request: ModelRequest) -> Reply:
    content: list[Spoken] = []
    if line.thinking is not None:
        content.append(Thinking(line.thinking))
    if line.text is not None:
        content.append(Text(line.text.replace("{n}", str(n))))
    for index, one in enumerate((line, *line.calls)):
        if one.call is not None:
            arguments = {key: _filled(value, n) for key, value in one.arguments.items()}
            content.append(Call(f"call_{request.step}_{index}", one.call, arguments))
    return Reply(tuple(content), line.finish, line.usage, line.cost, line.latency_ms / 1000, line.served_model)


def _filled(value: object, n: int) -> Json:
    if value == "{n}":
        return n
    return value.replace("{n}", str(n)) if isinstance(value, str) else value  # pyright: ignore[reportReturnType]  # decoded JSON


def _user_text(request: ModelRequest) -> str:
    """What the user said last; the runtime's own words on the user's side do not count."""
    for message in reversed(request.messages):
        if isinstance(message, UserMessage) and message.label.source == USER.source:
            return "".join(part.text for part in message.content if isinstance(part, Text))
    return ""


def _unroll(steps: Sequence[Line]) -> _Unrolled:
    lines = tuple((line, n) for line in steps for n in range(1, line.times + 1))
    if not lines:
        raise ValueError("a script needs at least one step")
    return lines


def _streamed(content: Sequence[Spoken]) -> Iterator[tuple[str, str]]:
    for part in content:
        if isinstance(part, Text | Thinking) and part.text:
            yield ("text" if isinstance(part, Text) else "thinking"), part.text
