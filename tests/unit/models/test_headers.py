"""What providers say of their limits in headers, each in its own spelling."""

from datetime import UTC, datetime

import pytest

from quarterdeck.models.headers import read_told
from quarterdeck.pacing.records import Told

NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"content-type": "application/json"}, None),
        (
            {
                "x-ratelimit-limit-requests": "500",
                "x-ratelimit-remaining-requests": "499",
                "x-ratelimit-reset-requests": "120ms",
                "x-ratelimit-limit-tokens": "30000",
                "x-ratelimit-remaining-tokens": "15000",
                "x-ratelimit-reset-tokens": "30s",
            },
            Told(500, 499, 30_000, 15_000),
        ),
        (
            {
                "anthropic-ratelimit-requests-limit": "50",
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2026-11-20T12:01:00Z",
                "anthropic-ratelimit-tokens-limit": "80000",
                "anthropic-ratelimit-tokens-remaining": "79000",
                "anthropic-ratelimit-tokens-reset": "2026-11-20T12:00:01Z",
                "retry-after": "7",
            },
            Told(50, 0, 80_000, 79_000, 7.0),
        ),
        ({"retry-after-ms": "250", "retry-after": "1"}, Told(retry_after=0.25)),
        ({"retry-after": "Fri, 20 Nov 2026 12:00:30 GMT"}, Told(retry_after=30.0)),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"x-ratelimit-limit-requests": "nan", "x-ratelimit-limit-tokens": "inf"}, None),
        ({"x-ratelimit-limit-requests": "60"}, Told(60)),
    ],
)
def test_what_headers_say_is_read(headers: dict[str, str], told: Told | None):
    assert read_told(headers, NOW) == told


@pytest.mark.parametrize(
    ("limit", "left", "reset", "known"),
    [
        ("14400", "14370", "3m0s", None),  # 14,400 a day: one comes back in six seconds
        ("10000", "0", "1h2m3s", None),
        ("60", "59", "1s", 60),
        ("60", "30", "30s", 60),
        ("60", "60", "0s", 60),
        ("60", "58", "1m0s", 60),
    ],
)
def test_a_limit_of_a_day_is_not_taken_for_one_of_a_minute(limit: str, left: str, reset: str, known: int | None):
    told = read_told(
        {
            "x-ratelimit-limit-requests": limit,
            "x-ratelimit-remaining-requests": left,
            "x-ratelimit-reset-requests": reset,
        },
        NOW,
    )
    assert told is not None
    assert (told.requests, told.requests_left) == (known, int(left))
