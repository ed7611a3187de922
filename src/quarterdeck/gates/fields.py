"""A tool's result as fields of records: what its system wrote as a value of its own, told from words within a text.

Who may write a comment into a record can write any words there, but not a field of the record: quoting keeps them in
theirs. That is worth something only if a result is read exactly as it was written, so anything that is not JSON or the
plain block style that YAML writers produce counts as text without fields.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

import msgspec

from quarterdeck.core.json import Json, decode

MOST_FIELDS = 20_000
"""More fields than any model reads; a bigger result counts as text."""


@dataclass(frozen=True, slots=True)
class Field:
    """One value: its text, the key it stands under, and its record with all that holds that record, innermost first.

    A key of a mapping that looks like a value (`shared_with: {bob@x.com: read}`) is a field too.
    """

    key: str
    value: str
    records: tuple[int, ...]
    own: bool = True
    """Whether it is a direct value of its record, and no item of a list in it."""


class Unreadable(Exception):  # never leaves this module
    """The text is not in the style that is read here."""


def fields_of(text: str) -> tuple[Field, ...] | None:
    """The fields of a structured result, or None for one that is just text."""
    try:
        tree = _tree(text)
    except (Unreadable, RecursionError):
        return None
    found: list[Field] = []
    counter = iter(range(MOST_FIELDS))
    try:
        found.extend(_fields(tree, "", (), counter, own=False))
    except (StopIteration, RuntimeError):  # a generator turns the one into the other
        return None
    return tuple(found) if len(found) <= MOST_FIELDS else None


def _tree(text: str) -> Json:
    stripped = text.strip()
    if stripped[:1] in {"{", "["}:
        try:
            return decode(stripped)
        except (msgspec.DecodeError, UnicodeError):
            raise Unreadable from None
    tree = Block(text).read()
    if isinstance(tree, str):
        raise Unreadable
    return tree


def _fields(tree: Json, key: str, records: tuple[int, ...], ids: Iterator[int], *, own: bool) -> Iterator[Field]:
    if isinstance(tree, Mapping):
        inner = (next(ids), *records)
        for name, value in tree.items():
            if "@" in name or not re.fullmatch(r"[A-Za-z_][\w .-]*", name):
                yield Field(key, name, inner, own=False)
            yield from _fields(value, name, inner, ids, own=True)
    elif isinstance(tree, str):
        yield Field(key, tree, records, own)
    elif isinstance(tree, Sequence):
        for item in tree:
            yield from _fields(item, key, records, ids, own=False)
    elif isinstance(tree, bool) or tree is None:
        return
    else:
        yield Field(key, str(tree), records, own)


_KEY = re.compile(r"(?P<key>[A-Za-z_][\w.-]*|[\w.+-]+@[\w.-]+):(?: (?P<rest>.*)|)$")
_ESCAPES = {
    "n": "\n", "t": "\t", "r": "\r", "0": "\0", "a": "\a", "b": "\b", "e": "\x1b", "f": "\f", "v": "\v",
    '"': '"', "\\": "\\", "/": "/", " ": " ", "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip
_HEX = {"x": 2, "u": 4, "U": 8}

Lines: TypeAlias = list[tuple[int, str]]


class Block:
    """Reads the block style that YAML writers produce: mappings, sequences, scalars of every style, nothing clever.

    No anchors, tags, flow collections with content, documents or complex keys: who meets one gives up.
    """

    def __init__(self, text: str) -> None:
        self._lines: Lines = [(len(line) - len(line.lstrip(" ")), line.strip(" ")) for line in text.split("\n")]
        self._at = 0

    def read(self) -> Json:
        """The whole text. Raises Unreadable."""
        self._skip_empty()
        if self._at >= len(self._lines):
            raise Unreadable
        tree = self._node(self._lines[self._at][0])
        self._skip_empty()
        if self._at < len(self._lines):
            raise Unreadable
        return tree

    def _skip_empty(self) -> None:
        while self._at < len(self._lines) and not self._lines[self._at][1]:
            self._at += 1

    def _node(self, indent: int) -> Json:
        at, line = self._lines[self._at]
        if at != indent:
            raise Unreadable
        if line == "-" or line.startswith("- "):
            return self._sequence(indent)
        if _KEY.match(line):
            return self._mapping(indent)
        raise Unreadable

    def _sequence(self, indent: int) -> list[Json]:
        items: list[Json] = []
        while self._here(indent) and (self._line() == "-" or self._line().startswith("- ")):
            rest = self._line()[1:].lstrip(" ")
            inside = indent + len(self._line()) - len(rest)
            if not rest:
                self._at += 1
                items.append(self._below(indent))
            elif rest.startswith("- ") or _KEY.match(rest):
                self._lines[self._at] = (inside, rest)
                items.append(self._node(inside))
            else:
                items.append(self._scalar(rest, indent))
            self._skip_empty()
        return items

    def _mapping(self, indent: int) -> dict[str, Json]:
        found: dict[str, Json] = {}
        while self._here(indent) and (match := _KEY.match(self._line())):
            key, rest = match["key"], (match["rest"] or "").strip(" ")
            if key in found:
                raise Unreadable
            if rest:
                found[key] = self._scalar(rest, indent)
            else:
                self._at += 1
                found[key] = self._below(indent)
            self._skip_empty()
        return found

    def _below(self, indent: int) -> Json:
        """What stands under a key or a dash that has nothing beside it; sequences may stand at the key's own depth."""
        self._skip_empty()
        if self._at >= len(self._lines):
            return None
        at, line = self._lines[self._at]
        if at > indent:
            return self._node(at)
        if at == indent and (line == "-" or line.startswith("- ")):
            return self._sequence(indent)
        return None

    def _here(self, indent: int) -> bool:
        return self._at < len(self._lines) and self._lines[self._at][0] == indent

    def _line(self) -> str:
        return self._lines[self._at][1]

    def _scalar(self, first: str, indent: int) -> Json:
        self._at += 1
        if first in {"[]", "{}", "null", "~", "''", '""'}:
            return None
        if first[0] in "|>":
            return self._literal(indent)
        if first[0] in "'\"":
            return self._quoted(first)
        if first[0] in "&*!%@`{[#?,":
            raise Unreadable
        return " ".join([first, *self._continued(indent)])

    def _literal(self, indent: int) -> str:
        found: list[str] = []
        while self._at < len(self._lines):
            at, line = self._lines[self._at]
            if line and at <= indent:
                break
            found.append(line)
            self._at += 1
        return "\n".join(found).strip()

    def _continued(self, indent: int) -> Iterator[str]:
        """The further lines of a plain scalar; a writer would have quoted one that looks like a key."""
        while self._at < len(self._lines):
            at, line = self._lines[self._at]
            if not line or at <= indent:
                return
            if _KEY.match(line) or line.startswith(("- ", "#")):
                raise Unreadable
            yield line
            self._at += 1

    def _quoted(self, first: str) -> str:
        quote, parts = first[0], [first[1:]]
        while (end := _ENDS[quote].match(parts[-1])) is None:
            if self._at >= len(self._lines):
                raise Unreadable
            parts.append(self._lines[self._at][1])
            self._at += 1
        if end.end() != len(parts[-1]):
            raise Unreadable
        text = "\n".join(parts)[:-1]
        return _BREAKS.sub(_fold, text).replace("''", "'") if quote == "'" else _unescaped(text)


