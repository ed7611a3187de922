"""Train the injection classifier: `python -m scripts.train_injection --data FOLDER`. The same seed gives the same file.

FOLDER holds public development sets (see docs/how-to/calibrate-a-guardrail.md); none of their text goes into the file,
only 65,536 small numbers. Prints what was found in texts that were held back, by source, before it trains on all.
"""

import argparse
import random
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import exp, log, sqrt
from operator import sub
from pathlib import Path

from quarterdeck.guardrails.characters import reveal, unify
from quarterdeck.guardrails.classifier import BUCKETS, WINDOW, Weights, features
from quarterdeck.guardrails.injection import assess_revealed, split
from quarterdeck.guardrails.sets import read_injection
from scripts.injection_talk import talk
from scripts.injection_texts import HONEST, HOSTILE, documents, make

_TARGET = Path(__file__).resolve().parent.parent / "src/quarterdeck/guardrails/injection.weights"
_FOLDS = 5
_EPOCHS = 8
_STEP = 0.25
_DECAY = 2e-4
_BIAS = -2.0
_SHARED = 5
_SLOPE = 0.5
_CEILING = 0.8
"""The probability that at most `--false-positives` of the honest texts may pass."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """One text to learn from: its features, whether it is an attack, and where it comes from."""

    rows: Sequence[tuple[int, int, int]]
    attack: bool
    source: str
    weight: float = 1.0
    ruled: float = 0.0
    """What the rules say of it, which were not learned."""


def main() -> None:
    """Evaluate on held-back folds, calibrate, train on everything, write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the public development sets")
    parser.add_argument("--seed", type=int, default=20_26)
    parser.add_argument("--false-positives", type=float, default=0.005)
    parser.add_argument("--out", type=Path, default=_TARGET)
    chosen = parser.parse_args()
    lessons = [*real(chosen.data), *made(chosen.seed)]
    scores = cross_validate(lessons, chosen.seed)
    threshold = calibrate(lessons, scores, chosen.false_positives)
    report(lessons, scores, threshold)
    weights, bias = train(lessons, chosen.seed)
    packed = quantise(weights, bias, _SLOPE, log(_CEILING / (1 - _CEILING)) - _SLOPE * threshold).pack()
    _ = chosen.out.write_bytes(packed)
    print(f"{len(packed):,} bytes written to {chosen.out.name}")


def real(folder: Path) -> list[Lesson]:
    """The public sets. What is an attack only by its place, such as a plain question in an e-mail, is left out."""
    return [lesson(one.text, one.source, attack=one.attack) for one in read_injection(folder) if one.learn]


def made(seed: int) -> list[Lesson]:
    """Sentences and documents of our own."""
    return [
        *(lesson(one, "own requests") for one in make(HONEST, 4_000, seed)),
        *(lesson(one, "own documents") for one in documents(500, seed + 1)),
        *(lesson(one, "own talk") for one in talk(6_000, seed + 3)),
        *(lesson(one, "own attacks", attack=True) for one in make(HOSTILE, 1_200, seed + 2)),
    ]


def lesson(text: str, source: str, *, attack: bool = False) -> Lesson:
    """Read exactly as the detector reads. What we made up counts half."""
    revealed = reveal(text)
    own = source.startswith("own ")
    ruled = 0.0 if own else assess_revealed(revealed, classifier=False).score
    return Lesson(features(split(unify(revealed.text).lower())), attack, source, 0.5 if own else 1.0, ruled)


def train(lessons: Sequence[Lesson], seed: int) -> tuple[list[float], float]:
    """Logistic regression with AdaGrad on the most suspicious passage of each text: of an attack one passage is enough,
    of an honest text even that one may not look like an attack.
    """
    weights, squares, bias = [0.0] * BUCKETS, [1e-3] * BUCKETS, _BIAS
    order = list(range(len(lessons)))
    chance = random.Random(seed)
    for epoch in range(_EPOCHS):
        chance.shuffle(order)
        for at in order:
            one = lessons[at]
            if not one.rows:
                continue
            start, total = passage(weights, one.rows, chance if epoch == 0 and one.attack else None)
            wrong = (1.0 / (1.0 + exp(-max(-30.0, min(30.0, total + bias)))) - one.attack) * one.weight
            bias -= 0.01 * wrong
            for row in one.rows[start : start + WINDOW]:
                for bucket in row:
                    slope = wrong + _DECAY * weights[bucket]
                    squares[bucket] += slope * slope
                    weights[bucket] -= _STEP * slope / sqrt(squares[bucket])
    return [0.0 if few else one for one, few in zip(weights, rare(lessons), strict=True)], bias


