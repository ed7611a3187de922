"""When a request is sent again."""

import pytest

from quarterdeck.sdk.rules import LONGEST_RETRY_AFTER, Attempt, backoff, pause_before_next


@pytest.mark.parametrize(
    ("attempt", "repeatable", "again"),
    [
        (Attempt(1, loss="unsent"), False, True),
        (Attempt(1, loss="unanswered"), False, False),
        (Attempt(1, loss="unanswered"), True, True),
        (Attempt(1, 429), False, True),
        (Attempt(1, 503), False, False),
        (Attempt(1, 503), True, True),
        (Attempt(1, 502), True, True),
        (Attempt(1, 504), True, True),
        (Attempt(1, 500), True, False),
        (Attempt(1, 409, "idempotency.in_flight"), True, True),
        (Attempt(1, 409, "run.ended"), True, False),
        (Attempt(1, 404), True, False),
        (Attempt(1, 422), True, False),
        (Attempt(5, 503), True, False),
        (Attempt(1, 429, retry_after=LONGEST_RETRY_AFTER + 1), True, False),
    ],
)
def test_only_what_does_no_harm_is_sent_again(attempt: Attempt, repeatable: bool, again: bool):
    assert (pause_before_next(attempt, repeatable=repeatable, retries=4) is not None) is again


def test_a_deployment_that_says_when_is_not_asked_before():
    pause = pause_before_next(Attempt(1, 429, retry_after=7), repeatable=True, retries=4)
    assert pause is not None
    assert pause >= 7


def test_pauses_stay_within_their_bound():
    assert max(backoff(number) for number in range(1, 40)) <= 0.002
