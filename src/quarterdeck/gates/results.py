"""What becomes of a tool's words before anybody reads them: made visible, scored, searched. Pure functions.

The detector is the one of the input edge: what outsiders write and what users write is scored alike.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from quarterdeck.guardrails.characters import reveal
from quarterdeck.guardrails.injection import assess_revealed
from quarterdeck.guardrails.scanning import PII, SECRETS, scan

_NOTED = ":note"


@dataclass(frozen=True, slots=True)
class Guarded:
    """A text as it may be read. `score`: how much it sounds like instructions to the model, 0 to 1: a signal, no more.

    `hidden` counts characters that were made visible or removed. `redacted` counts by kind what the scan was asked to
    take out (`secrets`, `pii`), `noted` what it was asked to look for and leave (`secrets:note`, `pii:note`).
    """

    text: str
    hidden: int = 0
    score: float = 0.0
    redacted: Mapping[str, int] = field(default_factory=dict[str, int])
    noted: Mapping[str, int] = field(default_factory=dict[str, int])


def guard(text: str, scanned: Sequence[str] = (), *, scored: bool = True) -> Guarded:
    """A tool's text as the model, the log and people may read it. `scored`: outsiders can have written it."""
    revealed = reveal(text)
    visible, score = revealed.text, assess_revealed(revealed).score if scored else 0.0
    noted: dict[str, int] = {}
    redacted: dict[str, int] = {}
    for word in sorted(scanned, reverse=True):  # what is noted, before anything is taken out
        group = word.removesuffix(_NOTED)
        if group in {SECRETS, PII}:
            visible, found = scan(visible, frozenset({group}), take_out=word == group)
            (redacted if word == group else noted).update(found)
    return Guarded(visible, revealed.count, score, redacted, noted)
