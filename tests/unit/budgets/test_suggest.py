"""Limits that use suggests: above what is usual, in round numbers, and never from too little."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.budgets.records import Scope, Window
from quarterdeck.budgets.suggest import (
    Measured,
    NothingToSuggest,
    Spread,
    TooLittleUse,
    check,
    suggest,
    two_digits,
)

DAY = datetime(2026, 6, 9, tzinfo=UTC)
USERS = Measured(
    scope=Scope.USER,
    window=Window.DAY,
    since=DAY,
    until=DAY,
    samples=300,
    instances=40,
    windows=30,
    micro_usd=Spread(100_000, 430_000, 500_000),
    tokens=Spread(4_000, 9_100, 12_000),
)


def test_twice_what_almost_all_stay_under_is_suggested_in_two_digits():
    found = suggest(USERS)
    assert (found.max_micro_usd, found.max_tokens) == (860_000, 19_000)
    assert found.words == (
        "Suggested for each user a day: $0.8600 and 19,000 tokens, from 300 samples of 40 users in 30 days with use."
    )
    assert found.warnings == ()


def test_where_all_use_about_the_same_it_is_three_times_the_median():
    assert suggest(replace(USERS, micro_usd=Spread(100_000, 110_000, 120_000))).max_micro_usd == 300_000


def test_outliers_and_calls_without_a_price_are_pointed_out():
    found = suggest(replace(USERS, micro_usd=Spread(1_000, 900_000, 20_000_000), unpriced=1_200))
    assert found.warnings == (
        "The most was $20.00, the median $0.0010: look at outliers first.",
        "1,200 calls had no price: set one, or limit max_tokens.",
    )


def test_what_costs_nothing_is_limited_by_tokens_alone():
    found = suggest(replace(USERS, micro_usd=Spread(0, 0, 0)))
    assert (found.max_micro_usd, found.max_tokens) == (None, 19_000)
    assert found.warnings == ("Nothing was paid for: only tokens can be limited by use.",)


@pytest.mark.parametrize(
    ("scope", "window", "needs"),
    [
        (Scope.RUN, Window.TOTAL, 20),
        (Scope.USER, Window.DAY, 20),
        (Scope.TENANT, Window.HOUR, 24),
        (Scope.AGENT, Window.DAY, 7),
        (Scope.EVERYTHING, Window.MONTH, 2),
    ],
)
def test_too_little_use_suggests_nothing(scope: Scope, window: Window, needs: int):
    few = replace(USERS, scope=scope, window=window, samples=needs - 1)
    with pytest.raises(TooLittleUse) as refused:
        suggest(few)
    assert refused.value.facts["needs"] == needs
    assert suggest(replace(few, samples=needs)).max_micro_usd == 860_000


def test_the_words_of_one_are_not_those_of_many():
    with pytest.raises(TooLittleUse, match="1 month with use, and at least 2 are needed"):
        suggest(replace(USERS, scope=Scope.TENANT, window=Window.MONTH, samples=1, windows=1))


@pytest.mark.parametrize(
    ("scope", "window", "instead"),
    [
        (Scope.RUN, Window.DAY, "total"),
        (Scope.THREAD, Window.HOUR, "total"),
        (Scope.USER, Window.TOTAL, "1h, 1d or month"),
    ],
)
def test_what_has_no_such_window_is_refused_with_one_that_it_has(scope: Scope, window: Window, instead: str):
    with pytest.raises(NothingToSuggest, match=instead):
        check(scope, window)


@given(st.integers(0, 10**15))
def test_two_digits_are_never_less_and_at_most_a_tenth_more(amount: int):
    rounded = two_digits(amount)
    assert amount <= rounded <= amount * 1.1 + 1
    assert len(str(rounded).rstrip("0")) <= 2
