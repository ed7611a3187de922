"""Text is made storable once, at the border: PostgreSQL refuses NUL, and UTF-8 has no lone surrogates."""

import re
from collections.abc import Mapping, Sequence

from quarterdeck.core.json import Json

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    """The same text with each NUL and lone surrogate replaced by U+FFFD; the argument itself where there is none."""
    return _UNSTORABLE.sub(REPLACEMENT, text) if _UNSTORABLE.search(text) else text


def is_storable(text: str) -> bool:
    """Whether `storable` would leave the text as it is."""
    return _UNSTORABLE.search(text) is None


def storable_json(value: Json) -> Json:
    """`storable` for every string of a JSON value, keys included."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {storable(key): storable_json(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [storable_json(item) for item in value]
    return value


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters, with an ellipsis where something was cut."""
    return text if len(text) <= limit else text[: max(0, limit - 1)] + "\N{HORIZONTAL ELLIPSIS}"
