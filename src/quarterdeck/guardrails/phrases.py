"""What people write to make a model forget whom it works for, by class. Rules are about kinds of sentences, not about
wordings that were seen: verbs, what they are about, and how near they stand to each other. `phrases.toml` has them.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

import msgspec

OVERRIDE, PERSONA, UNBOUND, HYPOTHETICAL = "ignore_instructions", "role_play", "no_rules", "hypothetical"
EXTRACTION, EXFILTRATION, CONCEALMENT, FORGED = "prompt_extraction", "exfiltration", "concealment", "forged_markup"
CLASSES = (OVERRIDE, PERSONA, UNBOUND, HYPOTHETICAL, EXTRACTION, EXFILTRATION, CONCEALMENT, FORGED)
_SLOT = re.compile(r"\b[A-Z]{4,}\b|<(\d+)>")


@dataclass(frozen=True, slots=True)
class Phrase:
    """One kind of sentence; `weight`: how much it says, 0 to 1. Of each group of `needs` one piece stands in every text
    that holds the sentence. `raw`: it is looked for in the text itself and not in its words.
    """

    what: str
    needs: tuple[tuple[str, ...], ...]
    pattern: re.Pattern[str]
    weight: float
    raw: bool = False


class _Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    needs: tuple[str, ...]
    pattern: str
    weight: float
    raw: bool = False


def find(words: str, raw: str) -> Iterator[Phrase]:
    """The phrases that stand in a text, given as its words and as it is, both in lower case."""
    known: dict[tuple[tuple[str, ...], bool], bool] = {}
    for phrase in phrases():
        text = raw if phrase.raw else words
        for group in phrase.needs:
            there = known.get((group, phrase.raw))
            if there is None:
                there = known[group, phrase.raw] = any(map(text.__contains__, group))
            if not there:
                break
        else:
            if phrase.pattern.search(text):
                yield phrase


@cache
def phrases() -> tuple[Phrase, ...]:
    """All of them, compiled at first use."""
    table = tomllib.loads(resources.files("quarterdeck.guardrails").joinpath("phrases.toml").read_text("utf-8"))
    words = msgspec.convert(table.pop("words"), dict[str, str])
    needs = msgspec.convert(table.pop("needs"), dict[str, str])
    rows = msgspec.convert(table, dict[str, list[_Row]])
    return tuple(_phrase(what, row, words, needs) for what in CLASSES for row in rows[what])


def _phrase(what: str, row: _Row, words: Mapping[str, str], needs: Mapping[str, str]) -> Phrase:
    def fill(slot: re.Match[str]) -> str:
        return words[slot[0]] if slot[1] is None else rf"(?:\S+ ){{0,{slot[1]}}}?"

    pattern = _SLOT.sub(fill, row.pattern)
    groups = (needs[group[1:]] if group.startswith("@") else group for group in row.needs)
    return Phrase(
        what,
        tuple(tuple(group.split("~")) for group in groups),
        re.compile(pattern if row.raw else rf"\b(?:{pattern})\b"),
        row.weight,
        row.raw,
    )
