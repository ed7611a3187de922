"""What a request brings to say who it is from: a key, a session's cookie, or a narrow token in a stream's address."""

from dataclasses import dataclass
from enum import StrEnum

from fastapi import Request

from quarterdeck.http.origin import check_origin

SECURE_COOKIE = "__Host-quarterdeck"
"""Over https; browsers then hold it to this host, this path and https."""

PLAIN_COOKIE = "quarterdeck-session"
"""Over plain http, where browsers refuse the prefix: for one's own machine."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Kind(StrEnum):
    """Where the secret was found."""

    NONE = "none"
    BEARER = "bearer"
    SESSION = "session"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What was sent, unproven. `tenant` and `user` are claims from headers, empty when absent."""

    kind: Kind
    secret: str = ""
    tenant: str = ""
    user: str = ""


def credentials_of(request: Request) -> Credentials:
    """The strongest credentials of a request: Authorization, then the session's cookie, then `?token=` of a GET.

    Raises WrongOrigin when a cookie comes with an unsafe method from another origin.
    """
    headers = request.headers
    tenant, user = headers.get("quarterdeck-tenant", ""), headers.get("quarterdeck-user", "")
    scheme, _, secret = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and secret:
        return Credentials(Kind.BEARER, secret.strip(), tenant, user)
    if "cookie" in headers:
        session = request.cookies.get(SECURE_COOKIE) or request.cookies.get(PLAIN_COOKIE)
        if session:
            if request.method not in _SAFE:
                check_origin(request)
            return Credentials(Kind.SESSION, session, tenant, user)
    if request.method == "GET" and (token := request.query_params.get("token")):
        return Credentials(Kind.ADDRESS, token, tenant, user)
    return Credentials(Kind.NONE)
