"""Models that fail again and again are left alone, and found out to be well again by one question."""

from datetime import timedelta

import pytest

from quarterdeck.core.clock import FakeClock
from quarterdeck.gates.outages import Outages, outcome_of
from quarterdeck.models.records import Fault
from quarterdeck.rates.circuit import FAILURES, Outcome, Pass, Wait

ROUTE = ("openai", "gpt-4.1-2025-04-14")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def outages(clock: FakeClock) -> Outages:
    return Outages(clock, spread=lambda: 1.0)


def fail(outages: Outages, times: int = FAILURES) -> None:
    for _ in range(times):
        given = outages.ask(ROUTE)
        assert isinstance(given, Pass)
        outages.tell(ROUTE, given, Outcome.FAILED)


def test_a_model_that_does_well_takes_no_room(outages: Outages):
    given = outages.ask(ROUTE)
    assert isinstance(given, Pass)
    outages.tell(ROUTE, given, Outcome.WELL)
    assert outages.closed(ROUTE) is None
    assert not outages._known


def test_one_that_failed_again_and_again_is_left_alone_and_says_so(outages: Outages):
    fail(outages, FAILURES - 1)
    assert outages.closed(ROUTE) is None
    fail(outages, 1)
    assert "gpt-4.1-2025-04-14` over `openai` fails at the moment" in (outages.closed(ROUTE) or "")
    assert isinstance(outages.ask(ROUTE), Wait)
    assert outages.closed(("openai", "gpt-4.1-mini-2025-04-14")) is None


def test_one_question_finds_out_whether_it_is_well_again(outages: Outages, clock: FakeClock):
    fail(outages)
    clock.advance(timedelta(seconds=3))
    assert outages.closed(ROUTE) is None
    probe = outages.ask(ROUTE)
    assert isinstance(probe, Pass)
    assert probe.probe
    assert outages.closed(ROUTE) is not None
    outages.tell(ROUTE, probe, Outcome.WELL)
    assert outages.closed(ROUTE) is None
    assert not outages.standing()


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (None, Outcome.WELL),
        (Fault.RATE_LIMITED, Outcome.WELL),
        (Fault.SERVER_ERROR, Outcome.FAILED),
        (Fault.OVERLOADED, Outcome.FAILED),
        (Fault.TIMEOUT, Outcome.FAILED),
        (Fault.QUOTA, Outcome.NO_WORD),
        (Fault.UNAUTHENTICATED, Outcome.NO_WORD),
    ],
)
def test_only_what_speaks_of_an_outage_counts_as_one(fault: Fault | None, outcome: Outcome):
    assert outcome_of(fault) is outcome
