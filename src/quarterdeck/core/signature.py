"""Signatures of webhooks (Standard Webhooks 1.0): made by us, checked by whoever receives them.

Symmetric scheme only: `v1,` and the base64 HMAC-SHA256 of `id.timestamp.body` under the bytes of a `whsec_` secret.
"""

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from quarterdeck.core.errors import Error

PREFIX = "whsec_"
TOLERANCE = timedelta(minutes=5)

_SECRET_BYTES = 32
_VERSION = "v1"


class SignatureInvalid(Error):
    """This message carries no valid signature of a secret known here: it is old, altered or not from us."""

    code, status = "webhook.signature_invalid", 401


def new_secret() -> str:
    """A fresh `whsec_` secret of 256 bits."""
    return PREFIX + base64.b64encode(os.urandom(_SECRET_BYTES)).decode()


def sign(secrets: Sequence[str], message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three `webhook-` headers of a message, with one signature for each secret (several while one is rotated)."""
    timestamp = str(int(at.timestamp()))
    signatures = [f"{_VERSION},{_mac(secret, message_id, timestamp, body)}" for secret in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
    }


def verify(
    secrets: Sequence[str],
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: datetime | None = None,
    tolerance: timedelta = TOLERANCE,
) -> str:
    """The id of a genuine message; the receiver acts once on each id, since a message may come more than once.

    `body` is the request's body, byte for byte. Raises SignatureInvalid when a header is missing or malformed, the
    timestamp is further off than `tolerance`, or no signature is that of one of `secrets`.
    """
    sent = {name.lower(): value for name, value in headers.items()}
    message_id, timestamp, signatures = (sent.get(f"webhook-{part}", "") for part in ("id", "timestamp", "signature"))
    if not message_id or not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        raise SignatureInvalid("The message has no webhook-id or no webhook-timestamp in Unix seconds.")
    age = (now or datetime.now(UTC)).timestamp() - int(timestamp)
    if abs(age) > tolerance.total_seconds():
        raise SignatureInvalid("The message's timestamp is too far from this machine's time.", age=int(age))
    expected = [_mac(secret, message_id, timestamp, body).encode() for secret in secrets]
    for signature in signatures.split(" "):
        version, _, value = signature.partition(",")
        if version == _VERSION and any(hmac.compare_digest(mac, value.encode()) for mac in expected):
            return message_id
    raise SignatureInvalid


def _mac(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("a webhook secret is whsec_ and base64") from None
    signed = f"{message_id}.{timestamp}.".encode() + body
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
