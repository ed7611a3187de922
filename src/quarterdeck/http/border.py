"""The border: what happens to every request before a route sees it and to every answer on its way out.

Plain ASGI, since each layer is paid for by each request: an id and a trace, a limit on size and on time, headers that a
browser is told, one line of log, and a problem for whatever nobody caught.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Protocol

from fastapi import FastAPI

from quarterdeck.core import log as logs
from quarterdeck.core.errors import Error, NotFound
from quarterdeck.http import problems
from quarterdeck.http.asgi import App, Message, Receive, Scope, Send
from quarterdeck.http.bodies import BodyLimit
from quarterdeck.http.context import Context, begin

TIME_LIMIT = 90.0
"""Seconds until an answer must have begun: longer than the longest `?wait`."""

# For another origin's page, which no cookie of ours reaches.
_SHARED = ((b"cross-origin-resource-policy", b"cross-origin"), (b"access-control-allow-origin", b"*"))
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
_log = logs.get("quarterdeck.http")


class Observer(Protocol):
    """Is told of each answer, for metrics."""

    def __call__(self, scope: Scope, status: int, seconds: float, /) -> None:
        """`status` is 0 when the client left before an answer began."""
        ...


class Border:
    """The outermost layer of an application."""

    def __init__(
        self,
        app: App,
        *,
        max_body: int,
        https: bool = False,
        time_limit: float = TIME_LIMIT,
        observe: Observer | None = None,
    ) -> None:
        self._app = BodyLimit(app, max_body)
        self._time_limit = time_limit
        self._observe = observe
        self._headers = _always(https=https)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(begin(scope), send, self._headers, str(scope["path"]))
        try:
            _check_address(scope)
            await self._limited(scope, receive, exchange)
        except Exception as fault:
            await self._recover(scope, receive, exchange, fault)
        finally:
            self._report(scope, exchange)

    async def _limited(self, scope: Scope, receive: Receive, exchange: "_Exchange") -> None:
        limit = exchange.limit = asyncio.timeout(self._time_limit)
        try:
            async with limit:
                await self._app(scope, receive, exchange.send)
        except TimeoutError:
            if not limit.expired():
                raise
            raise problems.TookTooLong(seconds=self._time_limit) from None
        finally:
            exchange.limit = None

    async def _recover(self, scope: Scope, receive: Receive, exchange: "_Exchange", fault: Exception) -> None:
        error = problems.translate(fault)
        if isinstance(error, problems.Unexpected):
            _log.error("http.unexpected", path=scope["path"], exc_info=fault, **_ids(exchange.context))
        if exchange.status:  # too late for another answer: the client sees a cut one
            raise fault
        await _send_problem(error, scope, receive, exchange)

    def _report(self, scope: Scope, exchange: "_Exchange") -> None:
        seconds = time.perf_counter() - exchange.started
        if self._observe is not None:
            self._observe(scope, exchange.status, seconds)
        if scope["path"] not in _QUIET:
            context = exchange.context
            _log.info(
                "http.request",
                method=scope["method"],
                path=scope["path"],
                status=exchange.status,
                ms=round(seconds * 1000, 2),
                **_ids(context),
            )


class _Exchange:
    """One request and its answer: puts our headers on it and remembers how it went."""

    __slots__ = ("_headers", "_path", "_send", "context", "limit", "started", "status")

    def __init__(self, context: Context, send: Send, headers: Sequence[tuple[bytes, bytes]], path: str) -> None:
        self.context = context
        self.started = time.perf_counter()
        self.status = 0
        self.limit: asyncio.Timeout | None = None
        self._send = send
        self._headers = headers
        self._path = path

    async def send(self, message: Message) -> None:
        """Pass a message of the answer on; the first one gets our headers, and lifts the limit of time."""
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
            if self.limit is not None:
                self.limit.reschedule(None)
            headers: list[tuple[bytes, bytes]] = list(message.get("headers", ()))
            given = {name for name, _ in headers}
            if self.context.shared:
                headers.extend(_SHARED)
                given.add(_SHARED[0][0])
            headers.extend(header for header in self._headers if header[0] not in given)
            if b"cache-control" not in given and self._path.startswith("/v1"):
                headers.append((b"cache-control", b"no-store"))
            headers.append((b"x-request-id", self.context.request_id.encode()))
            if self.context.traceparent is not None:
                headers.append((b"traceparent", self.context.traceparent.encode()))
            message = {**message, "headers": headers}
        await self._send(message)


def install(
    app: FastAPI, *, max_body: int, https: bool = False, time_limit: float = TIME_LIMIT, observe: Observer | None = None
) -> None:
    """Give an application its border and its problems."""
    problems.install(app)
    app.add_middleware(Border, max_body=max_body, https=https, time_limit=time_limit, observe=observe)


async def _send_problem(error: Error, scope: Scope, receive: Receive, exchange: _Exchange) -> None:
    await problems.problem(error, scope)(scope, receive, exchange.send)


def _ids(context: Context) -> dict[str, str]:
    ids = {"request": context.request_id}
    if context.tenant:
        ids["tenant"] = context.tenant
    if context.key:
        ids["key"] = context.key
    return ids


def _check_address(scope: Scope) -> None:
    """Nothing has a name with NUL in it, and no name with one can be looked up: the database takes none."""
    if "\x00" in scope["path"]:
        raise NotFound("There is nothing at this address.")


def _always(*, https: bool) -> list[tuple[bytes, bytes]]:
    """What a browser is told with every answer that does not say otherwise: nothing may be run, framed or guessed."""
    headers = [
        (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"referrer-policy", b"no-referrer"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"same-origin"),
    ]
    if https:
        headers.append((b"strict-transport-security", b"max-age=31536000"))
    return headers
