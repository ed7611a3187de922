"""Errors become problem details (RFC 9457) here and nowhere else, so that every route answers them alike."""

import math
from collections.abc import Sequence
from typing import cast

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from quarterdeck.core import log as logs
from quarterdeck.core.errors import (
    Conflict,
    Error,
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from quarterdeck.core.json import Json, encode
from quarterdeck.core.text import storable_json
from quarterdeck.db.faults import explain
from quarterdeck.http.asgi import Scope
from quarterdeck.http.context import context_of
from quarterdeck.http.fixes import explain_invalid

MEDIA_TYPE = "application/problem+json"
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_RESERVED = frozenset({"type", "title", "status", "detail", "instance", "code"})
_log = logs.get("quarterdeck.http")


class Unexpected(Error):
    """Something broke on our side; the request's id finds the cause in the logs."""

    code, status = "unexpected", 500


class NoSuchMethod(Error):
    """This address doesn't take this method."""

    code, status = "request.method", 405


class PreconditionFailed(Error):
    """It was changed by someone else since you read it; read it again and repeat your change."""

    code, status = "precondition.failed", 412


class PreconditionRequired(Error):
    """Say which version you are changing: send the ETag that you read as `If-Match`."""

    code, status = "precondition.required", 428


class TooSlow(Error):
    """The request's body did not arrive in time."""

    code, status = "request.too_slow", 408


class TookTooLong(Unavailable):
    """This took longer than a request may take; nothing is known to be wrong with it, try again."""

    code = "request.took_too_long"


def install(app: FastAPI) -> None:
    """Make an application answer every error as a problem."""
    app.add_exception_handler(Error, _answer)
    app.add_exception_handler(RequestValidationError, _answer)
    app.add_exception_handler(HTTPException, _answer)


def problem(error: Error, scope: Scope) -> Response:
    """The answer for an error: its sentence, its facts as members, and what HTTP wants to go with its status."""
    context = context_of(scope)
    members: dict[str, Json] = {
        "type": f"urn:quarterdeck:problem:{error.code}",
        "title": error.title(),
        "status": error.status,
        "detail": error.detail,
        "instance": f"urn:quarterdeck:request:{context.request_id}",
        "code": error.code,
    }
    for name, value in error.facts.items():
        members[f"fact_{name}" if name in _RESERVED else name] = value
    return Response(_encoded(members), error.status, headers=_headers_of(error), media_type=MEDIA_TYPE)


def translate(fault: BaseException) -> Error:
    """Our error for whatever was raised. What nobody foresaw becomes Unexpected, with nothing of it in the answer."""
    if isinstance(fault, Error):
        return fault
    if isinstance(fault, RequestValidationError):
        return explain_invalid(cast("Sequence[dict[str, object]]", fault.errors()))
    if isinstance(fault, HTTPException):
        return _of_framework(fault)
    if type(fault).__module__.partition(".")[0] == "asyncpg":
        return explain(fault) or Unexpected()
    return Unexpected()


async def _answer(request: Request, fault: Exception) -> Response:
    error = translate(fault)
    if isinstance(error, NoSuchMethod) and "allow" not in error.facts:
        error = NoSuchMethod(allow=", ".join(_methods_at(request)))
    if error.status >= 500:
        _log.warning("http.problem", code=error.code, detail=error.detail, **_loggable(error))
    return problem(error, request.scope)


def _methods_at(request: Request) -> list[str]:
    """What may be asked at an address: each method is a route of its own, and the framework names one route's only."""
    return [
        method
        for method in _METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in request.app.routes)
    ]


def _of_framework(fault: HTTPException) -> Error:
    # FastAPI turns whatever is raised while it reads a body into its own 400 and keeps the cause.
    if isinstance(fault.__cause__, Error):
        return fault.__cause__
    match fault.status_code:
        case 404:
            return NotFound("There is nothing at this address.")
        case 405:
            return NoSuchMethod()
        case 400:
            return Malformed("The body can't be read: it is not JSON in UTF-8.")
        case status:
            known = _BY_STATUS.get(status)
            return known(str(fault.detail)) if known else Unexpected()


_BY_STATUS: dict[int, type[Error]] = {
    error.status: error
    for error in (Unauthenticated, Forbidden, Conflict, TooLarge, Invalid, TooMany, Unavailable, PreconditionFailed)
}


def _headers_of(error: Error) -> dict[str, str]:
    headers = {"cache-control": "no-store"}
    wait = error.facts.get("retry_after")
    if isinstance(wait, int | float):
        headers["retry-after"] = str(max(1, math.ceil(wait)))
    elif error.status in {429, 503}:
        headers["retry-after"] = "1"
    if error.status == 401:
        headers["www-authenticate"] = 'Bearer realm="quarterdeck"'
    if isinstance(allow := error.facts.get("allow"), str):
        headers["allow"] = allow
    return headers


def _encoded(members: dict[str, Json]) -> bytes:
    # A fact may quote what a client sent, and a client may send half a surrogate pair.
    return encode(storable_json(members))


def _loggable(error: Error) -> dict[str, object]:
    return {f"fact_{name}": value for name, value in error.facts.items()}
