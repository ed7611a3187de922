"""`events.md`: everything that can stand in a run's log, with its facts."""

import types
from collections.abc import Mapping, Sequence
from typing import Any, Union, cast, get_args, get_origin

import msgspec
from msgspec.structs import FieldInfo, fields

from quarterdeck.core.json import Json, JsonObject, encode_text
from quarterdeck.runs import messages
from quarterdeck.runs.events import EVENTS, Event
from quarterdeck.runs.parts import Decision, Finding, Handoff, Narrowing
from scripts.reference.pages import anchor, page, paragraphs, sentence, table

INTRODUCTION = """
A run's log is a list of events, numbered from 1 without gaps. `GET /v1/runs/{id}/events` reads it in pages, or streams
it with `Accept: text/event-stream`; `qd run events RUN` prints it. Each event has:

| member | meaning |
|---|---|
| `seq` | its number; in a stream the event's `id`, so that `Last-Event-ID` resumes exactly |
| `kind` | what happened; in a stream the event's `event` |
| `v` | the version of its format; an old one is lifted when it is read, and never rewritten |
| `attempt` | the number of the claim under which it was written; 0 before the first |
| `at` | when, by the database's clock |
| `data` | its facts, as below; a fact that has its default is left out |

Milliseconds end in `ms`, points in time are Unix milliseconds, money is micro-USD, sizes are bytes. A stream may also
carry `message.delta` (`step`, `attempt`, `offset`, `kind`, `text`: tokens as they come) and `message.reset` (what was
streamed of this step is void). Both have no id, are not kept, and may be lost.
"""

PARTS: tuple[type[msgspec.Struct], ...] = (
    Decision,
    Narrowing,
    Finding,
    Handoff,
    messages.UserMessage,
    messages.ModelMessage,
    messages.ToolMessage,
    messages.Text,
    messages.Stored,
    messages.Thinking,
    messages.Call,
    messages.Label,
    messages.Usage,
)

_WORDS: Mapping[object, str] = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "true or false",
    type(None): "null",
    messages.Trust: "`trusted` or `untrusted`",
    JsonObject: "object",
    Any: "any JSON",
    Json: "any JSON",
}


def written() -> str:
    """The page."""
    overview = table(
        ("kind", "when"), [(f"[`{event.kind}`](#{anchor(event.kind)})", sentence(event.__doc__)) for event in EVENTS]
    )
    events = "\n\n".join(section(event.kind, event) for event in EVENTS)
    parts = "\n\n".join(section(name_of(part), part) for part in PARTS)
    return page("Events", INTRODUCTION, "## All kinds", overview, events, "## Parts of events", parts)


def section(heading: str, struct: type[msgspec.Struct]) -> str:
    """One kind of event, or a part of some."""
    version = f" (version {struct.v})" if issubclass(struct, Event) and struct.v > 1 else ""
    rows = [(f"`{field.encode_name}`", words_of(field.type), default_of(field)) for field in fields(struct)]
    tag = struct.__struct_config__.tag
    if tag is not None:
        rows.insert(0, ("`type`", f"`{tag}`", ""))
    facts = table(("fact", "is", "where left out"), rows)
    return f"### {heading}{version}\n\n{paragraphs(struct.__doc__)}\n\n{facts}".strip()


def name_of(part: type[msgspec.Struct]) -> str:
    """What a part is called in tables."""
    return "".join(f" {char.lower()}" if char.isupper() else char for char in part.__name__).strip()


def words_of(kind: object) -> str:
    """A type in words."""
    if kind in _WORDS:
        return _WORDS[kind]
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return f"[{name_of(kind)}](#{anchor(name_of(kind))})"
    origin, of = get_origin(kind), get_args(kind)
    if origin in {Union, types.UnionType}:
        return " or ".join(words_of(one) for one in of)
    if origin is tuple:
        return f"list of {words_of(of[0])}"
    if origin in {dict, Mapping}:
        return "object" if of[1] is Any else f"object of {words_of(of[1])}"
    raise TypeError(f"a fact of this kind was never written out: {kind!r}")


def default_of(field: FieldInfo) -> str:
    """What a fact is that does not stand in an event."""
    if field.required:
        return ""
    made = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    empty = isinstance(made, Sequence | Mapping) and not made
    if empty:
        return "empty"
    return f"`{encode_text(cast('object', made))}`"
