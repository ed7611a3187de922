"""The edge to the YAML parser: its events as tokens of our own, its complaints as findings with a fix."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, cast

from ruamel.yaml import YAML, events
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from quarterdeck.core.text import shorten
from quarterdeck.spec.findings import AgentInvalid, Finding, Place


class Kind(Enum):
    """What comes next in a document."""

    DOCUMENT = auto()
    MAPPING = auto()
    LIST = auto()
    END = auto()
    SCALAR = auto()
    ALIAS = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """One step through a document. `anchor` is the name given to a value, or the one that an alias refers to.

    `plain` is a scalar without quotes, whose word may mean a number, true, false or null.
    """

    kind: Kind
    place: Place
    text: str = ""
    plain: bool = False
    tag: str | None = None
    anchor: str | None = None


def tokens(text: str, file: str) -> Iterator[Token]:
    """The tokens of a text, as they are parsed. Raises AgentInvalid where it is no YAML."""
    try:
        # Untyped library: what we read of an event is put into a token of known types at once.
        for event in cast("Iterator[Any]", YAML(typ="safe", pure=True).parse(text)):  # pyright: ignore[reportUnknownMemberType]
            kind = _kind(event)
            if kind is None:
                continue
            yield Token(
                kind=kind,
                place=_place(event.start_mark, file),
                text=str(event.value) if kind is Kind.SCALAR else "",
                plain=kind is Kind.SCALAR and event.style is None,
                tag=None if kind in {Kind.ALIAS, Kind.END, Kind.DOCUMENT} else event.tag,
                anchor=getattr(event, "anchor", None),
            )
    except MarkedYAMLError as fault:
        raise _no_yaml(fault, file) from None
    except (YAMLError, ValueError) as fault:
        reason = shorten((str(fault) or type(fault).__name__).splitlines()[0], 120)
        raise AgentInvalid([Finding(Place(file), f"this is no YAML: {reason}", "correct its form")]) from None


def _kind(event: object) -> Kind | None:
    return next((kind for base, kind in _KINDS if isinstance(event, base)), None)


_KINDS: tuple[tuple[type[events.Event], Kind], ...] = (
    (events.ScalarEvent, Kind.SCALAR),
    (events.AliasEvent, Kind.ALIAS),
    (events.MappingStartEvent, Kind.MAPPING),
    (events.SequenceStartEvent, Kind.LIST),
    (events.CollectionEndEvent, Kind.END),
    (events.DocumentStartEvent, Kind.DOCUMENT),
)

_FIXES = (
    ("'\\t'", "indent with spaces, not with tabs"),
    ("mapping values are not allowed", "put quotes around a text that contains `: `, or align the line with its list"),
    ("could not find expected ':'", "write `key: value`, with a space after the colon"),
    ("quoted scalar", "close the quotes"),
    ("flow sequence", "close the bracket"),
    ("flow mapping", "close the brace"),
    ("<block end>", "align it with the lines above, or put quotes around the text"),
)


def _no_yaml(fault: Any, file: str) -> AgentInvalid:  # noqa: ANN401 - a MarkedYAMLError, of an untyped library
    mark = fault.problem_mark or fault.context_mark
    said = ", ".join(str(part) for part in (fault.context, fault.problem) if part)
    problem = shorten(" ".join(said.split()) or "it can't be read", 200)
    fix = next((fix for sign, fix in _FIXES if sign in problem), "correct the form: `key: value`, indented with spaces")
    place = Place(file) if mark is None else _place(mark, file)
    return AgentInvalid([Finding(place, f"this is no YAML: {problem}", fix)])


def _place(mark: Any, file: str) -> Place:  # noqa: ANN401 - a mark of an untyped library
    return Place(file, mark.line + 1, mark.column + 1)
