"""The most that a call can cost, told before it is made. Pure.

The input is bounded by what the provider itself counted for the run's last step, and for what is new since then by one
token for 1.3 bytes, which no tokenizer was found to exceed. What exceeds it after all raises the estimates that follow.
"""

import math
from collections import OrderedDict, deque
from typing import Protocol, Self

from quarterdeck.budgets.records import Amount

BYTES_PER_TOKEN = 1.3
"""Fewer bytes a token than any text has been found to have."""
REMEMBERED = 256
"""Calls of one model from which its factor is learned: the latest."""
MODELS = 512
"""Models whose factors are remembered: those that were asked last."""
HIGHEST = 8.0
"""A factor at most: one wrong count must not stop a model from being asked at all."""
_SHARE = 0.99
_MILLION = 1_000_000


class Priced(Protocol):
    """What a model costs, in micro-USD per million tokens: `models.prices.Price`."""

    @property
    def input(self) -> int:
        """Of a token of input."""
        ...

    @property
    def output(self) -> int:
        """Of a token of output."""
        ...

    @property
    def cache_read(self) -> int:
        """Of a token of input that the provider's cache had."""
        ...

    @property
    def cache_write(self) -> int:
        """Of a token of input that the cache is given."""
        ...

    @property
    def request(self) -> int:
        """Micro-USD for the call itself."""
        ...

    def within(self, input_tokens: int) -> Self:
        """The most that a call with at most so many tokens of input may be charged."""
        ...


def input_bound(known_input_tokens: int, new_bytes: int, factor: float = 1.0) -> int:
    """Tokens of input at most: those that were counted before, and what is new. A factor below 1 counts as 1."""
    tokens = max(0, known_input_tokens) + math.ceil(max(0, new_bytes) / BYTES_PER_TOKEN)
    return math.ceil(tokens * min(max(1.0, factor), HIGHEST))


def worst_case(
    price: Priced | None, known_input_tokens: int, new_bytes: int, max_output: int, factor: float = 1.0
) -> Amount:
    """What to reserve for one call: the whole input at its dearest, all of the output, and what a request costs.

    Input is at its dearest where it is written to the provider's cache. Without a price only tokens are bounded.
    """
    tokens = input_bound(known_input_tokens, new_bytes, factor)
    output = max(0, max_output)
    if price is None:
        return Amount(0, tokens + output)
    rates = price.within(tokens)
    dearest = max(rates.input, rates.cache_write, rates.cache_read)
    micro_usd = -(-(tokens * dearest + output * rates.output) // _MILLION) + rates.request
    return Amount(micro_usd, tokens + output)


class Factors:
    """How far each model's real counts go beyond the bound: the 99th percentile of its latest calls, at least 1.

    One of these in each process. It takes a bounded room however many models and calls there are.
    """

    def __init__(self, remembered: int = REMEMBERED, models: int = MODELS) -> None:
        self._remembered = remembered
        self._models = models
        self._ratios: OrderedDict[str, deque[float]] = OrderedDict()
        self._factors: dict[str, float] = {}

    def of(self, model: str) -> float:
        """What to multiply a bound with."""
        return self._factors.get(model, 1.0)

    def learn(self, model: str, bound: int, used: int) -> None:
        """A call's input was bounded by `bound` tokens, with the factor of that time, and turned out to have `used`."""
        if bound <= 0 or used <= 0:
            return
        ratios = self._ratios.setdefault(model, deque(maxlen=self._remembered))
        ratios.append(used / bound * self.of(model))
        self._ratios.move_to_end(model)
        if len(self._ratios) > self._models:
            forgotten, _ = self._ratios.popitem(last=False)
            self._factors.pop(forgotten, None)
        self._factors[model] = min(max(1.0, _percentile(ratios)), HIGHEST)


def _percentile(ratios: deque[float]) -> float:
    """The nearest rank: of fewer than a hundred the highest."""
    return sorted(ratios)[math.ceil(_SHARE * len(ratios)) - 1]
