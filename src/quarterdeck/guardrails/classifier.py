"""A small learned judge beside the rules: hashed words and pairs of words, weighed by a logistic regression.

It finds texts that are like those it was trained on, and little else; that is why its share in a score is limited by
its own calibration. `scripts/train_injection.py` makes the weights, from a seed, and says how good they are.
"""

import math
import struct
import zlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import accumulate
from operator import sub
from typing import Final

BUCKETS: Final = 1 << 16
WINDOW: Final = 48
"""Words that are judged together: an attack is a passage, whatever long text stands around it."""
_MASK: Final = BUCKETS - 1
_MAGIC: Final = b"QDG1"
_HEADER: Final = struct.Struct("<4sffff")
_MOST_REMEMBERED: Final = 50_000
_remembered: dict[str, int] = {}


@dataclass(frozen=True, slots=True)
class Weights:
    """What was learned: a weight for each bucket, in units of `scale`, and how a sum becomes a probability.

    `slope` and `shift` are set by the training so that 0.8 is passed by at most the chosen share of honest texts that
    it had not seen.
    """

    values: "array[int]"
    scale: float
    bias: float
    slope: float
    shift: float

    def pack(self) -> bytes:
        """As a file: a header and the buckets, compressed. The same weights always make the same bytes."""
        header = _HEADER.pack(_MAGIC, self.scale, self.bias, self.slope, self.shift)
        return header + zlib.compress(self.values.tobytes(), 9)

    @staticmethod
    def unpack(packed: bytes) -> "Weights":
        """The weights of a file that `pack` made. Raises ValueError for any other."""
        magic, scale, bias, slope, shift = _HEADER.unpack_from(packed)
        values = array("b", zlib.decompress(packed[_HEADER.size :]))
        if magic != _MAGIC or len(values) != BUCKETS:
            raise ValueError("this is no file of injection weights")
        return Weights(values, scale, bias, slope, shift)

    def raw(self, words: Sequence[str]) -> float:
        """How much the most suspicious passage of a text speaks for an attack: a sum of weights, not a probability."""
        if not words:
            return self.bias
        values = self.values
        sums = [0, *accumulate([values[a] + values[b] + values[c] for a, b, c in features(words)])]
        highest = max(map(sub, sums[WINDOW:], sums)) if len(words) > WINDOW else sums[-1]
        return highest * self.scale + self.bias

    def probability(self, words: Sequence[str]) -> float:
        """How sure it is that a text is an attack, from 0 to 1."""
        return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, self.slope * self.raw(words) + self.shift))))


@cache
def learned() -> Weights:
    """The weights that come with this version."""
    return Weights.unpack(resources.files("quarterdeck.guardrails").joinpath("injection.weights").read_bytes())


def features(words: Sequence[str]) -> list[tuple[int, int, int]]:
    """Three buckets for each word: its own, that of the pair with the word before, and with the one before that."""
    hashes = [_remembered.get(word) or _hash(word) for word in words]
    return [
        (one & _MASK, (before * 0x9E3B + one * 3 + 1) & _MASK, (earlier * 0x6A09 + one * 5 + 2) & _MASK)
        for one, before, earlier in zip(hashes, [1, *hashes], [1, 1, *hashes], strict=False)
    ]


def _hash(word: str) -> int:
    """CRC-32, the same in every process; 0 is kept free so that a remembered one is never mistaken for none."""
    if len(_remembered) >= _MOST_REMEMBERED:
        _remembered.clear()
    value = zlib.crc32(word.encode("utf-8", "replace")) or 1
    _remembered[word] = value
    return value
