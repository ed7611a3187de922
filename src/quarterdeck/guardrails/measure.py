"""How well the detectors do, in figures: what is found of attacks and of honest texts, and which threshold keeps false
alarms below a share that somebody chose. Pure functions.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from quarterdeck.guardrails import pii
from quarterdeck.guardrails.injection import assess
from quarterdeck.guardrails.sets import Document, Sample


@dataclass(frozen=True, slots=True)
class Scored:
    """A text of a set and what the detector says: its score and the class that leads."""

    sample: Sample
    score: float
    leading: str


@dataclass(frozen=True, slots=True)
class Figure:
    """One set, or one kind of text in it. `flagged` reached the threshold: found attacks, or false alarms.

    `seen`: the classifier was trained on it, so that the figure says how well it remembers and not how well it finds.
    """

    source: str
    kind: str
    attack: bool
    seen: bool
    texts: int
    flagged: int
    classes: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def share(self) -> float:
        """The share that was flagged: a detection rate for attacks, a false-positive rate for honest texts."""
        return self.flagged / self.texts if self.texts else 0.0


@dataclass(frozen=True, slots=True)
class Entity:
    """One kind of personal data: how much was found rightly, wrongly, and not at all."""

    kind: str
    found: int = 0
    false: int = 0
    missed: int = 0

    @property
    def precision(self) -> float:
        """The share of what was found that is right; 1 where nothing was found."""
        return self.found / (self.found + self.false) if self.found + self.false else 1.0

    @property
    def recall(self) -> float:
        """The share of what is there that was found; 1 where there is nothing."""
        return self.found / (self.found + self.missed) if self.found + self.missed else 1.0


def score(samples: Iterable[Sample], done: Callable[[], object] = lambda: None) -> list[Scored]:
    """Judge every text; `done` is told after each."""
    scored: list[Scored] = []
    for sample in samples:
        assessed = assess(sample.text)
        scored.append(Scored(sample, assessed.score, assessed.leading))
        done()
    return scored


def figures(scored: Sequence[Scored], threshold: float) -> list[Figure]:
    """By set and kind, attacks before honest texts, in the order of their names."""
    groups: dict[tuple[bool, str, str], list[Scored]] = {}
    for one in scored:
        groups.setdefault((not one.sample.attack, one.sample.source, one.sample.kind), []).append(one)
    return [
        _figure(source, kind, group, threshold)
        for (_, source, kind), group in sorted(groups.items(), key=lambda item: item[0])
    ]


def totals(scored: Sequence[Scored], threshold: float) -> list[Figure]:
    """Each set as a whole."""
    sets: dict[tuple[bool, str], list[Scored]] = {}
    for one in scored:
        sets.setdefault((not one.sample.attack, one.sample.source), []).append(one)
    return [_figure(source, "", group, threshold) for (_, source), group in sorted(sets.items())]


def _figure(source: str, kind: str, group: Sequence[Scored], threshold: float) -> Figure:
    flagged = [one for one in group if one.score >= threshold]
    first = group[0].sample
    classes = dict(Counter(one.leading for one in flagged).most_common())
    return Figure(source, kind, first.attack, first.seen, len(group), len(flagged), classes)


def threshold_for(honest: Iterable[float], share: float) -> float:
    """The lowest threshold that at most this share of honest scores reaches. Scores have two decimals.

    Above 1 where even the surest findings are too many: nothing is found then.
    """
    descending = sorted(honest, reverse=True)
    allowed = math.floor(share * len(descending))
    if allowed >= len(descending):
        return 0.0
    return round(descending[allowed] + 0.01, 2)


def entities(documents: Iterable[Document], done: Callable[[], object] = lambda: None) -> list[Entity]:
    """How well personal data with a form is found, by kind, in documents whose places are known.

    What overlaps a place of its own kind is found rightly; whatever else is found counts as wrong.
    """
    found, false, missed = Counter[str](), Counter[str](), Counter[str]()
    for document in documents:
        spans = pii.find(document.text)
        for kind, start, end in document.places:
            if kind in pii.KINDS:
                hit = any(span.kind == kind and span.start < end and start < span.end for span in spans)
                (found if hit else missed)[kind] += 1
        for span in spans:
            own = (place for place in document.places if place[0] == span.kind)
            if not any(span.start < end and start < span.end for _, start, end in own):
                false[span.kind] += 1
        done()
    return [Entity(kind, found[kind], false[kind], missed[kind]) for kind in sorted(found | false | missed)]


def overall(kinds: Sequence[Entity]) -> Entity:
    """All kinds together."""
    return Entity(
        "all", sum(one.found for one in kinds), sum(one.false for one in kinds), sum(one.missed for one in kinds)
    )


def yaml_lines(threshold: float, action: str = "label") -> str:
    """The lines of `agent.yaml` that use a threshold."""
    return f"guardrails:\n  input:\n    - {{check: injection, threshold: {threshold:.2f}, action: {action}}}"
