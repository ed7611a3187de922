"""Records a conversation with a real model as a cassette, to be replayed for ever without key or network."""

import asyncio
import os
import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, cast

import msgspec

from quarterdeck.core import log as logs
from quarterdeck.core.ids import RunId
from quarterdeck.core.json import Json
from quarterdeck.models import cassettes
from quarterdeck.models.cassettes import Answer, Conversation, Exchange, name_beside
from quarterdeck.models.recorded import TAG, said, tool_digest
from quarterdeck.models.records import Delta, Model, ModelAnswer, ModelRequest
from quarterdeck.models.redaction import Redactor
from quarterdeck.models.turns import newest

T = TypeVar("T")
_log = logs.get(__name__)
_KEPT_RUNS = 1000


@dataclass(slots=True)
class _Tape:
    """One conversation while it is recorded."""

    id: str
    path: Path
    head: Conversation
    calls: list[Exchange] = field(default_factory=list[Exchange])
    beside: dict[str, Answer] = field(default_factory=dict[str, Answer])
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def keep(self) -> None:
        """Write the file anew, whole."""
        whole = msgspec.structs.replace(self.head, calls=tuple(self.calls), beside=dict(self.beside))
        await asyncio.to_thread(_write, self.path, cassettes.write([whole]))


class Recorder:
    """Passes everything through to a model and writes down what was asked and answered, one file a conversation.

    The file is whole after each answer. A cassette that can't be written is logged and costs the run nothing. A
    conversation whose beginning this process has not seen (a run taken over in its middle) is not recorded.
    """

    def __init__(self, model: Model, folder: Path, secrets: Iterable[str] = ()) -> None:
        self._model = model
        self._folder = folder
        self._redactor = Redactor(secrets)
        self._tapes: OrderedDict[RunId, _Tape] = OrderedDict()

    async def answer(self, request: ModelRequest, delta: Delta | None) -> ModelAnswer:
        """The model's own answer."""
        answer = await self._model.answer(request, delta)
        try:
            await self._record(request, answer)
        except Exception:
            _log.exception("model.not_recorded", run=str(request.run))
        return answer

    async def close(self) -> None:
        """Close the model; every file is complete already."""
        await self._model.close()

    async def _record(self, request: ModelRequest, answer: ModelAnswer) -> None:
        position = request.step - 1
        tape = self._tapes.get(request.run)
        if request.purpose:
            if tape is not None:
                await self._record_beside(tape, request, answer)
            return
        tape = tape or (self._begin(request) if position == 0 else None)
        if tape is None or position > len(tape.calls):
            return
        exchange = Exchange(answer=_kept(answer), asked=tuple(said(message) for message in newest(request.messages)))
        async with tape.writing:
            # The same question again (an attempt that died before its answer was kept) replaces the answer.
            tape.calls[position:] = [self._without_secrets(exchange, Exchange)]
            await tape.keep()

    async def _record_beside(self, tape: _Tape, request: ModelRequest, answer: ModelAnswer) -> None:
        async with tape.writing:
            tape.beside[name_beside(request)] = self._without_secrets(_kept(answer), Answer)
            await tape.keep()

    def _begin(self, request: ModelRequest) -> _Tape:
        name = request.tags.get(TAG) or f"{request.agent}-{request.run}"
        head = Conversation(
            id=name,
            calls=(),
            model=request.pin.id,
            system=request.system,
            tools={offer.name: tool_digest(offer) for offer in request.tools if not offer.builtin},
        )
        path = self._folder / f"{re.sub(r'[^A-Za-z0-9._-]+', '-', name).strip('.')[:120] or 'conversation'}.json"
        tape = self._tapes[request.run] = _Tape(name, path, self._without_secrets(head, Conversation))
        if len(self._tapes) > _KEPT_RUNS:
            _ = self._tapes.popitem(last=False)
        return tape

    def _without_secrets(self, value: T, kind: type[T]) -> T:
        return msgspec.convert(_redacted(cast("Json", msgspec.to_builtins(value)), self._redactor), kind)


def _redacted(value: Json, redactor: Redactor) -> Json:
    if isinstance(value, str):
        return redactor.all(value)
    if isinstance(value, Mapping):
        return {key: _redacted(item, redactor) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_redacted(item, redactor) for item in value]
    return value


def _kept(answer: ModelAnswer) -> Answer:
    return Answer(
        content=answer.content,
        finish=answer.finish,
        served_model=answer.served_model,
        usage=answer.usage,
        cost=answer.cost,
        response_id=answer.response_id,
        ms=answer.ms,
        first_token_ms=answer.first_token_ms,
    )


def _write(path: Path, data: bytes) -> None:
    """Replace the file as a whole, so that a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    _ = beside.write_bytes(data)
    _ = beside.replace(path)
