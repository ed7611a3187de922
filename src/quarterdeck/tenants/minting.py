"""Keys, session cookies and what is stored of them: never the secret, only an HMAC of it under a pepper.

A slow password hash would buy nothing: these secrets have 256 random bits, and it would cost each request 0.2 s of CPU.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Self

from quarterdeck.core.ids import KeyId
from quarterdeck.core.settings import Settings

_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
_ID_LENGTH = 12
_SECRET_LENGTH = 43
"""43 letters of 62 hold 256 bits; letters only, so that a double click selects the whole key."""


@dataclass(frozen=True, slots=True)
class Peppers:
    """The deployment's secrets behind the hashes: one for each kind, so that none stands in for another."""

    keys: bytes
    sessions: bytes
    tokens: bytes

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The peppers that derive from the master secret."""
        return cls(settings.derive("keys"), settings.derive("sessions"), settings.derive("tokens"))


def mint_key() -> tuple[KeyId, str]:
    """A fresh key's id and its whole text, `qd_<id>_<secret>`."""
    key_id = "".join(secrets.choice(_ID_LETTERS) for _ in range(_ID_LENGTH))
    return KeyId(key_id), f"qd_{key_id}_{_letters(secrets.token_bytes(32))}"


def parse_key(text: str) -> KeyId | None:
    """The id in a key's text; None for what can't be a key."""
    prefix, _, rest = text.partition("_")
    key_id, _, secret = rest.partition("_")
    if prefix != "qd" or len(key_id) != _ID_LENGTH or len(secret) != _SECRET_LENGTH or not rest.isascii():
        return None
    return KeyId(key_id) if key_id.isalnum() and secret.isalnum() else None


def hash_key(peppers: Peppers, text: str) -> bytes:
    """What is stored of a key. The id is hashed with the secret, so a hash is good for its own row only."""
    return hmac.digest(peppers.keys, text.encode(), hashlib.sha256)


def same(one: bytes, other: bytes) -> bool:
    """Equality whose time tells nothing of where two hashes differ."""
    return hmac.compare_digest(one, other)


def mint_session(peppers: Peppers) -> tuple[str, bytes]:
    """A fresh session's cookie, and what is stored of it."""
    cookie = secrets.token_urlsafe(32)
    return cookie, hash_session(peppers, cookie)


def hash_session(peppers: Peppers, cookie: str) -> bytes:
    """What is stored of a session's cookie."""
    return hmac.digest(peppers.sessions, cookie.encode("utf-8", "surrogatepass"), hashlib.sha256)


def _letters(value: bytes) -> str:
    number, text = int.from_bytes(value, "big"), ""
    for _ in range(_SECRET_LENGTH):
        number, letter = divmod(number, len(_LETTERS))
        text += _LETTERS[letter]
    return text
