"""Times as people give them to commands: a day, a moment, or how long ago."""

import re
from datetime import UTC, datetime, timedelta

import typer

_AGO = re.compile(r"([0-9]{1,6})(m|h|d|w)")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def when(given: str, now: datetime | None = None) -> datetime | None:
    """`7d`, `2026-11-01` or `2026-11-01T12:00:00+01:00` as a moment; None for nothing. UTC unless it has a zone.

    Raises BadParameter for anything else.
    """
    if not given:
        return None
    try:
        if ago := _AGO.fullmatch(given):
            return (now or datetime.now(UTC)) - int(ago[1]) * _UNITS[ago[2]]
        at = datetime.fromisoformat(given)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{given!r} is no time; send 2026-11-01, 2026-11-01T12:00:00Z, 7d or 12h") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
