"""Places in a text where something was found, and the text without them. A span says where and what, never which."""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass

_ALIKE = str.maketrans(
    "\u00a0\u2007\u2009\u202f\u2010\u2011\u2012\u2013\u2212\uff0d\uff0e\uff1a\uff20\uff0b\uff08\uff09",
    "    -----" + "-.:@+()",
)
_DIGITS = {ord(zero) + value: str(value) for zero in "\u0660\u06f0\u0966\uff10" for value in range(10)}
_PLAIN = {**_ALIKE, **_DIGITS}


@dataclass(frozen=True, slots=True)
class Span:
    """Something found from `start` up to `end`. `score`, 0 to 1: how sure it is; 1 where check digits agree."""

    kind: str
    start: int
    end: int
    score: float


def plain(text: str) -> str:
    """The text with the many forms of blanks, dashes and digits as ASCII has them; every place stays where it is."""
    return text if text.isascii() else text.translate(_PLAIN)


def settled(found: Iterable[Span]) -> list[Span]:
    """Without overlaps, in the order of the text. Of two that overlap the surer one stays, then the longer one; what
    is left out always overlaps with something that stays.
    """
    starts: list[int] = []
    kept: list[Span] = []
    for span in sorted(found, key=lambda one: (-one.score, one.start - one.end, one.start)):
        at = bisect_left(starts, span.end)
        # Those before `at` begin before it ends; they do not overlap each other, so the last of them reaches furthest.
        if at == 0 or kept[at - 1].end <= span.start:
            starts.insert(at, span.start)
            kept.insert(at, span)
    return kept


def taken_out(text: str, spans: Iterable[Span], word: Callable[[str], str]) -> str:
    """The text with `[WORD removed]` in the place of each span. `word` says what a kind is called."""
    pieces: list[str] = []
    at = 0
    for span in spans:
        pieces += (text[at : span.start], mark(word(span.kind)))
        at = span.end
    return "".join((*pieces, text[at:]))


def mark(word: str) -> str:
    """What stands where something was taken out."""
    return f"[{word} removed]"


def last_word(text: str, end: int) -> int:
    """Where the word begins that goes up to `end`; `end` itself where a blank stands before it."""
    while end and not text[end - 1].isspace():
        end -= 1
    return end
