"""When a budget runs out if spending goes on as it did in its present window. Pure."""

from datetime import datetime, timedelta

LONGEST = timedelta(days=3660)
"""Nobody plans further ahead, and a calendar has an end."""


def runs_out_at(spent: int, limit: int, began_at: datetime, now: datetime) -> datetime | None:
    """When the limit is reached at the window's average pace until now; None where nothing was spent, or in ten years.

    `now` for a limit that is reached already.
    """
    if spent >= limit:
        return now
    elapsed = (now - began_at).total_seconds()
    if spent <= 0 or elapsed <= 0:
        return None
    seconds = (limit - spent) * elapsed / spent
    return None if seconds > LONGEST.total_seconds() else now + timedelta(seconds=seconds)


def projected_at(
    spent: int, limit: int, began_at: datetime | None, renews_at: datetime | None, now: datetime
) -> datetime | None:
    """The same, but None where the window renews before that, or where none has begun."""
    if began_at is None:
        return None
    at = runs_out_at(spent, limit, began_at, now)
    return None if at is None or (renews_at is not None and at >= renews_at) else at
