"""Our messages as the model layer's and back. What was converted once for a run is not converted again.

The model layer is `pydantic_ai` without its agent loop. Its parts carry ids and signatures that a provider wants back;
they travel through our log as a part's `opaque`, which nobody else reads.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, cast

import msgspec
from pydantic_ai import messages as theirs
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.tools import ToolDefinition

from quarterdeck.core.ids import RunId
from quarterdeck.core.json import Json, JsonObject, encode_text
from quarterdeck.core.text import storable, storable_json
from quarterdeck.models.records import ToolOffer
from quarterdeck.models.spotlight import is_summary, spotlight, untrusted_in
from quarterdeck.runs import messages as ours

_KEPT_MESSAGES = 20_000
"""Converted messages that one connection keeps for the next steps of its runs."""

_SKIPPED_DETAILS = frozenset({"logprobs", "annotations", "timestamp"})

RequestPart: TypeAlias = theirs.UserPromptPart | theirs.ToolReturnPart


@dataclass(slots=True)
class _Converted:
    """One run's conversation so far: our messages, and theirs with as many of ours behind each."""

    source: list[ours.Message] = field(default_factory=list[ours.Message])
    messages: list[theirs.ModelMessage] = field(default_factory=list[theirs.ModelMessage])


class Conversations:
    """Converted conversations by run. Messages are recognised by identity: a run that was folded anew starts over."""

    def __init__(self, provider: str, canonical: str | None) -> None:
        self._provider = provider
        self._canonical = canonical
        self._runs: OrderedDict[RunId, _Converted] = OrderedDict()
        self._kept = 0

    def convert(self, run: RunId, messages: Sequence[ours.Message], mark: str = "") -> list[theirs.ModelMessage]:
        """The whole conversation in their form. Costs as much as has been added since the last call for this run.

        Untrusted results stand between the run's `mark`s, where it has some.
        """
        known = self._runs.pop(run, None)
        if known is None or not _begins_with(messages, known.source):
            self._kept -= len(known.source) if known else 0
            known = _Converted()
        added = messages[len(known.source) :]
        for message in added:
            self._append(known, message, mark)
        self._runs[run] = known
        self._kept += len(added)
        while self._kept > _KEPT_MESSAGES and len(self._runs) > 1:
            _, oldest = self._runs.popitem(last=False)
            self._kept -= len(oldest.source)
        return list(known.messages)

    def _append(self, known: _Converted, message: ours.Message, mark: str) -> None:
        known.source.append(message)
        if isinstance(message, ours.ModelMessage):
            parts = [spoken for part in message.content if (spoken := _spoken(part)) is not None]
            response = theirs.ModelResponse(parts, provider_name=self._provider, canonical_system=self._canonical)
            known.messages.append(response)
            return
        parts = list(_shown(message, mark))
        last = known.messages[-1] if known.messages else None
        if isinstance(last, theirs.ModelRequest):
            # Results of parallel calls belong into one request; a new one, because the old one may be in flight.
            known.messages[-1] = theirs.ModelRequest([*last.parts, *parts])
        else:
            known.messages.append(theirs.ModelRequest(parts))


def tool_definitions(offers: Sequence[ToolOffer]) -> list[ToolDefinition]:
    """Tools as the model is told of them. `strict` stays off: our schemas are the authors', not the vendor's subset."""
    return [
        ToolDefinition(
            name=offer.name,
            parameters_json_schema=dict(offer.parameters),
            description=offer.description or None,
            strict=False,
        )
        for offer in offers
    ]


def output_definition(schema: JsonObject) -> OutputObjectDefinition:
    """The shape that the final answer must have. The vendor enforces it where the schema lies in its subset."""
    return OutputObjectDefinition(json_schema=dict(schema), name="answer")


def spoken_parts(response: theirs.ModelResponse) -> tuple[ours.Spoken, ...]:
    """What a model said, in our form. Parts of no use outside the vendor (its own tools, files) are left out."""
    return tuple(part for given in response.parts if (part := _heard(given)) is not None)