_BREAKS = re.compile(r"\n+")
# No escape of either style goes over the end of a line, save that of the line break itself.
_ENDS = {"'": re.compile(r"(?:[^']|'')*+'"), '"': re.compile(r'(?:[^"\\]|\\.)*+"')}


def _unescaped(text: str) -> str:
    found: list[str] = []
    at = 0
    while at < len(text):
        sign = text[at]
        if sign == "\\":
            sign, at = _escape(text, at + 1)
        elif sign == "\n":
            breaks = cast("re.Match[str]", _BREAKS.match(text, at))
            sign, at = _fold(breaks), breaks.end() - 1
        found.append(sign)
        at += 1
    return "".join(found)


def _escape(text: str, at: int) -> tuple[str, int]:
    sign = text[at : at + 1]
    if sign == "\n":
        return "", at
    if sign in _HEX:
        digits = text[at + 1 : at + 1 + _HEX[sign]]
        try:
            return chr(int(digits, 16)), at + len(digits)
        except (ValueError, OverflowError):
            raise Unreadable from None
    if sign not in _ESCAPES:
        raise Unreadable
    return _ESCAPES[sign], at


def _fold(breaks: re.Match[str]) -> str:
    """One line break of a quoted scalar is a space, each further one a break."""
    return "\n" * (len(breaks[0]) - 1) or " "


def scalars(fields: Sequence[Field], record: int) -> list[Field]:
    """The direct values of a record."""
    return [field for field in fields if field.own and field.records[:1] == (record,)]
