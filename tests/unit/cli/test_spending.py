"""How usage and cost are told on a terminal and to a pipe."""

from datetime import UTC, datetime, timedelta

import pytest
import typer

from quarterdeck.cli.periods import when
from quarterdeck.cli.spending import bar, columns, percent, quantity, shares, total
from quarterdeck.sdk.usage import Concentration, UsageLine, UsageReport, UsageSums

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SUMS = UsageSums(calls=3, input_tokens=1_234_567, output_tokens=10, cost_micro_usd=2_500_000, presumed_micro_usd=5)


def line(**said: object) -> UsageLine:
    plain = {"calls": 1, "input_tokens": 12_345, "output_tokens": 0, "cost_micro_usd": 1_000_000}
    return UsageLine(**{**plain, **said})


def report(*lines: UsageLine, by: list[str], every: str | None = None) -> UsageReport:
    return UsageReport(since=NOW - timedelta(days=7), until=NOW, by=by, every=every, lines=list(lines), total=SUMS)


def shown(found: UsageReport, *, person: bool) -> dict[str, list[object]]:
    return {name: [read(one) for one in found.lines] for name, read in columns(found, person=person)}


def test_a_person_sees_the_columns_that_say_something_and_the_rest_by_its_number():
    found = report(
        line(keys={"user": "ann", "tag:plan": None}),
        line(keys={"user": None, "tag:plan": None}, rest=True, groups=1200, cost_micro_usd=9_000_000),
        by=["user", "tag:plan"],
    )
    told = shown(found, person=True)
    assert list(told) == ["user", "tag:plan", "calls", "input", "cost", ""]
    assert told["user"] == ["ann", "(1,200 others)"]
    assert told["tag:plan"] == ["–", ""]
    assert told["input"] == ["12.3 k", "12.3 k"]
    assert told["cost"] == ["$1.00", "$9.00"]
    assert told[""] == ["█" * 12, ""]


def test_a_pipe_gets_the_same_columns_always_and_numbers_as_they_are():
    told = shown(report(line(keys={"release": "f" * 64}), by=["release"]), person=False)
    assert list(told) == [
        "at", "release", "calls", "input", "cached", "output", "reasoning", "cost", "presumed", "no price",
    ]  # fmt: skip
    assert (told["release"], told["cost"], told["no price"]) == (["f" * 64], [1_000_000], [0])


def test_a_release_is_cut_short_for_people_and_stretches_are_written_as_what_they_are():
    at = datetime(2026, 11, 3, 14, tzinfo=UTC)
    for every, expected in (("hour", "2026-11-03 14:00"), ("day", "2026-11-03"), ("month", "2026-11")):
        told = shown(report(line(keys={"release": "f" * 64}, at=at), by=["release"], every=every), person=True)
        assert (told["at"], told["release"]) == ([expected], ["f" * 12])


def test_the_last_line_says_what_is_not_certain():
    assert total(report(by=[])) == (
        "2026-11-13 to 2026-11-20: 3 calls · 1,234,567 tokens in, 10 out · $2.50, $0.0000 of it presumed"
    )


def test_the_spread_is_told_in_words():
    found = Concentration(since=NOW, until=NOW, among="agent", spenders=1234, cost_micro_usd=5_000_000, gini=0.71)
    assert shares(found) == ["1,234 agents, $5.00; spread very unevenly (Gini 0.71)."]


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0"), (999, "999"), (1000, "1 k"), (12_345, "12.3 k"), (4_560_000, "4.56 M"), (10**12, "1,000 G")],
)
def test_tokens_are_short_for_people(number: int, words: str):
    assert quantity(number) == words


def test_a_bar_is_as_long_as_a_value_is_large():
    assert [bar(value, 100) for value in (0, 1, 50, 100)] == ["", "▏", "█" * 6, "█" * 12]
    assert bar(5, 0) == "▏"
    assert [percent(share) for share in (0, 0.004, 0.0999, 0.5)] == ["0 %", "0.4 %", "10.0 %", "50 %"]


def test_times_are_moments_days_or_how_long_ago():
    assert when("7d", NOW) == NOW - timedelta(days=7)
    assert when("90m", NOW) == NOW - timedelta(minutes=90)
    assert when("2026-11-01") == datetime(2026, 11, 1, tzinfo=UTC)
    assert when("2026-11-01T12:00:00+02:00") == datetime(2026, 11, 1, 10, tzinfo=UTC)
    assert when("") is None


@pytest.mark.parametrize("wrong", ["yesterday", "7", "d", "-1d", "2026-13-01", "999999w", "٣d"])
def test_what_is_no_time_is_refused(wrong: str):
    with pytest.raises(typer.BadParameter):
        when(wrong, NOW)
