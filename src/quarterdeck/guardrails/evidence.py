"""What a sentence claims, and how much of it stands in the sources: numbers, quotes, names and words, by rule."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import Self

from quarterdeck.guardrails.spans import plain


class Support(StrEnum):
    """What the rules can say of a sentence."""

    FOUND = "found"
    UNCLEAR = "unclear"
    """Its words stand there in part: whether it says the same takes understanding."""
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence of an answer. `lacks`: what of it does not stand in the sources (number, quote, name, statement)."""

    sentence: str
    support: Support
    lacks: tuple[str, ...] = ()


_SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?]+(?!\s|\Z)[^.!?\n]+)*[.!?]*")
_NUMBER = re.compile(r"(?<![\w.,])[$€£]?[0-9]+(?:[.,' ][0-9]{3})*(?:[.,][0-9]+)?(?: ?%)?(?!\w)")
_LISTED = re.compile(r"\A\s*(?:[-*+]|\(?\d{1,3}[.)])\s+")
_QUOTE = re.compile(r"[\"“„«]([^\"“”„«»\n]{8,600})[\"”“»]")
_NAME = re.compile(r"\b[A-Z][\w&'-]*(?:\s+(?:of|de|the|and|&)\s+[A-Z][\w&'-]*|\s+[A-Z][\w&'-]*)*")
_LABEL = re.compile(r"[*_)\]]*(?: \([^()]{0,40}\))?[*_]*:")
_BEFORE = re.compile(r"[\W\d_]+")
_WORD = re.compile(r"[^\W\d_]{4,}")
_TOKEN = re.compile(r"\w+")
_STEM = 6
_CENT = 0.005
_COURTESY = re.compile(
    r"(?i)\?\W*\Z|^\W*(?:please|thank|if you|let me|feel free|would you|could you|i am (?:sorry|happy|glad)"
    r"|i'm (?:sorry|happy|glad)|i'd be|i can|i will|i'll|hello|hi|welcome|sorry)\b"
    r"|\b(?:let me know|feel free|looking forward)\b"
)
"""What is asked, offered or said out of politeness claims nothing by itself."""
_FEWEST = 3
"""Content words of a sentence that says something."""
_ENOUGH, _ENOUGH_BESIDE, _TOO_FEW = 0.65, 0.5, 0.35
"""The share of a sentence's words that stand in the sources: to be found, by itself and beside a number, a quote or a
name that does; below the last it is missing."""
_COUNTED = 10
"""Whole numbers up to this one are mostly counted by the writer, and not quoted."""
_EMPTY_WORDS = frozenset(
    (
        *("about", "above", "after", "again", "also", "although", "always", "because", "been", "before", "being"),
        *("below", "between", "both", "cannot", "could", "does", "doing", "down", "during", "each", "either", "every"),
        *("from", "further", "have", "having", "here", "however", "into", "itself", "just", "like", "make", "many"),
        *("more", "most", "much", "need", "only", "other", "over", "please", "same", "should", "since", "some", "such"),
        *("than", "that", "their", "them", "then", "there", "these", "they", "this", "those", "through", "under"),
        *("until", "upon", "very", "want", "was", "were", "what", "when", "where", "which", "while", "will", "with"),
        *("within", "without", "would", "you", "your", "yours"),
    )
)


