"""How much a text sounds as if it wanted to instruct a model against those who run it: one detector for all edges.

Rules by class, payloads decoded first, and a small classifier. A score is a signal: attacks in other words are missed
and honest texts about prompts score too, so nothing that matters may rest on it alone.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from quarterdeck.guardrails import languages, payloads, phrases
from quarterdeck.guardrails.characters import Revealed, look_alikes, reveal, unify
from quarterdeck.guardrails.classifier import learned
from quarterdeck.guardrails.repetition import floods

ENCODED, FLOODING, HIDDEN, LEARNED = "encoded", "flooding", "hidden_characters", "learned"
CLASSES = (
    phrases.OVERRIDE,
    phrases.PERSONA,
    phrases.UNBOUND,
    phrases.HYPOTHETICAL,
    phrases.EXTRACTION,
    phrases.EXFILTRATION,
    phrases.CONCEALMENT,
    phrases.FORGED,
    ENCODED,
    FLOODING,
    HIDDEN,
    LEARNED,
)
_LONGEST = 48_000
"""Characters that are read of a longer text, half from its beginning and half from its end."""
_WORDS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{1,40}")


@dataclass(frozen=True, slots=True)
class Assessment:
    """`score` from 0 to 1, and what each class said by itself. `leading` is the class that said most; empty = none."""

    score: float = 0.0
    classes: Mapping[str, float] = field(default_factory=dict[str, float])

    @property
    def leading(self) -> str:
        """The class that weighs most; the rules go before what was learned, because they can be explained."""
        ruled = {what: weight for what, weight in self.classes.items() if what != LEARNED}
        best = ruled if ruled and max(ruled.values()) >= _WORTH_NAMING else self.classes
        return max(best, key=lambda what: best[what]) if best else ""


_WORTH_NAMING = 0.3


def assess(text: str, *, classifier: bool = True) -> Assessment:
    """Judge a text as it came."""
    return assess_revealed(reveal(_bounded(text)), classifier=classifier)


def assess_revealed(revealed: Revealed, *, classifier: bool = True) -> Assessment:
    """Judge a text that `characters.reveal` has looked at, with the classifier or by the rules alone."""
    plain = unify(_bounded(revealed.text))
    lowered = plain.lower()
    words = split(lowered)
    classes = _phrased(" ".join(words), lowered)
    if revealed.smuggled:
        classes |= _phrased(" ".join(split(revealed.smuggled.lower())), revealed.smuggled.lower())
    for what, weight in ((ENCODED, _encoded(plain)), (HIDDEN, _hidden(revealed)), (FLOODING, _FLOOD * floods(plain))):
        if weight:
            classes[what] = weight
    likely = learned().probability(words) if classifier else 0.0
    if likely >= _LEAST:
        classes[LEARNED] = round(likely, 2)
    return Assessment(together(classes), classes)


def _bounded(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]}\n{text[-_LONGEST // 2 :]}"


_LEAST = 0.5
"""A probability below one half speaks for the text, not against it."""
_FLOOD = 0.5
_CARRIERS = 5
_MANY = 8


def _hidden(revealed: Revealed) -> float:
    """Nothing honest carries a text in characters without a form; a few lost marks come with copied text."""
    if len(revealed.smuggled) >= _CARRIERS:
        return 0.85
    return 0.4 if revealed.count >= _MANY or look_alikes(revealed.text) > 1 else 0.0


def split(lowered: str) -> list[str]:
    """The words of a text in lower case; in scripts that are written without spaces, its characters."""
    return _WORDS.findall(lowered)


def _phrased(words: str, lowered: str) -> dict[str, float]:
    """What the rules say: within a class the strongest sentence counts whole and each other one a little."""
    found: dict[str, list[float]] = {}
    for phrase in phrases.find(words, lowered):
        found.setdefault(phrase.what, []).append(phrase.weight)
    sure = [what for what, weights in found.items() if 1.0 - _either(weights) <= phrases.SURE]
    for saying in languages.find(words, lowered, sure):
        found.setdefault(saying.what, []).append(saying.weight)
    return {what: _either(weights) for what, weights in found.items()}


def _encoded(text: str) -> float:
    """What is hidden in payloads: words that would score openly score more when somebody took pains to hide them."""
    highest = 0.0
    for _, inner in payloads.decoded(text):
        lowered = unify(inner).lower()
        words = split(lowered)
        said = together(_phrased(" ".join(words), lowered))
        if said < _TELLING and _GLUED.search("".join(words)):
            said = 0.85
        highest = max(highest, said)
    return round(min(1.0, highest + 0.2), 2) if highest >= _TELLING else 0.0


_TELLING = 0.4
_GLUED = re.compile(
    r"(?:ignore|disregard|forget|override|bypass)(?:all|any|the|your|my|of|every)*(?:previous|prior|above|earlier|system)*"
    r"(?:instructions?|directives?|guidelines?|rules|prompts?)|(?:reveal|print|show|repeat)(?:me|the|your|all)*systemprompt"
)


def together(classes: Mapping[str, float]) -> float:
    """The score of several classes."""
    return _either(list(classes.values()))


def _either(weights: list[float]) -> float:
    """The chance that at least one is right, if each were right by itself as often as its weight says."""
    miss = 1.0
    for weight in weights:
        miss *= 1.0 - weight
    return round(1.0 - miss, 2)
