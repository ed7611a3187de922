"""Reads YAML as plain JSON values and remembers where each of them stood.

Nothing is constructed but text, numbers, true, false and null; duplicate keys, tags and whatever can't be said in JSON
are errors with a place. Sizes are counted while reading, so that a few bytes of aliases can't unfold into gigabytes.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from quarterdeck.core.json import Json
from quarterdeck.core.text import is_storable, shorten
from quarterdeck.spec.findings import AgentInvalid, Finding, Place
from quarterdeck.spec.text import text_of
from quarterdeck.spec.tokens import Kind, Token, tokens

LARGEST = 256 * 1024
MOST_VALUES = 10_000
DEEPEST = 32

Path: TypeAlias = tuple[str | int, ...]
"""Where a value stands: keys and positions from the top down."""


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document: its value, and the places of values and of the keys that they stand under."""

    file: str
    value: Json
    values: Mapping[Path, Place]
    keys: Mapping[Path, Place]

    def place(self, path: Path) -> Place:
        """Where a value stands; that of the nearest value around it when it has none of its own."""
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, Place(self.file, 1, 1))

    def key(self, path: Path) -> Place:
        """Where the key of a value stands; the nearest place around it when it has none."""
        return self.keys[path] if path in self.keys else self.place(path)


def read(content: bytes, file: str) -> Document:
    """The document in a file. Raises AgentInvalid with one finding: after a fault of form the rest is guesswork."""
    if len(content) > LARGEST:
        raise _wrong(Place(file), f"it has {len(content):,} bytes", f"keep it below {LARGEST:,}")
    builder = _Builder(file)
    for token in tokens(text_of(content, file), file):
        builder.take(token)
    return builder.finished()


class _Open:
    """A mapping or list whose end has not come yet. `pending` is the key whose value comes next."""

    def __init__(self, path: Path, value: dict[str, Json] | list[Json], anchor: str | None, began_at: int) -> None:
        self.path = path
        self.value = value
        self.anchor = anchor
        self.began_at = began_at
        self.pending: str | None = None


class _Builder:
    """Takes tokens in order and puts the value together, without recursion."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._open: list[_Open] = []
        self._documents = 0
        self._root: Json = None
        self._count = 0
        self._anchors: dict[str, tuple[Json, int]] = {}
        self._values: dict[Path, Place] = {}
        self._keys: dict[Path, Place] = {}

    def take(self, token: Token) -> None:
        """The next token."""
        if token.kind is Kind.DOCUMENT:
            self._documents += 1
            if self._documents > 1:
                raise _wrong(token.place, "a second document begins here", "keep one document in the file")
        elif token.kind is Kind.END:
            self._end()
        else:
            self._node(token)

    def finished(self) -> Document:
        """The document, when all tokens were taken."""
        if self._root is None:
            raise _wrong(Place(self._file, 1, 1), "the file is empty", "see `qd init` for one to start from")
        return Document(self._file, self._root, self._values, self._keys)

    def _node(self, token: Token) -> None:
        if token.tag is not None:
            tag = shorten(token.tag.replace("tag:yaml.org,2002:", "!!"), 60)
            raise _wrong(token.place, f"tags such as `{tag}` are not accepted", "remove the tag")
        parent = self._open[-1] if self._open else None
        if parent is not None and isinstance(parent.value, dict) and parent.pending is None:
            self._key(parent, token)
            return
        path = _next_path(parent)
        self._values[path] = token.place
        match token.kind:
            case Kind.ALIAS:
                self._put(self._aliased(token))
            case Kind.SCALAR:
                self._grow(1, token)
                value = _scalar(token)
                if token.anchor is not None:
                    self._anchors[token.anchor] = (value, 1)
                self._put(value)
            case _:
                self._begin(token, path)

    def _key(self, parent: _Open, token: Token) -> None:
        key = token.text
        if token.kind is not Kind.SCALAR or key == "":
            raise _wrong(token.place, "a key has to be a word", "write `key: value`")
        if key == "<<" and token.plain:
            raise _wrong(token.place, "merge keys (`<<`) are not accepted", "write the members out")
        if not is_storable(key):
            raise _wrong(token.place, "the key holds half a surrogate pair", "write whole characters")
        path = (*parent.path, key)
        if path in self._keys:
            first = self._keys[path].line
            raise _wrong(token.place, f"`{shorten(key, 60)}` is there twice (first in line {first})", "remove one")
        self._keys[path] = token.place
        parent.pending = key

    def _begin(self, token: Token, path: Path) -> None:
        if len(self._open) >= DEEPEST:
            raise _wrong(token.place, f"this is nested deeper than {DEEPEST} levels", "make it flatter")
        self._grow(1, token)
        value: dict[str, Json] | list[Json] = {} if token.kind is Kind.MAPPING else []
        self._open.append(_Open(path, value, token.anchor, self._count - 1))

    def _end(self) -> None:
        ended = self._open.pop()
        if ended.anchor is not None:
            self._anchors[ended.anchor] = (ended.value, self._count - ended.began_at)
        self._put(ended.value)

    def _put(self, value: Json) -> None:
        """Give a finished value to what is around it."""
        if not self._open:
            self._root = value
            return
        parent = self._open[-1]
        if isinstance(parent.value, dict):
            parent.value[parent.pending or ""] = value
            parent.pending = None
        else:
            parent.value.append(value)

    def _aliased(self, token: Token) -> Json:
        name = token.anchor or ""
        if name not in self._anchors:
            problem = f"`*{shorten(name, 60)}` refers to nothing that is complete above it"
            raise _wrong(token.place, problem, "write the value out, or mark one above with `&name`")
        value, size = self._anchors[name]
        self._grow(size, token)
        return value

    def _grow(self, by: int, token: Token) -> None:
        self._count += by
        if self._count > MOST_VALUES:
            raise _wrong(
                token.place, f"with aliases written out there are more than {MOST_VALUES:,} values", "use fewer"
            )


def _next_path(parent: _Open | None) -> Path:
    if parent is None:
        return ()
    return (*parent.path, (parent.pending or "") if isinstance(parent.value, dict) else len(parent.value))


def _scalar(token: Token) -> Json:
    """What a scalar means: quoted, its text; unquoted, what the core schema of YAML 1.2 makes of the word."""
    text = token.text
    if not is_storable(text):
        raise _wrong(token.place, "the text holds NUL or half a surrogate pair", "write whole characters")
    if not token.plain:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OTHER_BASE.fullmatch(text):
        return int(text, 0)
    if _NUMBER.fullmatch(text) or _NO_NUMBER.fullmatch(text):
        value = math.inf if _NO_NUMBER.fullmatch(text) else float(text)
        if not math.isfinite(value):
            raise _wrong(token.place, f"`{shorten(text, 40)}` is no finite number", "write a number")
        return value
    return text


_WORDS: Mapping[str, Json] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]{1,300}")
_OTHER_BASE = re.compile(r"0o[0-7]{1,300}|0x[0-9a-fA-F]{1,300}")
_NUMBER = re.compile(r"[-+]?(\.[0-9]{1,300}|[0-9]{1,300}(\.[0-9]{0,300})?)([eE][-+]?[0-9]{1,10})?")
_NO_NUMBER = re.compile(r"[-+]?(\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN")


def _wrong(place: Place, problem: str, fix: str) -> AgentInvalid:
    return AgentInvalid([Finding(place, problem, fix)])
