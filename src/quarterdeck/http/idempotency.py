"""A client that got no answer may send the same POST again and gets the answer of the first
(draft-ietf-httpapi-idempotency-key-header-07).

The answer is kept in the very transaction that did the work. So a crash leaves neither work without an answer nor an
answer without work, and nothing that is "in flight" can go stale: the claim is a lock that ends with its transaction.
"""

import hashlib
import random
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from uuid import UUID

from fastapi import Request, Response

from quarterdeck.core.errors import Conflict, Error, Invalid
from quarterdeck.core.ids import TenantId
from quarterdeck.core.json import decode_object, encode
from quarterdeck.db.records import Tx
from quarterdeck.http import store
from quarterdeck.http.actor import Actor
from quarterdeck.http.answers import Answer

KEPT_FOR = timedelta(hours=24)
DEPLOYMENT = TenantId(UUID(int=0))
"""Stands for the tenant of requests that a deployment admin makes outside all tenants."""

_KEY = re.compile(r'(?:"([\x20\x21\x23-\x7e]{1,255})"|([\x21\x23-\x7e]{1,255}))')
_FORGET_ONE_IN = 50


class KeyMalformed(Error):
    """An Idempotency-Key is 1 to 255 printable ASCII characters, best a UUID in double quotes."""

    code, status = "idempotency.malformed", 400


class KeyReused(Invalid):
    """This Idempotency-Key came before with another request; take a fresh key for each new request."""

    code = "idempotency.reused"


class StillInFlight(Conflict):
    """The first request with this Idempotency-Key is not answered yet; ask again in a moment."""

    code = "idempotency.in_flight"


def key_of(request: Request, actor: Actor) -> str | None:
    """The key of a request, made unique to the API key that sent it; None when there is none. Raises KeyMalformed."""
    sent = request.headers.get("idempotency-key")
    if sent is None:
        return None
    match = _KEY.fullmatch(sent.strip())
    if match is None:
        raise KeyMalformed
    return f"{actor.key_id}:{match[1] or match[2]}"


async def digest_of(request: Request, actor: Actor) -> bytes:
    """What makes two requests the same: method, address, end user and body, byte for byte."""
    seen = hashlib.sha256(f"{request.method} {request.url.path}?{request.url.query}\n{actor.user_id}\n".encode())
    seen.update(await request.body())
    return seen.digest()


async def idempotent(
    request: Request, actor: Actor, tx: Tx, act: Callable[[], Awaitable[Answer]], *, secrets: Sequence[str] = ()
) -> Response:
    """Answer a POST that creates: by `act`, or when its Idempotency-Key was answered before, by that answer.

    `act` must do its work in `tx`; an error that it raises is not kept, since nothing was done. Members of the answer
    named in `secrets` are shown the first time only and are null in repeats. Raises StillInFlight and KeyReused.
    """
    key = key_of(request, actor)
    if key is None:
        return await act()
    tenant, digest = actor.tenant or DEPLOYMENT, await digest_of(request, actor)
    if not await store.claim(tx, _lock_of(tenant, key)):
        raise StillInFlight(retry_after=1)
    kept = await store.find(tx, tenant, key, KEPT_FOR.total_seconds())
    if kept is not None:
        return _repeat(kept, digest)
    answer = await act()
    body = _without(answer, secrets)
    await store.keep(tx, tenant, key, store.Kept(digest, answer.status_code, body, answer.headers.get("location")))
    if random.randrange(_FORGET_ONE_IN) == 0:
        await store.forget(tx, tenant, KEPT_FOR.total_seconds())
    return answer


def _repeat(kept: store.Kept, digest: bytes) -> Response:
    if kept.digest != digest:
        raise KeyReused
    headers = {"idempotency-replayed": "true"}
    if kept.location is not None:
        headers["location"] = kept.location
    return Response(kept.body, kept.status, headers=headers, media_type="application/json")


def _without(answer: Answer, secrets: Sequence[str]) -> bytes:
    if not secrets:
        return bytes(answer.body)
    shown = decode_object(bytes(answer.body))
    return encode({name: None if name in secrets else value for name, value in shown.items()})


def _lock_of(tenant: TenantId, key: str) -> int:
    return int.from_bytes(hashlib.sha256(b"idempotency" + tenant.bytes + key.encode()).digest()[:8], "big", signed=True)
