"""When a budget runs out at its present pace."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.budgets.forecast import projected_at, runs_out_at

BEGAN = datetime(2026, 6, 9, tzinfo=UTC)
NOON = BEGAN + timedelta(hours=12)
RENEWS = BEGAN + timedelta(days=1)


def test_the_pace_until_now_says_when():
    assert projected_at(60, 100, BEGAN, RENEWS, NOON) == NOON + timedelta(hours=8)


def test_what_renews_first_runs_out_never():
    assert projected_at(50, 100, BEGAN, RENEWS, NOON) is None
    assert projected_at(50, 100, BEGAN, None, NOON) == RENEWS


def test_nothing_spent_or_no_time_passed_says_nothing():
    assert projected_at(0, 100, BEGAN, RENEWS, NOON) is None
    assert projected_at(50, 100, NOON, RENEWS, NOON) is None
    assert projected_at(50, 100, None, RENEWS, NOON) is None


def test_what_is_used_up_is_so_now():
    assert projected_at(100, 100, BEGAN, RENEWS, NOON) == NOON
    assert projected_at(0, 0, BEGAN, RENEWS, NOON) == NOON


def test_ages_ahead_are_never():
    assert runs_out_at(1, 10**15, BEGAN, NOON) is None


@given(st.integers(0, 10**15), st.integers(0, 10**15), st.integers(0, 10**7))
def test_it_lies_ahead_whatever_is_spent(spent: int, limit: int, seconds: int):
    now = BEGAN + timedelta(seconds=seconds)
    found = runs_out_at(spent, limit, BEGAN, now)
    assert found is None or found >= now
