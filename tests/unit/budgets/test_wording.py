"""Dollars and durations as people write them: exact, or refused with the fix."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.budgets.records import Window
from quarterdeck.budgets.wording import MOST_USD, micro_of, usd, used_percent, window_of
from quarterdeck.core.errors import Invalid


@given(st.integers(0, MOST_USD * 10**6))
def test_every_amount_is_read_exactly_as_text_and_shown_as_what_it_was(micro: int):
    text = f"{Decimal(micro) / 10**6:.6f}"
    assert micro_of(text) == micro
    shown = usd(micro)
    assert shown is not None
    assert micro_of(shown) == micro


@pytest.mark.parametrize(
    "wrong",
    [-0.01, 1e12, float("nan"), float("inf"), 0.0000001, "-1", "1e3", "1_000", "", " 1", "$1", "0.1234567", True],
)
def test_what_is_no_amount_is_refused_with_the_fix(wrong: float | str):
    with pytest.raises(Invalid, match="send"):
        micro_of(wrong)


@pytest.mark.parametrize(
    ("word", "window"),
    [("1h", Window.HOUR), ("hour", Window.HOUR), ("1d", Window.DAY), ("day", Window.DAY), ("month", Window.MONTH)],
)
def test_durations_have_two_words_each(word: str, window: Window):
    assert window_of(word) is window


@pytest.mark.parametrize(
    ("wrong", "fix"),
    [("30d", "1d or month"), ("7d", "1d or month"), ("2h", "1h or 1d"), ("60s", "rpm_limit"), ("1m", "rpm_limit")],
)
def test_other_durations_are_refused_with_what_comes_closest(wrong: str, fix: str):
    with pytest.raises(Invalid, match=fix):
        window_of(wrong)
    with pytest.raises(Invalid, match="1h, 1d, month or total"):
        window_of("weekly")


def test_a_limit_of_nothing_is_used_up():
    assert used_percent(0, 0) == 100.0
    assert used_percent(333, 1000) == 33.3
