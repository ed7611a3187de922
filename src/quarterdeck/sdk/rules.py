"""When a request is sent again, and after how long. Pure, so that it can be tested as a table."""

import random
from dataclasses import dataclass
from typing import Literal, TypeAlias

FIRST_PAUSE = 0.25
LONGEST_PAUSE = 8.0
LONGEST_RETRY_AFTER = 60.0

Loss: TypeAlias = Literal["unsent", "unanswered"]
"""`unsent`: no connection came about, so nothing can have happened. `unanswered`: it may have."""

_PASSING = frozenset({429, 502, 503, 504})
_IN_FLIGHT = "idempotency.in_flight"


@dataclass(frozen=True, slots=True)
class Attempt:
    """How a try ended: with an answer (`status`, its `code`, `retry_after`) or with a loss."""

    number: int
    status: int = 0
    code: str = ""
    retry_after: float | None = None
    loss: Loss | None = None


def pause_before_next(attempt: Attempt, *, repeatable: bool, retries: int) -> float | None:
    """Seconds to wait before the request is sent again; None when it is not.

    What may have had an effect is repeated only where repeating does no harm. 429 says that nothing was done.
    """
    if attempt.number > retries or not _worth_repeating(attempt, repeatable=repeatable):
        return None
    if attempt.retry_after is not None and attempt.retry_after > LONGEST_RETRY_AFTER:
        return None
    return max(backoff(attempt.number), attempt.retry_after or 0.0)


def backoff(number: int) -> float:
    """A pause that grows with each try, drawn at random so that many clients do not come back at once."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (number - 1)) * random.uniform(0.5, 1.0)


def _worth_repeating(attempt: Attempt, *, repeatable: bool) -> bool:
    if attempt.loss is not None:
        return repeatable or attempt.loss == "unsent"
    if attempt.status == 409:
        return repeatable and attempt.code == _IN_FLIGHT
    if attempt.status == 429:
        return True
    return repeatable and attempt.status in _PASSING
