"""Which limits measured use suggests. Pure.

A limit is there for what is not usual: one just above the usual stops people at work, one far above it stops nothing.
So it is twice what ninety-nine in a hundred stayed under, or three times the median where that is more. Of little use
nothing is concluded: a limit that was guessed is worse than none, because it is believed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from quarterdeck.budgets.records import Scope, Window
from quarterdeck.core.errors import Conflict, Invalid
from quarterdeck.core.money import MicroUsd
from quarterdeck.core.money import show as usd

OVER_USUAL, OVER_MEDIAN = 2, 3
"""Times what ninety-nine in a hundred stay under, and times the median; the larger one is suggested."""
EACH = frozenset({Scope.REQUEST, Scope.RUN, Scope.THREAD})
"""Scopes that are counted as wholes: they have one window, their own life."""
FEWEST_EACH = 20
"""Requests, runs, threads, or windows of users, from which anything is concluded."""
FEWEST: Mapping[Window, int] = {Window.HOUR: 24, Window.DAY: 7, Window.MONTH: 2}
"""Windows of an agent or tenant from which anything is concluded."""
FAR_OUT = 10
"""Times the median above which the most of all is called an outlier."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How use was spread: half stayed under `p50`, ninety-nine in a hundred under `p99`, all under `max`."""

    p50: int
    p99: int
    max: int


@dataclass(frozen=True, slots=True)
class Measured:
    """What was used in whole windows from `since` to `until`. `samples`: one for each instance in each window with use.

    `unpriced` calls had no price: what they cost is not in it.
    """

    scope: Scope
    window: Window
    since: datetime
    until: datetime
    samples: int
    instances: int
    windows: int
    micro_usd: Spread
    tokens: Spread
    unpriced: int = 0


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A limit for money and one for tokens, None where nothing was used, and what they rest on in words."""

    max_micro_usd: int | None
    max_tokens: int | None
    words: str
    warnings: tuple[str, ...] = ()


class NothingToSuggest(Invalid):
    """For this scope and time no limit can be suggested."""

    code = "budget.nothing_to_suggest"


class TooLittleUse(Conflict):
    """There is too little use to suggest a limit from; look further back with `days`, or wait for more."""

    code = "budget.too_little_use"


def check(scope: Scope, window: Window) -> None:
    """Let pass what use can be measured of. Raises NothingToSuggest with what to ask instead."""
    if scope in EACH and window is not Window.TOTAL:
        raise NothingToSuggest(f"a {scope} is counted as a whole: send budget_duration total", scope=scope)
    if scope not in EACH and window is Window.TOTAL:
        raise NothingToSuggest(
            f"what a {scope} uses in total depends on how long it lives: send budget_duration 1h, 1d or month",
            scope=scope,
        )


def suggest(measured: Measured) -> Suggestion:
    """What the use suggests. Raises TooLittleUse."""
    needs = fewest(measured.scope, measured.window)
    if measured.samples < needs:
        raise TooLittleUse(
            f"There is too little to go by: {_rest(measured)}, and at least {needs} are needed. "
            "Look further back with `days`, or wait for more.",
            samples=measured.samples,
            needs=needs,
            instances=measured.instances,
            windows=measured.windows,
        )
    money, tokens = _limit(measured.micro_usd), _limit(measured.tokens)
    return Suggestion(money, tokens, _words(measured, money, tokens), tuple(_warnings(measured, money)))


def fewest(scope: Scope, window: Window) -> int:
    """Samples from which anything is concluded."""
    return FEWEST_EACH if scope in EACH or scope is Scope.USER else FEWEST[window]


def two_digits(amount: int) -> int:
    """The amount rounded up to two digits: what people would write down."""
    if amount < 100:
        return amount
    unit = 10 ** (len(str(amount)) - 2)
    return -(-amount // unit) * unit


def _limit(spread: Spread) -> int | None:
    if spread.max <= 0:
        return None
    return two_digits(max(OVER_USUAL * spread.p99, OVER_MEDIAN * spread.p50))


def _words(measured: Measured, money: int | None, tokens: int | None) -> str:
    limits = [usd(MicroUsd(money))] if money is not None else []
    limits += [f"{tokens:,} tokens"] if tokens is not None else []
    each = "" if measured.scope in EACH else f" a {measured.window}"
    said = " and ".join(limits) or "no limit"
    return f"Suggested for each {measured.scope}{each}: {said}, from {_rest(measured)}."


def _rest(measured: Measured) -> str:
    if measured.scope in EACH:
        return _many(measured.samples, measured.scope)
    windows = f"{_many(measured.windows, measured.window)} with use"
    if measured.scope in {Scope.TENANT, Scope.EVERYTHING}:
        return windows
    return f"{_many(measured.samples, 'sample')} of {_many(measured.instances, measured.scope)} in {windows}"


def _many(count: int, word: str) -> str:
    return f"{count:,} {word}{'s'[: count != 1]}"


def _warnings(measured: Measured, money: int | None) -> list[str]:
    found: list[str] = []
    spread = measured.micro_usd
    if spread.p50 > 0 and spread.max > FAR_OUT * spread.p50:
        found.append(
            f"The most was {usd(MicroUsd(spread.max))}, the median {usd(MicroUsd(spread.p50))}: look at outliers first."
        )
    if measured.unpriced:
        found.append(f"{measured.unpriced:,} calls had no price: set one, or limit max_tokens.")
    if money is None and measured.tokens.max > 0:
        found.append("Nothing was paid for: only tokens can be limited by use.")
    return found
