"""How limits are learned, and how leases keep to them, on a simulated provider and a simulated clock."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.pacing import rules
from quarterdeck.pacing.records import Lane, LaneName, Rate, Source, Told

NAME = LaneName("openai", "0123", "gpt")
NOTHING = Lane(NAME)
SAID_NOTHING = Told()


def pressed(lane: Lane, now: float) -> Lane:
    return replace(lane, pressed_at=now)


def test_nothing_known_is_unpaced():
    assert not NOTHING.is_paced
    assert rules.room(NOTHING, 3.0, 0.0) == (float("inf"), float("inf"))


@given(st.integers(1, 100_000), st.integers(1, 10_000_000))
def test_what_headers_say_is_kept_to_with_a_margin(requests: int, tokens: int):
    lane = rules.learn(NOTHING, Told(requests=requests, tokens=tokens))
    assert lane.requests.now == pytest.approx(requests * rules.MARGIN)
    assert lane.tokens.now == pytest.approx(tokens * rules.MARGIN)
    assert lane.requests.source is Source.HEADERS
    assert not rules.teaches(lane, Told(requests=requests, tokens=tokens))


def test_of_an_option_and_a_header_the_lower_holds():
    lane = rules.learn(rules.choose(NOTHING, 100, None), Told(requests=500, tokens=9000))
    assert lane.requests.now == pytest.approx(97)
    assert lane.requests.source is Source.OPTION
    lane = rules.learn(lane, Told(requests=50))
    assert lane.requests.now == pytest.approx(48.5)
    assert lane.requests.source is Source.HEADERS


def test_a_limit_that_was_raised_is_used_at_once_unless_the_provider_has_refused_since():
    lane = rules.learn(rules.learn(NOTHING, Told(requests=100)), Told(requests=1000))
    assert lane.requests.now == pytest.approx(970)
    refused = rules.refuse(lane, SAID_NOTHING, 100.0, 100.0, (900.0, 0.0))
    assert rules.learn(refused, Told(requests=2000)).requests.now == refused.requests.now


def test_an_option_that_is_taken_back_is_forgotten_and_what_headers_said_stays():
    lane = rules.learn(rules.choose(NOTHING, 100, 1000), Told(tokens=500))
    after = rules.choose(lane, None, None)
    assert after.requests == Rate()
    assert after.tokens.now == pytest.approx(485)


def test_the_first_refusal_starts_from_what_was_measured():
    lane = rules.refuse(NOTHING, Told(retry_after=4.0), 10.0, 10.0, (600.0, 60_000.0))
    assert (lane.requests.now, lane.tokens.now) == (300.0, 30_000.0)
    assert (lane.held_until, lane.refusals) == (14.0, 1)
    assert lane.requests.source is Source.REFUSALS


def test_refusals_of_calls_that_were_sent_together_cut_once():
    lane = rules.refuse(NOTHING, SAID_NOTHING, 10.0, 10.0, (600.0, 0.0))
    for at in (10.1, 10.5, 11.9):
        lane = rules.refuse(lane, SAID_NOTHING, at, at, (600.0, 0.0))
    lane = rules.refuse(lane, SAID_NOTHING, 9.5, 30.0, (600.0, 0.0))  # a slow one, sent before the cut
    assert (lane.requests.now, lane.refusals) == (300.0, 5)


@pytest.mark.parametrize(
    ("told", "requests", "tokens"),
    [
        (Told(requests_left=0, tokens_left=500), 540, 6000),
        (Told(requests_left=5, tokens_left=3), 600, 5400),
        (Told(requests_left=5, tokens_left=0), 600, 5400),
        (Told(), 540, 5400),
    ],
)
def test_only_what_is_used_up_is_cut_where_the_provider_says_what(told: Told, requests: float, tokens: float):
    known = Rate(600, None, None, 700), Rate(6000, None, None, 7000)
    lane = Lane(NAME, *known, requests_used=600, tokens_used=6000)
    after = rules.refuse(lane, told, 100.0, 100.0, (0.0, 0.0))
    assert (after.requests.now, after.tokens.now) == (pytest.approx(requests), pytest.approx(tokens))


def test_no_hold_is_longer_than_an_hour():
    lane = rules.refuse(NOTHING, Told(retry_after=1e9), 0.0, 0.0, (1.0, 1.0))
    assert lane.held_until == rules.LONGEST_HOLD


@given(st.floats(1, 1e6), st.floats(0.1, 0.99))
def test_a_known_limit_is_come_back_to_and_never_passed(limit: float, share: float):
    rate = Rate(limit * rules.MARGIN * share, None, limit, limit * rules.MARGIN)
    lane = Lane(NAME, rate, cut_at=0.0)
    for second in range(1, 400):
        lane = rules.grow(lane, float(second))
        assert lane.requests.now is not None
        assert lane.requests.now <= limit * rules.MARGIN
    assert lane.requests.now == pytest.approx(limit * rules.MARGIN)


def test_a_guess_grows_only_while_somebody_wants_more_and_is_given_up_when_nobody_did_for_long():
    lane = Lane(NAME, Rate(100.0, None, None, 120.0), requests_used=90.0, cut_at=0.0, grown_at=0.0)
    assert rules.grow(lane, 60.0) == lane
    assert (rules.grow(pressed(lane, 59.0), 60.0).requests.now or 0) > 100
    hardly_used = replace(pressed(lane, 59.0), requests_used=10.0)
    assert rules.grow(hardly_used, 60.0) == hardly_used
    assert rules.grow(lane, rules.FORGET + 1).requests == Rate()


def test_a_lane_at_its_limit_is_left_as_it_is():
    lane = rules.learn(NOTHING, Told(requests=100, tokens=1000))
    assert rules.grow(lane, 1000.0) is lane


def test_nothing_grows_while_the_provider_wants_to_be_left_alone():
    lane = rules.refuse(NOTHING, Told(retry_after=60), 0.0, 0.0, (100.0, 100.0))
    assert rules.grow(lane, 30.0) is lane
    assert rules.room(lane, 3.0, 30.0) == (0.0, 0.0)


def test_a_turn_comes_when_all_before_it_have_had_theirs():
    lane = Lane(NAME, Rate(60.0), Rate(6000.0), held_until=110.0)
    assert rules.turn_in(lane, 5, 100, 100.0) == pytest.approx(15.0)
    assert rules.turn_in(lane, 5, 3000, 100.0) == pytest.approx(40.0)


@given(limit=st.integers(300, 6000), guess=st.floats(0.2, 4.0), capacity=st.floats(2.0, 60.0))
def test_a_limit_that_nobody_tells_is_found_and_mostly_used_with_few_refusals(
    limit: int, guess: float, capacity: float
):
    """A token bucket that says nothing, asked without end, second by second, for twenty minutes."""
    a_second = limit / 60
    bucket = most = a_second * capacity
    lane, used, sent, refusals, credit = NOTHING, 0.0, 0.0, 0.0, 0.0
    measured = (limit * guess, 0.0)
    for second in range(1, 1201):
        now = float(second)
        bucket = min(most, bucket + a_second)
        rate = lane.requests.now or limit * max(2.0, guess)
        credit = (
            min(rate / 60, 1.0 if rate < 60 else rate / 60) + min(credit, 1.0) if now >= lane.held_until else credit
        )
        asked = float(int(credit))
        credit -= asked
        taken = min(asked, float(int(bucket)))
        bucket -= taken
        if second > 300:
            used, sent = used + taken, sent + asked
        lane = replace(lane, requests_used=lane.requests_used * 0.846 + taken * 10)
        if asked > taken:
            # Those on their way when the first refusal comes back are few: the others hear of it and stay.
            if second > 300:
                refusals += min(asked - taken, max(1.0, a_second * 0.1))
            lane = rules.refuse(lane, SAID_NOTHING, now, now, measured)
        lane = rules.grow(pressed(lane, now), now)
    assert used >= 0.88 * a_second * 900
    assert refusals <= 0.02 * sent + 5
