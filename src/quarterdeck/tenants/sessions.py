"""A browser trades a key for a cookie once and then never holds the key again."""

from datetime import timedelta
from ipaddress import ip_address

from fastapi import Request, Response

from quarterdeck.core.ids import UserId
from quarterdeck.http.credentials import PLAIN_COOKIE, SECURE_COOKIE
from quarterdeck.http.parts import Parts
from quarterdeck.tenants import store_sessions
from quarterdeck.tenants.minting import Peppers, mint_session
from quarterdeck.tenants.records import InsecureSignIn, KnownKey, Session
from quarterdeck.tenants.service import reach

LIFETIME = timedelta(hours=12)


def is_secure(request: Request, parts: Parts) -> bool:
    """Whether the browser speaks https to us, directly or to a proxy in front (`public_url` says so).

    Raises InsecureSignIn for plain http from anywhere but this machine.
    """
    if parts.settings.public_url.startswith("https://") or request.url.scheme == "https":
        return True
    if not _is_loopback(request.url.hostname or ""):
        raise InsecureSignIn
    return False


async def open_session(parts: Parts, peppers: Peppers, key: KnownKey) -> tuple[str, Session]:
    """A session for who holds a proven key, and its cookie's value. It ends after 12 hours, or with the key."""
    cookie, digest = mint_session(peppers)
    until = parts.clock.now() + LIFETIME
    if key.expires_at is not None:
        until = min(until, key.expires_at)
    session = Session(digest, key.tenant, key.id, UserId(key.name), until, None)
    async with reach(parts.database, key.tenant) as tx:
        await store_sessions.add_session(tx, session)
    return cookie, session


def set_cookie(response: Response, value: str, *, secure: bool) -> None:
    """Hand the cookie out: no script sees it, and no other site's page can make the browser send it."""
    response.set_cookie(
        SECURE_COOKIE if secure else PLAIN_COOKIE,
        value,
        max_age=int(LIFETIME.total_seconds()),
        path="/",
        secure=secure,
        httponly=True,
        samesite="strict",
    )


def drop_cookies(response: Response) -> None:
    """Take both cookies back."""
    for name, secure in ((SECURE_COOKIE, True), (PLAIN_COOKIE, False)):
        response.delete_cookie(name, path="/", secure=secure, httponly=True, samesite="strict")


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
