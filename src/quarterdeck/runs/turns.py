"""The conversation of a run as people read it: who said what, when, and where that stands in the log. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from quarterdeck.core.json import Json
from quarterdeck.core.text import shorten
from quarterdeck.runs import events as e
from quarterdeck.runs.entries import Entry
from quarterdeck.runs.messages import (
    Call,
    Content,
    Label,
    Message,
    ModelMessage,
    Spoken,
    Stored,
    Text,
    Thinking,
    ToolMessage,
    UserMessage,
    words,
)


@dataclass(frozen=True, slots=True)
class Turn:
    """One message. `cause` says why the runtime put it there, where nobody else did."""

    seq: int
    at: datetime
    role: str
    content: Sequence[Content | Spoken]
    step: int | None = None
    call: str | None = None
    tool: str | None = None
    is_error: bool = False
    cause: str | None = None
    label: Label | None = None


def turns(entries: Iterable[Entry]) -> list[Turn]:
    """Every message of a log, in the order in which they came."""
    found: list[Turn] = []
    tools: dict[str, str] = {}
    for entry in entries:
        event = entry.event
        match event:
            case e.RunAdmitted():
                found += [_of_message(entry, message) for message in event.input]
            case e.MessageAdded():
                found.append(_of_message(entry, event.message, event.cause))
            case e.ModelAnswered():
                tools |= {part.id: part.tool for part in event.content if isinstance(part, Call)}
                found.append(Turn(entry.seq, entry.at, "model", event.content, step=event.step))
            case e.ToolAnswered() | e.ToolFailed() | e.ToolDenied() | e.ToolResolved():
                found.append(_of_outcome(entry, event, tools.get(event.call, "")))
            case _:
                pass
    return found


def show(turn: Turn, longest: int) -> dict[str, object]:
    """A message as JSON. Text longer than `longest` characters is cut, and says so."""
    shown: dict[str, object] = {
        "seq": turn.seq,
        "at": turn.at,
        "role": turn.role,
        "content": [show_part(part, longest) for part in turn.content],
    }
    facts: dict[str, Json] = {"step": turn.step, "call": turn.call, "tool": turn.tool, "cause": turn.cause}
    shown |= {name: value for name, value in facts.items() if value is not None}
    if turn.role == "tool":
        shown["is_error"] = turn.is_error
    if turn.label is not None:
        shown["label"] = show_label(turn.label)
    return shown


def show_part(part: Content | Spoken, longest: int) -> dict[str, Json]:
    """A part of a message as JSON, without what only its provider understands."""
    match part:
        case Text(text=text):
            return _labelled({"type": "text", **_cut(text, longest)}, part.label)
        case Stored():
            shown: dict[str, Json] = {
                "type": "stored",
                "key": part.key,
                "size": part.size,
                "media_type": part.media_type,
                "begins": part.begins,
            }
            return _labelled(shown, part.label)
        case Thinking(text=text):
            return {"type": "thinking", **_cut(text, longest)}
        case Call():
            return {"type": "call", "id": part.id, "tool": part.tool, "arguments": part.arguments, "raw": part.raw}


def show_label(label: Label) -> dict[str, Json]:
    """Where words come from, as JSON."""
    return {"source": label.source, "trust": label.trust}


def plain(content: Iterable[Content | Spoken], longest: int) -> str:
    """The words of some content on one line, shortened."""
    return shorten(" ".join(words(content).split()), longest)


def _of_message(entry: Entry, message: Message, cause: str | None = None) -> Turn:
    match message:
        case UserMessage():
            return Turn(entry.seq, entry.at, "user", message.content, cause=cause, label=message.label)
        case ModelMessage():
            return Turn(entry.seq, entry.at, "model", message.content, cause=cause)
        case ToolMessage():
            return Turn(
                entry.seq, entry.at, "tool", message.content, call=message.call, tool=message.tool, label=message.label
            )


def _of_outcome(entry: Entry, event: e.ToolAnswered | e.ToolFailed | e.ToolDenied | e.ToolResolved, tool: str) -> Turn:
    match event:
        case e.ToolAnswered():
            is_error, label = event.is_error, event.label
        case e.ToolResolved():
            is_error, label = event.outcome != "happened", None
        case _:
            is_error, label = True, None
    return Turn(entry.seq, entry.at, "tool", event.content, call=event.call, tool=tool, is_error=is_error, label=label)


def _cut(text: str, longest: int) -> dict[str, Json]:
    if len(text) <= longest:
        return {"text": text}
    return {"text": shorten(text, longest), "cut": True, "length": len(text)}


def _labelled(shown: dict[str, Json], label: Label | None) -> dict[str, Json]:
    return shown if label is None else {**shown, "label": show_label(label)}
