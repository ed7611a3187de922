"""When a message is tried again, given up, and when an endpoint is left alone."""

import email.utils
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from quarterdeck.core import json, seal, signature
from quarterdeck.core.ids import TenantId
from quarterdeck.webhooks.records import EndpointId, Outcome, Secret, State, Verdict

BACKOFF = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=4),
    timedelta(hours=12),
)
"""Between attempts; after one more than these, the message is dead."""

MOST_TRIES = len(BACKOFF) + 1
DISABLE_AFTER = timedelta(days=5)
ROTATION_OVERLAP = timedelta(hours=24)
MOST_SECRETS = 3

_LONGEST_WAIT = timedelta(days=1)
_JITTER = 0.2


def judge(outcome: Outcome, tries: int, failing_for: timedelta | None, jitter: float) -> Verdict:
    """What follows from an attempt. `tries` counts it; `jitter` is uniform in 0..1.

    Any 2xx is a delivery. All else is tried again after `BACKOFF`, give or take a fifth, and not before the receiver's
    Retry-After. 410 says that the endpoint is gone for good.
    """
    if outcome.status is not None and 200 <= outcome.status < 300:
        return Verdict(State.DELIVERED)
    error = outcome.error or f"The endpoint answered {outcome.status}."
    if outcome.status == 410:
        return Verdict(State.DEAD, error=error, disable="The endpoint answered 410 Gone.")
    disable = None
    if failing_for is not None and failing_for >= DISABLE_AFTER:
        disable = f"Nothing could be delivered for {DISABLE_AFTER.days} days. Last: {error}"
    if disable or tries >= MOST_TRIES:
        return Verdict(State.DEAD, error=error, disable=disable)
    wait = BACKOFF[tries - 1] * (1 + _JITTER * (2 * jitter - 1))
    if outcome.retry_after is not None:
        wait = max(wait, min(outcome.retry_after, _LONGEST_WAIT))
    return Verdict(State.PENDING, wait, error)


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """What a Retry-After header says, in seconds or as a date; None for one that says nothing sensible."""
    if not value:
        return None
    if value.isascii() and value.isdigit():
        return min(timedelta(seconds=int(value[:9])), _LONGEST_WAIT)
    try:
        date = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(timedelta(), (date if date.tzinfo else date.replace(tzinfo=UTC)) - now)


def envelope(kind: str, at: datetime, record: str) -> bytes:
    """The body of a message, around a record that is JSON already."""
    return b'{"type":%s,"timestamp":%s,"data":%s}' % (json.encode(kind), json.encode(at), record.encode())


def rotated(secrets: Sequence[Secret], now: datetime, overlap: timedelta) -> tuple[Secret, ...]:
    """The secrets after a rotation, newest first: a fresh one, and those that sign on until `overlap` is over."""
    until = now + overlap
    kept = [
        Secret(secret.text, min(secret.expires_at or until, until))
        for secret in secrets
        if overlap > timedelta() and secret.lives(now)
    ]
    return (Secret(signature.new_secret()), *kept[: MOST_SECRETS - 1])


def close(key: bytes, tenant: TenantId, endpoint: EndpointId, secret: Secret) -> bytes:
    """A secret as it is stored: sealed to its tenant and endpoint."""
    expires_at = secret.expires_at.isoformat() if secret.expires_at else None
    return seal.seal(key, json.encode({"text": secret.text, "expires_at": expires_at}), _place(tenant, endpoint))


def reopen(key: bytes, tenant: TenantId, endpoint: EndpointId, sealed: bytes) -> Secret:
    """A stored secret. Raises SealBroken when it was altered, or sealed for another place or deployment."""
    opened = json.decode_object(seal.unseal(key, sealed, _place(tenant, endpoint)))
    expires_at = opened["expires_at"]
    return Secret(str(opened["text"]), datetime.fromisoformat(str(expires_at)) if expires_at else None)


def _place(tenant: TenantId, endpoint: EndpointId) -> bytes:
    return b"webhook_endpoints.sealed_secrets " + tenant.bytes + endpoint.bytes
