"""Texts that are long and say little: filler that pushes instructions out of a model's sight, or costs money."""

import zlib
from dataclasses import dataclass
from typing import Final

_READ = 64_000
"""Characters that are looked at: the beginning and the end of a longer text."""
_SHORT = 1_000
_IN_A_ROW = 100
THRESHOLD: Final = 0.96
"""Prose tells something new in a third of its bytes, tables and logs in a tenth or twentieth."""


@dataclass(frozen=True, slots=True)
class Monotony:
    """`run`: the longest run of one word; `ratio`: how many times smaller it compresses."""

    run: int = 0
    ratio: float = 1.0


def measure(text: str) -> Monotony:
    """Look at a text, or at 64,000 characters of a longer one."""
    if len(text) > _READ:
        text = f"{text[: _READ // 2]} {text[-_READ // 2 :]}"
    raw = text.encode("utf-8", "replace")
    ratio = len(raw) / len(zlib.compress(raw, 1)) if len(raw) >= _SHORT else 1.0
    return Monotony(_longest_run(text) if ratio > _PLAIN else 0, round(ratio, 1))


_PLAIN = 4.0
"""Prose compresses two- to threefold: below this no word can stand a hundred times in a row in a text worth a look."""


def floods(text: str, threshold: float = THRESHOLD) -> bool:
    """Whether a text repeats itself: of its bytes at least this share tells nothing new, or one word stands a hundred
    times in a row.
    """
    if len(text) < _SHORT:
        return False
    seen = measure(text)
    return seen.run > _IN_A_ROW or 1.0 - 1.0 / seen.ratio >= threshold


def _longest_run(text: str) -> int:
    longest = current = 0
    before = ""
    for word in text.split():
        current = current + 1 if word == before else 1
        before = word
        longest = max(longest, current)
    return longest
