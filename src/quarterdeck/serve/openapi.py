"""The description of the API, completed: every error as a problem, every way to say who one is, streams as streams."""

from collections.abc import Callable, Iterator
from typing import TypeAlias, cast

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

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
from quarterdeck.http import problems, streams
from quarterdeck.http.credentials import PLAIN_COOKIE, SECURE_COOKIE

Node: TypeAlias = dict[str, object]

SUMMARY = "Runs AI agents in production: durable, watched, gated."
DESCRIPTION = """
Send `Authorization: Bearer qd_...`. A deployment admin's key acts in a tenant with `Quarterdeck-Tenant: <slug>`; a key
that may, names the end user that it acts for with `Quarterdeck-User: <id>`.

A POST that creates takes an `Idempotency-Key`: sent again, it is answered as the first time. Lists come in pages:
`{"items": [...], "next_cursor": ...}`. Every answer carries `x-request-id`. Errors are problem details (RFC 9457) with
a `code` and the facts as members.
"""

_PROBLEM: Node = {
    "type": "object",
    "title": "Problem",
    "description": "What went wrong (RFC 9457). Facts of the error stand beside these members.",
    "required": ["type", "title", "status", "detail", "instance", "code"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:quarterdeck:problem:not_found"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "examples": ["urn:quarterdeck:request:0198f0c2-..."]},
        "code": {"type": "string", "examples": ["not_found"]},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["place", "problem", "fix"],
                "properties": {name: {"type": "string"} for name in ("place", "problem", "fix")},
            },
        },
    },
    "additionalProperties": True,
}
_SECURITY: Node = {
    "key": {"type": "http", "scheme": "bearer", "bearerFormat": "qd_<id>_<secret>"},
    "session": {"type": "apiKey", "in": "cookie", "name": SECURE_COOKIE},
    "session_on_this_machine": {"type": "apiKey", "in": "cookie", "name": PLAIN_COOKIE},
}
_IDEMPOTENCY_KEY: Node = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Sent again with the same body, it is answered as the first time and nothing is done twice.",
    "schema": {"type": "string", "pattern": "^[!#-~]{1,255}$"},
}
_ALWAYS = (Malformed, Unauthenticated, Forbidden, NotFound, Invalid, TooMany, Unavailable)
_WITH_BODY = (problems.TooSlow, TooLarge)
_CHANGING = (Conflict, problems.PreconditionFailed)
_PUBLIC = frozenset({"/healthz", "/readyz"})
_SIGN_IN = "/v1/sessions"
_BY_LINK = frozenset({"/v1/approvals/{approval_id}/link"})
"""What proves the right to these is in their address."""
_DISPUTED = frozenset({"/v1/audit/export", "/v1/audit/verify"})
"""What only reads, and is still refused where the caller knows another past."""


def describe(app: FastAPI) -> Callable[[], dict[str, object]]:
    """What an application answers at `/openapi.json`, made when first asked for."""

    def made() -> dict[str, object]:
        if app.openapi_schema is None:
            app.openapi_schema = complete(
                get_openapi(
                    title="Quarterdeck",
                    version=app.version,
                    summary=SUMMARY,
                    description=DESCRIPTION,
                    routes=app.routes,
                )
            )
        return app.openapi_schema

    return made


def complete(document: Node) -> Node:
    """The framework's description with what it can't know."""
    components = cast("Node", document.setdefault("components", {}))
    schemas = cast("Node", components.setdefault("schemas", {}))
    for foreign in ("HTTPValidationError", "ValidationError"):
        schemas.pop(foreign, None)
    schemas["Problem"] = _PROBLEM
    components["securitySchemes"] = _SECURITY
    for path, method, operation in _operations(document):
        responses = cast("Node", operation.setdefault("responses", {}))
        for error in _errors_of(path, method, operation):
            responses[str(error.status)] = _response(error)
        if path not in _PUBLIC | _BY_LINK and (path, method) != (_SIGN_IN, "post"):
            operation["security"] = [{name: []} for name in _SECURITY]
        if method == "post" and {"201", "202"} & responses.keys() and path != _SIGN_IN:
            cast("list[Node]", operation.setdefault("parameters", [])).append(_IDEMPOTENCY_KEY)
        _mend_streams(responses)
    return document


def _operations(document: Node) -> Iterator[tuple[str, str, Node]]:
    for path, item in cast("dict[str, dict[str, Node]]", document["paths"]).items():
        for method, operation in item.items():
            yield path, method, operation


def _errors_of(path: str, method: str, operation: Node) -> Iterator[type[Error]]:
    if path in _PUBLIC:
        return
    yield from _ALWAYS
    if "requestBody" in operation:
        yield from _WITH_BODY
    if method != "get":
        yield from _CHANGING
    elif path in _DISPUTED:
        yield Conflict


def _response(error: type[Error]) -> Node:
    response: Node = {
        "description": error.title(),
        "content": {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if error in (TooMany, Unavailable):
        response["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return response


def _mend_streams(responses: Node) -> None:
    """A stream's events have no schema of JSON: the framework would have put one there."""
    for response in cast("dict[str, Node]", responses).values():
        content = cast("Node", response.get("content", {}))
        if streams.MEDIA_TYPE in content:
            content[streams.MEDIA_TYPE] = {"schema": {"type": "string", "description": "Server-sent events."}}