class Sources:
    """What was retrieved, prepared for looking things up."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = tuple(map(plain, texts))
        self._numbers = {value for text in self._texts for value in _numbers(text)}
        tokens = [token[0].casefold() for text in self._texts for token in _TOKEN.finditer(text)]
        self._tokens = frozenset(tokens)
        self._stems = frozenset(token[:_STEM] for token in tokens)
        self._flat = " ".join(tokens)

    @classmethod
    def of(cls, texts: Sequence[str]) -> Self:
        """The sources of an answer."""
        return cls(texts)

    def judge(self, answer: str) -> list[Claim]:
        """The sentences of an answer that claim something."""
        found = (self._judge(_LISTED.sub("", match[0]).strip()) for match in _SENTENCE.finditer(plain(answer)))
        return [claim for claim in found if claim is not None]

    def near(self, sentences: Sequence[str], most: int) -> str:
        """The paragraphs that have most words in common with some sentences, at most so many characters of them."""
        wanted = {stem for sentence in sentences for stem in _stems(sentence)}
        paragraphs = [one for text in self._texts for one in text.split("\n") if one.strip()]
        ranked = sorted(paragraphs, key=lambda one: -len(wanted.intersection(_stems(one))))
        kept: list[str] = []
        left = most
        for paragraph in ranked:
            if len(paragraph) > left:
                kept.append(paragraph[:left])
                break
            kept.append(paragraph)
            left -= len(paragraph) + 1
        return "\n".join(kept)

    def _judge(self, sentence: str) -> Claim | None:
        numbers = [value for value in _numbers(sentence) if not _is_counted(value)]
        quotes = [_flat(match[1]) for match in _QUOTE.finditer(sentence)]
        names = [*_names(sentence)]
        stems = [*_stems(sentence)]
        if not (numbers or quotes) and (_COURTESY.search(sentence) or not (names or len(stems) >= _FEWEST)):
            return None
        known = [float(value) for value in numbers if value in self._numbers and not value.endswith("%")]
        wrong = [
            *(["number"] if any(not self._has(value, known) for value in numbers) else []),
            *(["quote"] if any(f" {quote} " not in f" {self._flat} " for quote in quotes) else []),
        ]
        share = sum(stem in self._stems for stem in stems) / len(stems) if stems else 1.0
        sure = bool(numbers or quotes) and not wrong
        strange = ["name"] if any(not self._knows(name) for name in names) else []
        if share < _TOO_FEW and not sure:
            wrong.append("statement")
        if wrong:
            return Claim(sentence, Support.MISSING, (*wrong, *strange))
        enough = share >= (_ENOUGH_BESIDE if sure or names else _ENOUGH)
        return Claim(sentence, Support.FOUND if enough and not strange else Support.UNCLEAR, tuple(strange))

    def _has(self, number: str, known: Sequence[float]) -> bool:
        """Whether a number stands in the sources, or is reckoned from two of the same sentence that do."""
        if number in self._numbers:
            return True
        if number.endswith("%"):
            return False
        return any(
            abs(float(number) - reckoned) < _CENT
            for one, other in combinations(known, 2)
            for reckoned in (one + other, abs(one - other), one * other)
        )

    def _knows(self, name: str) -> bool:
        return all(token[0].casefold() in self._tokens for token in _TOKEN.finditer(name))


def _numbers(text: str) -> Iterator[str]:
    """Numbers in one spelling: 1,250.50 is 1250.5, and 10 % is 10%."""
    for match in _NUMBER.finditer(text):
        digits = match[0].strip("$€£% ")
        unit = "%" if match[0].endswith("%") else ""
        yield _spelled(digits) + unit


def _spelled(digits: str) -> str:
    """Without separators of thousands; the last separator is a decimal point unless three digits follow it."""
    parts = re.split(r"[.,' ]", digits)
    if len(parts) == 1:
        return digits.lstrip("0") or "0"
    whole, last = "".join(parts[:-1]), parts[-1]
    if len(last) == 3 and not (len(parts) == 2 and parts[0] == "0"):
        return (whole + last).lstrip("0") or "0"
    last = last.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{last}" if last else "")


def _is_counted(number: str) -> bool:
    return number.isdigit() and int(number) <= _COUNTED


def _names(sentence: str) -> Iterator[str]:
    """What is written with capitals within a sentence. Not its first word, nor what a colon makes a label."""
    for match in _NAME.finditer(sentence):
        name = match[0]
        if _LABEL.match(sentence, match.end()):
            continue
        if not _BEFORE.sub("", sentence[: match.start()]) or sentence[: match.start()].rstrip(" *_").endswith(":"):
            _, _, name = name.partition(" ")
        if len(name) > 2 and name[:1].isupper():
            yield name


def _stems(text: str) -> Iterator[str]:
    for match in _WORD.finditer(text):
        word = match[0].casefold()
        if word not in _EMPTY_WORDS:
            yield word[:_STEM]


def _flat(text: str) -> str:
    return " ".join(token[0].casefold() for token in _TOKEN.finditer(text))
