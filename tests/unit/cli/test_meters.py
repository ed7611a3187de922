"""Budgets on a terminal."""

from datetime import UTC, datetime, timedelta

import pytest

from quarterdeck.cli.meters import bar, columns, count, exact, limits, rows, until, whose
from quarterdeck.sdk.budgets import Budget, Spending

NOW = datetime(2026, 6, 9, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("percent", "shown"),
    [
        (0, "░░░░░░░░░░   0 %"),
        (1, "░░░░░░░░░░   1 %"),
        (50, "█████░░░░░  50 %"),
        (55, "█████▌░░░░  55 %"),
        (100, "██████████ 100 %"),
        (220, "██████████ 220 %"),
    ],
)
def test_a_bar_shows_the_part_and_never_more_than_all(percent: float, shown: str):
    assert bar(percent) == shown


def test_a_budget_has_a_line_for_each_of_its_limits():
    budget = Budget(
        name="b",
        source="tenant",
        scope="user",
        budget_duration="1d",
        max_budget=2.5,
        max_tokens=50_000,
        rpm_limit=60,
        tpm_limit=9_000,
        spending=(Spending(account="ann", unit="tokens", left=49_000, used_percent=2.0, accounts=4),),
    )
    assert limits(budget) == [
        ("micro_usd", "$2.50/day"),
        ("tokens", "50,000 tokens/day"),
        ("", "60 calls/min"),
        ("", "9,000 tokens/min"),
    ]
    found = rows(budget)
    said = {name: read(found[1]) for name, read in columns(found, person=True)}
    assert (said["for"], said["left"], said["most by"]) == ("each user", "49,000", "ann of 4")
    assert "gone in" not in said, "a column that says nothing is left out"


@pytest.mark.parametrize(
    ("source", "scope", "target", "said"),
    [
        ("tenant", "tenant", "*", "the tenant"),
        ("deployment", "tenant", "*", "each tenant (deployment's)"),
        ("deployment", "tenant", "acme", "tenant acme (deployment's)"),
        ("deployment", "everything", "*", "everything"),
        ("release", "run", "*", "each run"),
        ("tenant", "agent", "desk", "agent desk"),
    ],
)
def test_whose_spending_is_limited_is_said_in_words(source: str, scope: str, target: str, said: str):
    assert whose(Budget(name="b", source=source, scope=scope, target=target)) == said


def test_how_far_ahead_is_told_in_one_unit_and_as_a_time_to_pipes():
    at = NOW + timedelta(hours=6, minutes=53)
    assert until(at, person=True, now=NOW) == "6 h"
    assert until(at, person=False) == at
    assert until(NOW + timedelta(days=9), person=True, now=NOW) == "9 d"
    assert until(NOW, person=True, now=NOW) == "now"
    assert until(None, person=True) is None


@pytest.mark.parametrize(
    ("dollars", "text"), [(1.0, "1.00"), (0.000001, "0.000001"), (0.5, "0.50"), (12.345, "12.345")]
)
def test_dollars_are_written_with_the_digits_that_they_have(dollars: float, text: str):
    assert exact(dollars) == text


@pytest.mark.parametrize(
    ("number", "shown"), [(999_999, "999,999"), (1_000_000, "1M"), (1_987_000, "1.99M"), (12_300_000, "12.3M")]
)
def test_large_numbers_are_short(number: int, shown: str):
    assert count(number) == shown
