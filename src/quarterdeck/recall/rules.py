"""When two reads are the same one. Pure."""

import hashlib
import hmac

from quarterdeck.core.json import Json, canonical
from quarterdeck.recall.records import Asked, Principal, Want


def want_of(secret: bytes, asked: Asked) -> Want | None:
    """The keys of a read, or None: its arguments have no canonical form, so no two of it are surely the same."""
    place, arguments = place_of(secret, asked.principal, asked.server), _canonical(asked.arguments)
    if place is None or arguments is None:
        return None
    # Each part by its length, so that no two reads can be written as the same bytes.
    parts = (place, asked.tool.encode(), arguments)
    return Want(_mac(secret, b"read", b"".join(len(part).to_bytes(8, "big") + part for part in parts)), place)


def place_of(secret: bytes, principal: Principal, server: str) -> bytes | None:
    """The key of all that a principal reads of a server; None where the principal's claims have no canonical form."""
    who = _canonical([str(principal.tenant), principal.user, sorted(principal.roles), dict(principal.claims), server])
    return None if who is None else _mac(secret, b"place", who)


def _canonical(value: Json) -> bytes | None:
    try:
        return canonical(value)
    except ValueError:  # integers beyond 2^53, infinities
        return None


def _mac(secret: bytes, purpose: bytes, content: bytes) -> bytes:
    return hmac.digest(secret, purpose + b"\x00" + content, hashlib.sha256)
