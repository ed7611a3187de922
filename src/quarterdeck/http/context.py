"""What a request carries from the border inwards: its id, its trace, and who turned out to have sent it."""

import re
from dataclasses import dataclass
from uuid import UUID

from quarterdeck.core.ids import uuid7
from quarterdeck.http.asgi import Scope

_KEY = "quarterdeck.context"
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")
_TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(slots=True)
class Context:
    """Facts about one request. `key` and `tenant` are empty until the actor is known.

    `shared` says that the answer is for a page of somebody else's, which may read it.
    """

    request_id: str
    traceparent: str | None = None
    key: str = ""
    tenant: str = ""
    shared: bool = False


def begin(scope: Scope) -> Context:
    """The context of a request that just came in. A request id or trace that is not well formed is not taken over."""
    request_id, traceparent = "", None
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    for name, value in headers:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            request_id = value.decode()
        elif name == b"traceparent" and _TRACEPARENT.fullmatch(value):
            traceparent = value.decode()
    context = Context(request_id or _fresh(), traceparent)
    scope[_KEY] = context
    return context


def context_of(scope: Scope) -> Context:
    """The context of a request; a fresh one where it did not come through the border (a test's application)."""
    context = scope.get(_KEY)
    return context if isinstance(context, Context) else begin(scope)


def _fresh() -> str:
    made: UUID = uuid7()
    return str(made)
