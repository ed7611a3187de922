"""No known secret is shown to a model, and none stands in its words when anybody reads them: log, stream or person."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar, cast

import msgspec

from quarterdeck.core.json import JsonObject
from quarterdeck.models.records import Delta, ModelAnswer, ModelFault, ModelRequest
from quarterdeck.runs.messages import Call, Content, Message, ModelMessage, Spoken, Stored, Text, Thinking
from quarterdeck.secrets.redaction import Cleaning, Trickle

Part = TypeVar("Part", Content, Spoken)


def asked(request: ModelRequest, cleaning: Cleaning) -> ModelRequest:
    """The question without secrets. Messages that hold none are the same objects, so that they are not sent anew."""
    if not cleaning.redactor:
        return request
    return replace(
        request,
        system=cleaning.text(request.system),
        messages=[_message(message, cleaning) for message in request.messages],
    )


def answered(answer: ModelAnswer, cleaning: Cleaning) -> ModelAnswer:
    """The answer without secrets, arguments of calls included."""
    if not cleaning.redactor:
        return answer
    content = tuple(_spoken(part, cleaning) for part in answer.content)
    return replace(answer, content=content, differences=tuple(map(cleaning.text, answer.differences)))


def failed(fault: ModelFault, cleaning: Cleaning) -> ModelFault:
    """The fault without secrets: providers like to quote the key that they refuse."""
    if not cleaning.redactor:
        return fault
    return ModelFault(
        cleaning.text(fault.detail),
        code=fault.fault,
        retryable=fault.retryable,
        status=fault.http_status,
        retry_after=fault.retry_after,
        raw=None if fault.raw is None else cleaning.text(fault.raw),
        pace=fault.pace,
    )


class Streamed:
    """A try's stream, held back where a secret may be beginning. `end` lets go of what turned out to be none."""

    def __init__(self, delta: Delta, cleaning: Cleaning) -> None:
        self._delta = delta
        self._cleaning = cleaning
        self._trickles: dict[str, Trickle] = {}

    def take(self, kind: str, piece: str) -> None:
        """The next piece of some kind."""
        trickle = self._trickles.get(kind)
        if trickle is None:
            trickle = self._trickles[kind] = Trickle(self._cleaning)
        if shown := trickle.feed(piece):
            self._delta(kind, shown)

    def end(self) -> None:
        """There is no more."""
        for kind, trickle in self._trickles.items():
            if rest := trickle.rest():
                self._delta(kind, rest)


def _message(message: Message, cleaning: Cleaning) -> Message:
    if isinstance(message, ModelMessage):
        spoken = tuple(_spoken(part, cleaning) for part in message.content)
        return message if _same(spoken, message.content) else ModelMessage(spoken)
    said = tuple(_content(part, cleaning) for part in message.content)
    return message if _same(said, message.content) else msgspec.structs.replace(message, content=said)


def _content(part: Content, cleaning: Cleaning) -> Content:
    if isinstance(part, Stored):
        begins = cleaning.text(part.begins)
        return part if begins == part.begins else msgspec.structs.replace(part, begins=begins)
    text = cleaning.text(part.text)
    return part if text == part.text else Text(text, part.label, part.opaque)


def _spoken(part: Spoken, cleaning: Cleaning) -> Spoken:
    match part:
        case Text() | Stored():
            return _content(part, cleaning)
        case Thinking():
            text = cleaning.text(part.text)
            # What was signed is not that any more, so the signature goes as well.
            return part if text == part.text else Thinking(text)
        case Call():
            arguments = cast("JsonObject", cleaning.json(part.arguments))
            raw = None if part.raw is None else cleaning.text(part.raw)
            if arguments == part.arguments and raw == part.raw:
                return part
            return Call(part.id, part.tool, arguments, raw, part.opaque)


def _same(one: Sequence[Part], other: Sequence[Part]) -> bool:
    return all(a is b for a, b in zip(one, other, strict=True))
