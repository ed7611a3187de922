"""Whether two texts say the same and, where they don't, what differs, word by word and short enough to read."""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from quarterdeck.models.cassettes import ANYTHING
from quarterdeck.models.redaction import MARK

_CONTEXT = 6
"""Words shown on either side of a difference."""
_MOST_WORDS = 400
"""Words compared after the common beginning; the comparison is quadratic and a person reads no more anyway."""
_WILD = re.compile(f"({re.escape(ANYTHING)}|{re.escape(MARK)})")


def matches(recorded: str, actual: str) -> bool:
    """Whether the actual text is the recorded one, white space evened out. Wildcards stand for any text.

    Linear in the lengths: pieces between wildcards are looked for from left to right.
    """
    if recorded == actual:
        return True
    recorded, actual = plain(recorded), plain(actual)
    if recorded == actual:
        return True
    if ANYTHING not in recorded and MARK not in recorded:
        return False
    first, *middle, last = _WILD.split(recorded)[::2]
    if not actual.startswith(first) or len(actual) < len(first) + len(last) or not actual.endswith(last):
        return False
    position, end = len(first), len(actual) - len(last)
    for piece in middle:
        found = actual.find(piece, position, end)
        if found < 0:
            return False
        position = found + len(piece)
    return True


def is_wild(recorded: str) -> bool:
    """Whether there is a wildcard in it."""
    return _WILD.search(recorded) is not None


def plain(text: str) -> str:
    """The text with its white space evened out."""
    return " ".join(text.split())


def compare(recorded: str, actual: str) -> str:
    """One line: equal stretches shortened to `…`, what is missing as `[-gone-]`, what is new as `{+new+}`."""
    before, after = recorded.split(), actual.split()
    start = _common_length(before, after)
    end = _common_length(before[start:][::-1], after[start:][::-1])
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    parts = [_tail(before[:start])]
    parts.extend(_changes(old[:_MOST_WORDS], new[:_MOST_WORDS]))
    if len(old) > _MOST_WORDS or len(new) > _MOST_WORDS:
        parts.append("… (more differs)")
    parts.append(_head(before[len(before) - end :]))
    return " ".join(part for part in parts if part)


def _changes(old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            yield _middle(old[i1:i2])
        else:
            if i2 > i1:
                yield f"[-{' '.join(old[i1:i2])}-]"
            if j2 > j1:
                yield f"{{+{' '.join(new[j1:j2])}+}}"


def _common_length(one: Sequence[str], other: Sequence[str]) -> int:
    for index, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return index
    return min(len(one), len(other))


def _tail(words: Sequence[str]) -> str:
    return " ".join(words if len(words) <= _CONTEXT else ("…", *words[-_CONTEXT:]))


def _head(words: Sequence[str]) -> str:
    return " ".join(words if len(words) <= _CONTEXT else (*words[:_CONTEXT], "…"))


def _middle(words: Sequence[str]) -> str:
    return " ".join(words if len(words) <= 2 * _CONTEXT else (*words[:_CONTEXT], "…", *words[-_CONTEXT:]))