def rare(lessons: Sequence[Lesson]) -> list[bool]:
    """Buckets that too few texts share to say anything: what is learned there are names, not kinds of talk."""
    counts = [0] * BUCKETS
    for one in lessons:
        for bucket in {bucket for row in one.rows for bucket in row}:
            counts[bucket] += 1
    return [count < _SHARED for count in counts]


def passage(
    weights: Sequence[float], rows: Sequence[tuple[int, int, int]], chance: random.Random | None
) -> tuple[int, float]:
    """Where the most suspicious passage of a text begins and its sum; any passage while nothing is known yet."""
    sums = [0.0, *accumulate([weights[a] + weights[b] + weights[c] for a, b, c in rows])]
    if len(rows) <= WINDOW:
        return 0, sums[-1]
    spans = list(map(sub, sums[WINDOW:], sums))
    start = chance.randrange(len(spans)) if chance else max(range(len(spans)), key=spans.__getitem__)
    return start, spans[start]


def cross_validate(lessons: Sequence[Lesson], seed: int) -> list[float]:
    """For each text the raw score of a model that has not seen it, nor any other of its near-identical neighbours."""
    scores = [0.0] * len(lessons)
    folds = [hash_fold(one.rows) for one in lessons]
    for fold in range(_FOLDS):
        weights, bias = train([one for one, its in zip(lessons, folds, strict=True) if its != fold], seed)
        for at, one in enumerate(lessons):
            if folds[at] == fold:
                scores[at] = passage(weights, one.rows, None)[1] + bias
    return scores


def hash_fold(rows: Sequence[tuple[int, int, int]]) -> int:
    """Texts that begin with the same words are variants of one another: they stay together."""
    return sum(row[0] for row in rows[:6]) % _FOLDS


def calibrate(lessons: Sequence[Lesson], scores: Sequence[float], target: float) -> float:
    """The score that the wanted share of honest texts of public sets passes, by models that had not seen them."""
    pairs = list(zip(scores, lessons, strict=True))
    honest = sorted((score for score, one in pairs if _real(one, attack=False)), reverse=True)
    attacks = [score for score, one in pairs if _real(one, attack=True)]
    print("held back, public sets only: honest texts that pass, attacks that are found")
    for share in (0.05, 0.02, 0.01, 0.005, 0.0):
        threshold = _passed_by(honest, share)
        print(f"  {share:6.1%}  {sum(one > threshold for one in attacks) / len(attacks):7.2%}  above {threshold:.2f}")
    return _passed_by(honest, target)


def _passed_by(descending: Sequence[float], share: float) -> float:
    return descending[int(share * len(descending))]


def _real(one: Lesson, *, attack: bool) -> bool:
    return one.attack is attack and not one.source.startswith("own ")


def report(lessons: Sequence[Lesson], scores: Sequence[float], threshold: float) -> None:
    """What the folds found, by source: the classifier alone, and together with the rules."""
    print(f"held back ({_FOLDS} folds, variants of one text kept together), found with a score of {_CEILING}:")
    print("  source                   kind     texts  classifier     rules  together")
    for source in sorted({one.source for one in lessons}):
        own = [(one, score) for score, one in zip(scores, lessons, strict=True) if one.source == source]
        alone = sum(score > threshold for _, score in own) / len(own)
        ruled = sum(one.ruled >= _CEILING for one, _ in own) / len(own)
        both = sum(_either(one.ruled, probability(score, threshold)) >= _CEILING for one, score in own) / len(own)
        kind = "attack" if own[0][0].attack else "honest"
        print(f"  {source:<24} {kind:<8} {len(own):5} {alone:11.2%} {ruled:9.2%} {both:9.2%}")


def _either(ruled: float, learned: float) -> float:
    return round(1 - (1 - ruled) * (1 - learned), 2)


def probability(score: float, threshold: float) -> float:
    """As `Weights.probability` will say it."""
    return 1 / (1 + exp(-max(-30.0, min(30.0, _SLOPE * (score - threshold) + log(_CEILING / (1 - _CEILING))))))


def quantise(weights: Sequence[float], bias: float, slope: float, shift: float) -> Weights:
    """One byte a weight."""
    scale = max(max(map(abs, weights)) / 127, 1e-6)
    return Weights(array("b", [round(one / scale) for one in weights]), scale, bias, slope, shift)


if __name__ == "__main__":
    main()
