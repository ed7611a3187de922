"""What a provider's headers say of its limits: OpenAI's and Anthropic's spelling, and those who follow one of them."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from quarterdeck.pacing.records import Told

_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_MINUTE = 60.0
_WHAT = ("limit", "remaining", "reset")
_SPELLINGS = ("x-ratelimit-{what}-{unit}", "anthropic-ratelimit-{unit}-{what}")


def read_told(headers: Mapping[str, str], now: datetime | None = None) -> Told | None:
    """What is said; None = nothing. Header names are in lower case."""
    at = now or datetime.now(UTC)
    requests, requests_left = _pair(headers, "requests", at)
    tokens, tokens_left = _pair(headers, "tokens", at)
    told = Told(requests, requests_left, tokens, tokens_left, _retry_after(headers, at))
    return None if told == Told() else told


def _pair(headers: Mapping[str, str], unit: str, now: datetime) -> tuple[int | None, int | None]:
    """The limit a minute and what is left of it. A limit over a longer time is none of ours."""
    for spelling in _SPELLINGS:
        limit, left, reset = (headers.get(spelling.format(unit=unit, what=what)) for what in _WHAT)
        most, rest = _number(limit), _number(left)
        if most is None and rest is None:
            continue
        if most is not None and rest is not None and not _is_a_minutes(most, rest, _span(reset, now)):
            most = None
        return most, rest
    return None, None


def _is_a_minutes(most: int, rest: int, reset: float | None) -> bool:
    """Whether the limit fills up again as one of a minute does. Some count calls by the day under the same names."""
    if reset is None or rest >= most:
        return True
    return reset <= _MINUTE or (most - rest) / reset * _MINUTE >= most / 2


def _retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait, as one of three headers says them."""
    ms = headers.get("retry-after-ms")
    if ms is not None and (value := _decimal(ms)) is not None:
        return value / 1000
    text = headers.get("retry-after")
    if text is None:
        return None
    if (value := _decimal(text)) is not None:
        return value
    try:
        return max(0.0, (parsedate_to_datetime(text) - now).total_seconds())
    except (TypeError, ValueError):
        return None


def _span(text: str | None, now: datetime) -> float | None:
    """Seconds: `1s`, `6m0s`, `120ms`, a bare number, or a time in ISO 8601."""
    if not text:
        return None
    if (value := _decimal(text)) is not None:
        return value
    parts = _SPAN.findall(text)
    if "".join(number + unit for number, unit in parts) == text:
        return sum(float(number) * _SECONDS[unit] for number, unit in parts)
    try:
        return max(0.0, (datetime.fromisoformat(text) - now).total_seconds())
    except (TypeError, ValueError):
        return None


def _number(text: str | None) -> int | None:
    value = None if text is None else _decimal(text)
    return None if value is None else int(value)


def _decimal(text: str) -> float | None:
    try:
        value = float(text.strip())
    except ValueError:
        return None
    return value if 0 <= value < 1e12 else None
