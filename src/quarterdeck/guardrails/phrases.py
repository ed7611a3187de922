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
SURE = 0.1
"""The chance that a class is found wrongly, below which it needs no more evidence."""
_SLOT = re.compile(r"\b[A-Z]{4,}\b|<(\d+)>")


@dataclass(frozen=True, slots=True)
class Phrase:
    """One kind of sentence; `weight`: how much it says, 0 to 1. Of each group of `needs` one piece stands in every text
    that holds the sentence, and it begins where `lead` is, if it has one. `raw`: it is looked for in the text itself
    and not in its words.
    """

    what: str
    needs: tuple[tuple[str, ...], ...]
    pattern: re.Pattern[str]
    weight: float
    raw: bool = False
    lead: re.Pattern[str] | None = None


class _Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    needs: tuple[str, ...]
    pattern: str
    weight: float
    raw: bool = False


def find(words: str, raw: str) -> Iterator[Phrase]:
    """The phrases that stand in a text, given as its words and as it is, both in lower case.

    Of a class that is sure already no more are looked for.
    """
    looks = (_Look(words), _Look(raw))
    misses: dict[str, float] = {}
    for phrase in phrases():
        if misses.get(phrase.what, 1.0) > SURE and looks[phrase.raw].holds(phrase):
            misses[phrase.what] = misses.get(phrase.what, 1.0) * (1.0 - phrase.weight)
            yield phrase


class _Look:
    """One form of a text, with what was found out about it: groups and leads are shared by many phrases."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._there: dict[int, bool] = {}
        self._starts: dict[int, list[int]] = {}

    def holds(self, phrase: Phrase) -> bool:
        for group in phrase.needs:
            there = self._there.get(id(group))  # groups live as long as the phrases do: for ever
            if there is None:
                there = self._there[id(group)] = any(map(self._text.__contains__, group))
            if not there:
                return False
        if phrase.lead is None:
            return phrase.pattern.search(self._text) is not None
        starts = self._starts.get(id(phrase.lead))
        if starts is None:
            starts = self._starts[id(phrase.lead)] = [match.start() for match in phrase.lead.finditer(self._text)]
        return any(phrase.pattern.match(self._text, at) for at in starts)


@cache
def phrases() -> tuple[Phrase, ...]:
    """All of them, compiled at first use."""
    table = tomllib.loads(resources.files("quarterdeck.guardrails").joinpath("phrases.toml").read_text("utf-8"))
    words = msgspec.convert(table.pop("words"), dict[str, str])
    needs = msgspec.convert(table.pop("needs"), dict[str, str])
    rows = msgspec.convert(table, dict[str, list[_Row]])
    made = _Maker(words, {name: tuple(group.split("~")) for name, group in needs.items()})
    return tuple(made.phrase(what, row) for what in CLASSES for row in rows[what])


class _Maker:
    """Puts the words of the table into its patterns; what several rows share is one object."""

    def __init__(self, words: Mapping[str, str], needs: Mapping[str, tuple[str, ...]]) -> None:
        self._words = words
        self._needs = needs
        self._leads = {name: re.compile(rf"\b{pattern}\b") for name, pattern in words.items()}

    def phrase(self, what: str, row: _Row) -> Phrase:
        pattern = _SLOT.sub(self._fill, row.pattern)
        first = _SLOT.match(row.pattern)
        return Phrase(
            what,
            tuple(self._needs[group[1:]] if group.startswith("@") else tuple(group.split("~")) for group in row.needs),
            re.compile(pattern if row.raw else rf"\b(?:{pattern})\b"),
            row.weight,
            row.raw,
            None if first is None or row.raw else self._leads[first[0]],
        )

    def _fill(self, slot: re.Match[str]) -> str:
        return self._words[slot[0]] if slot[1] is None else rf"(?:\S+ ){{0,{slot[1]}}}?"
