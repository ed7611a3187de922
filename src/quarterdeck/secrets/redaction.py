"""Known secrets leave a text before anybody else reads it, in every form in which tools give them back by accident.

Looked for are the value itself, URL- and JSON-escaped, in hexadecimal, and in base64 of both alphabets at any offset;
also where line breaks, with the indentation behind them, run through it, as in wrapped base64. Blanks inside a line are
not looked through: a tool that means to smuggle its own secret out can send it anywhere anyway.
"""

import base64
import html
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from urllib.parse import quote, quote_plus

from quarterdeck.core.json import Json, encode_text
from quarterdeck.core.text import storable

SHORTEST = 8
"""Bytes of a secret, at least: what is shorter would be found in texts that have nothing to do with it."""
_LONG_LINE = 16
"""Characters of a line of a secret that is looked for by itself."""
_ESCAPE = re.compile("%[0-9A-F]{2}")
_TOLERANT = r"(?:\r?\n[ \t]*|(?:\\r)?\\n[ \t]*)*"


def mark_of(name: str) -> str:
    """What stands where a secret stood."""
    return f"[secret {name}]"


class Redactor:
    """Knows some secrets by name. Never changes: who learns of another value makes another one.

    Costs about 5 µs per secret and 100 KB of text that holds none of them.
    """

    def __init__(self, named: Mapping[str, Iterable[str]]) -> None:
        """The values of each secret: the present one and those before it. Values that are too short are left out."""
        named_by: dict[str, str] = {}
        for name, values in sorted(named.items()):
            for form in {form for value in values for form in forms_of(value)}:
                named_by.setdefault(form, name)
        # The longest first: one secret may be a part of another.
        self._forms = tuple(sorted(named_by.items(), key=lambda form: (-len(form[0]), form[0])))
        self._needles = tuple(_shortest({_compact(form) for form in named_by}))
        self._longest = max(map(len, named_by), default=0)
        self._prefixes: frozenset[str] | None = None

    def __bool__(self) -> bool:
        return bool(self._needles)

    def clean(self, text: str) -> tuple[str, Mapping[str, int]]:
        """The text without the known secrets, and how often each of them stood there. The same text where none did."""
        if len(text) < SHORTEST or not self._needles:
            return text, _NOTHING
        compact = _compact(text)
        if not any(needle in compact for needle in self._needles):
            return text, _NOTHING
        return self._take_out(text)

    def clean_cut(self, text: str) -> tuple[str, Mapping[str, int]]:
        """The same for a text that was cut off: also takes out the beginning of a secret at its end."""
        text, found = self.clean(text)
        begun = self.begun(text)
        if begun < SHORTEST // 2:
            return text, found
        return text[:-begun] + "[secret, cut off]", found

    def clean_json(self, value: Json) -> tuple[Json, Mapping[str, int]]:
        """The same for all strings of a JSON value, keys included."""
        found: Counter[str] = Counter()
        return self._clean_json(value, found), found

    def found_in(self, content: bytes) -> Mapping[str, int]:
        """Which of them stand in bytes that are no text, and in how many forms."""
        if not any(needle.encode() in content for needle in self._needles):
            return _NOTHING
        return Counter(name for form, name in self._forms if form.encode() in content)

    def begun(self, text: str) -> int:
        """How many characters at a text's end may be the beginning of a secret."""
        if not self._needles or not text:
            return 0
        if self._prefixes is None:
            self._prefixes = frozenset(form[:end] for form, _ in self._forms for end in range(1, len(form)))
        for length in range(min(len(text), self._longest - 1), 0, -1):
            if text[-length:] in self._prefixes:
                return length
        return 0

    def _take_out(self, text: str) -> tuple[str, Mapping[str, int]]:
        found: Counter[str] = Counter()
        for form, name in self._forms:
            if form in text:
                found[name] += text.count(form)
                text = text.replace(form, mark_of(name))
        compact = _compact(text)
        for form, name in self._forms:
            plain = _compact(form)
            if plain in compact:
                text, times = re.subn(_TOLERANT.join(map(re.escape, plain)), _written(mark_of(name)), text)
                found[name] += times
                compact = _compact(text)
        return text, found

    def _clean_json(self, value: Json, found: Counter[str]) -> Json:
        if isinstance(value, str):
            text, counts = self.clean(value)
            found.update(counts)
            return text
        if isinstance(value, Mapping):
            return {str(self._clean_json(key, found)): self._clean_json(item, found) for key, item in value.items()}
        if isinstance(value, Sequence):
            return [self._clean_json(item, found) for item in value]
        return value


