"""Narrow tokens: signed, kept nowhere, good for reading one thing for a few minutes.

They go where a key must not: into a page of somebody else's that shows a run's stream, and into the address of that
stream, because a browser's EventSource sends no headers.
"""

import base64
import binascii
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from quarterdeck.core.clock import Clock
from quarterdeck.core.ids import KeyId, TenantId, UserId
from quarterdeck.http.records import Actor
from quarterdeck.tenants.minting import Peppers, same
from quarterdeck.tenants.records import TokenEnded

PREFIX = "qdt_"
DEFAULT_LIFETIME = timedelta(minutes=10)
LONGEST_LIFETIME = timedelta(hours=1)
_MAC_BYTES = 32


class Claims(msgspec.Struct, frozen=True, array_like=True):
    """What a narrow token says: the one thing, for whom, made with which key, until when (Unix seconds)."""

    tenant: UUID
    slug: str
    only: str
    key_id: str
    user_id: str
    until: int


def issue_token(peppers: Peppers, clock: Clock, actor: Actor, thing: str, lifetime: timedelta) -> tuple[str, datetime]:
    """A token with which `thing`, such as `run:<id>`, may be read, and when it ends: after an hour at the latest.

    The caller has checked that the actor may read it. It ends before its time when the actor's key does.
    """
    until = int((clock.now() + min(lifetime, LONGEST_LIFETIME)).timestamp())
    claims = Claims(actor.in_tenant(), actor.tenant_slug, thing, actor.key_id, actor.user_id, until)
    body = msgspec.json.encode(claims)
    token = base64.urlsafe_b64encode(_mac(peppers, body) + body).rstrip(b"=").decode()
    return PREFIX + token, datetime.fromtimestamp(until, UTC)


def read_token(peppers: Peppers, clock: Clock, token: str) -> Claims:
    """What a token says. Raises TokenEnded for one that is not ours, was altered, or whose time is over."""
    try:
        text = token.removeprefix(PREFIX)
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not token.startswith(PREFIX) or not same(mac, _mac(peppers, body)):
            raise TokenEnded
        claims = msgspec.json.decode(body, type=Claims)
    except (binascii.Error, ValueError, msgspec.DecodeError):
        raise TokenEnded from None
    if claims.until <= clock.now().timestamp():
        raise TokenEnded
    return claims


def narrow_actor(claims: Claims, name: str) -> Actor:
    """The actor behind a token: without roles, for one thing only."""
    return Actor(
        key_id=KeyId(claims.key_id),
        name=name,
        user_id=UserId(claims.user_id),
        roles=frozenset(),
        tenant=TenantId(claims.tenant),
        tenant_slug=claims.slug,
        only=claims.only,
    )


def _mac(peppers: Peppers, body: bytes) -> bytes:
    return hmac.digest(peppers.tokens, body, hashlib.sha256)
