"""What was said in a run, for exported spans: only where the deployment opted in.

Each question to a model repeats the whole conversation before it, so `gen_ai.input.messages` holds what is new since
the question before: an export then grows with the run and not with its square.
"""

from collections.abc import Sequence
from typing import TypeAlias

from quarterdeck.core.json import Json, encode_text
from quarterdeck.core.text import shorten
from quarterdeck.runs import events as e
from quarterdeck.runs.entries import Entry
from quarterdeck.runs.messages import Call, Content, Message, ModelMessage, Spoken, Stored, Text, ToolMessage
from quarterdeck.runs.turns import plain
from quarterdeck.traces import names as n
from quarterdeck.traces.records import Kind

Value: TypeAlias = bool | int | float | str | Sequence[str]
"""What an attribute may hold."""

_LONGEST = 32_000
"""Characters of one attribute: collectors refuse what is much larger."""


def contents(entries: Sequence[Entry]) -> dict[tuple[int, Kind], dict[str, Value]]:
    """What was said, by the span that it belongs to."""
    found: dict[tuple[int, Kind], dict[str, Value]] = {}
    fresh: list[Json] = []
    questions: dict[str, dict[str, Value]] = {}
    intents: dict[str, dict[str, Value]] = {}
    for entry in entries:
        match entry.event:
            case e.RunAdmitted(input=said):
                fresh = [_message(message) for message in said]
                found[entry.seq, Kind.RUN] = {n.INPUT_MESSAGES: _text(fresh)}
            case e.MessageAdded(message=message):
                fresh.append(_message(message))
            case e.ModelCalled(call=call):
                questions[call] = found[entry.seq, Kind.MODEL] = {n.INPUT_MESSAGES: _text(fresh)}
            case e.ModelAnswered(call=call, content=said, finish=finish):
                answer: Json = [{"role": "assistant", "parts": _parts(said), "finish_reason": finish}]
                questions.setdefault(call, {})[n.OUTPUT_MESSAGES] = _text(answer)
                fresh = []
            case e.ToolCalled(call=call, arguments=arguments):
                intents[call] = found[entry.seq, Kind.TOOL] = {n.TOOL_ARGUMENTS: _text(arguments)}
            case e.ToolAnswered(call=call, content=said) | e.ToolFailed(call=call, content=said):
                intents.setdefault(call, {})[n.TOOL_RESULT] = plain(said, _LONGEST)
                fresh.append({"role": "tool", "parts": [_response(call, said)]})
            case e.ToolDenied(call=call, content=said) | e.ToolResolved(call=call, content=said):
                fresh.append({"role": "tool", "parts": [_response(call, said)]})
            case e.RunFinished(text=text) if text and 1 in {seq for seq, _ in found}:
                ending: Json = [{"role": "assistant", "parts": [{"type": "text", "content": text}]}]
                found[1, Kind.RUN][n.OUTPUT_MESSAGES] = _text(ending)
            case _:
                pass
    return found


def _message(message: Message) -> Json:
    match message:
        case ModelMessage():
            return {"role": "assistant", "parts": _parts(message.content)}
        case ToolMessage():
            return {"role": "tool", "parts": [_response(message.call, message.content)]}
        case _:
            return {"role": "user", "parts": _parts(message.content)}


def _parts(content: Sequence[Content | Spoken]) -> list[Json]:
    parts: list[Json] = []
    for part in content:
        match part:
            case Text(text=text):
                parts.append({"type": "text", "content": text})
            case Stored(key=key, begins=begins):
                parts.append({"type": "text", "content": begins, "blob": key})
            case Call():
                parts.append({"type": "tool_call", "id": part.id, "name": part.tool, "arguments": part.arguments})
            case _:
                parts.append({"type": "reasoning", "content": part.text})
    return parts


def _response(call: str, content: Sequence[Content]) -> Json:
    return {"type": "tool_call_response", "id": call, "response": plain(content, _LONGEST)}


def _text(value: Json) -> str:
    return shorten(encode_text(value), _LONGEST)