_NOTHING: Mapping[str, int] = {}


class Cleaning:
    """What is taken out on one way, such as that of one call, counted by secret."""

    def __init__(self, redactor: Redactor | None = None) -> None:
        self.redactor = redactor or NONE_KNOWN
        self.found: Counter[str] = Counter()

    def text(self, text: str) -> str:
        """A text without secrets."""
        cleaned, found = self.redactor.clean(text)
        self.found.update(found)
        return cleaned

    def cut(self, text: str) -> str:
        """A text that was cut off, without secrets."""
        cleaned, found = self.redactor.clean_cut(text)
        self.found.update(found)
        return cleaned

    def json(self, value: Json) -> Json:
        """A JSON value without secrets."""
        cleaned, found = self.redactor.clean_json(value)
        self.found.update(found)
        return cleaned


class Trickle:
    """A text that comes in pieces. Holds back what may be the beginning of a secret until more has come."""

    def __init__(self, cleaning: Cleaning) -> None:
        self._cleaning = cleaning
        self._held = ""

    def feed(self, piece: str) -> str:
        """The next piece that may be shown; empty where everything is held back."""
        if not self._cleaning.redactor:
            return piece
        text = self._cleaning.text(self._held + piece)
        begun = self._cleaning.redactor.begun(text)
        self._held = text[len(text) - begun :]
        return text[: len(text) - begun]

    def rest(self) -> str:
        """What was held back and turned out to be no secret."""
        rest, self._held = self._held, ""
        return rest


def forms_of(value: str) -> Iterator[str]:
    """Every form of a secret that is looked for; none of what is too short to be told from other words."""
    for part in _parts(value):
        raw = part.encode("utf-8", "surrogatepass")
        if len(raw) < SHORTEST:
            continue
        escaped = _escaped(part)
        yield from _long_enough(
            part,
            *(quote(part, safe=safe) for safe in ("", "/")),
            _ESCAPE.sub(lambda found: found[0].lower(), quote(part, safe="")),
            quote_plus(part),
            escaped,
            encode_text(storable(part))[1:-1],
            escaped.replace("/", "\\/"),
            _escaped(escaped),
            html.escape(part),
            raw.hex(),
            raw.hex().upper(),
            *_base64_forms(raw),
        )


def _written(mark: str) -> Callable[[re.Match[str]], str]:
    return lambda _: mark


def _escaped(text: str) -> str:
    """As others write it into JSON, with everything beyond ASCII escaped."""
    return json.dumps(text)[1:-1]  # noqa: TID251  # ours escapes less


def _parts(value: str) -> Iterator[str]:
    """The value, and its long lines: a key in several lines is read and printed line by line."""
    stripped = value.strip()
    yield value
    if stripped != value:
        yield stripped
    if "\n" in stripped:
        yield from (line.strip() for line in stripped.splitlines() if _tells(line.strip()))


def _tells(line: str) -> bool:
    return len(line) >= _LONG_LINE and not line.startswith("-----")


def _base64_forms(raw: bytes) -> Iterator[str]:
    # Inside a longer base64 text the secret may begin at any of three offsets; whole characters of it are looked for,
    # those that hold bits of a neighbour are not. Standing alone it is found to its last character.
    alone = base64.b64encode(raw).decode()
    found = [alone, alone.rstrip("=")]
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + raw).decode()
        found.append(text[-(-8 * shift // 6) : 8 * (shift + len(raw)) // 6])
    for form in found:
        yield form
        yield form.replace("+", "-").replace("/", "_")


def _long_enough(*forms: str) -> Iterator[str]:
    return (form for form in forms if len(form) >= SHORTEST)


def _shortest(needles: Iterable[str]) -> Iterator[str]:
    """Those that hold no other: where a longer one stands, the shorter one is found."""
    kept: list[str] = []
    for needle in sorted(needles, key=len):
        if not any(one in needle for one in kept):
            kept.append(needle)
            yield needle


def _compact(text: str) -> str:
    """The text without line breaks and the indentation behind them, real ones and JSON's escaped ones."""
    for carriage in ("\r", "\\r"):
        if carriage in text:
            text = text.replace(carriage, "")
    for line_break in ("\n", "\\n"):
        if line_break in text:
            text = "".join([line.lstrip(" \t") for line in text.split(line_break)])
    return text


NONE_KNOWN = Redactor({})
"""Leaves every text as it is."""