def _begins_with(messages: Sequence[ours.Message], known: Sequence[ours.Message]) -> bool:
    return len(known) <= len(messages) and all(a is b for a, b in zip(known, messages, strict=False))


def _shown(message: ours.UserMessage | ours.ToolMessage, mark: str) -> Iterator[RequestPart]:
    text = "\n".join(part.text if isinstance(part, ours.Text) else part.begins for part in message.content)
    if isinstance(message, ours.UserMessage):
        told = spotlight(text, message.label, mark) if mark and is_summary(message.label) else text
        yield theirs.UserPromptPart(told)
    else:
        label = untrusted_in(message) if mark else None
        text = text if label is None else spotlight(text, label, mark)
        outcome = "failed" if message.is_error else "success"
        yield theirs.ToolReturnPart(message.tool, text, message.call, outcome=outcome)


def _spoken(part: ours.Spoken) -> theirs.TextPart | theirs.ThinkingPart | theirs.ToolCallPart | None:
    if isinstance(part, ours.Stored):
        return theirs.TextPart(part.begins)
    id_, provider, details = _unpack(part.opaque)
    if isinstance(part, ours.Text):
        return theirs.TextPart(part.text, id=id_, provider_name=provider, provider_details=details)
    if isinstance(part, ours.Thinking):
        return theirs.ThinkingPart(
            part.text, id=id_, signature=part.signature, provider_name=provider, provider_details=details
        )
    # Arguments that were no JSON object go back as an object all the same: no vendor takes its own broken text back.
    arguments = {"malformed": part.raw} if part.raw is not None else dict(part.arguments)
    return theirs.ToolCallPart(part.tool, arguments, part.id, id=id_, provider_name=provider, provider_details=details)


def _heard(part: theirs.ModelResponsePart) -> ours.Spoken | None:
    if isinstance(part, theirs.TextPart):
        opaque = _pack(part.id, part.provider_name, part.provider_details)
        return ours.Text(storable(part.content), opaque=opaque) if part.content or opaque else None
    if isinstance(part, theirs.ThinkingPart):
        opaque = _pack(part.id, part.provider_name, part.provider_details)
        return ours.Thinking(storable(part.content), part.signature, opaque)
    if isinstance(part, theirs.ToolCallPart):
        arguments, raw = _arguments(part.args)
        opaque = _pack(part.id, part.provider_name, part.provider_details)
        return ours.Call(storable(part.tool_call_id), storable(part.tool_name), arguments, raw, opaque)
    return None


def _arguments(given: str | Mapping[str, object] | None) -> tuple[JsonObject, str | None]:
    """A call's arguments, or nothing and the text that should have been a JSON object."""
    if not given:
        return {}, None
    try:
        value = _object_decoder.decode(given) if isinstance(given, str) else given
    except (msgspec.DecodeError, UnicodeError):
        return {}, storable(str(given))
    return cast("JsonObject", storable_json(cast("Json", value))), None


def _pack(id_: str | None, provider: str | None, details: dict[str, object] | None) -> JsonObject | None:
    kept = {key: value for key, value in (details or {}).items() if key not in _SKIPPED_DETAILS}
    if not id_ and not kept and not provider:
        return None
    packed: dict[str, Json] = {}
    if id_:
        packed["id"] = id_
    if provider:
        packed["provider"] = provider
    if kept:
        packed["details"] = cast("Json", msgspec.json.decode(encode_text(kept)))
    return packed


def _unpack(opaque: JsonObject | None) -> tuple[str | None, str | None, dict[str, object] | None]:
    if not opaque:
        return None, None, None
    values = cast("dict[str, object]", opaque)
    return (
        cast("str | None", values.get("id")),
        cast("str | None", values.get("provider")),
        cast("dict[str, object] | None", values.get("details")),
    )


_object_decoder = msgspec.json.Decoder(dict[str, object])
