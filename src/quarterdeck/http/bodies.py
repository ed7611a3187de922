"""No body is taken that is larger than allowed or that trickles in, whatever its headers promise."""

import asyncio

from quarterdeck.core.errors import Malformed, TooLarge
from quarterdeck.http.asgi import App, Message, Receive, Scope, Send
from quarterdeck.http.problems import TooSlow

BODY_TIME = 30.0
"""Seconds in which a body must have arrived."""

_DRAIN_BYTES = 64 * 1024 * 1024
_DRAIN_TIME = 10.0


class BodyLimit:
    """Refuses a body by its declared length at once, and a chunked one as soon as it has grown too large."""

    def __init__(self, app: App, limit: int, time: float = BODY_TIME) -> None:
        self._app = app
        self._limit = limit
        self._time = time

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of ASGI. Raises TooLarge, TooSlow and Malformed into whoever reads the body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length, expects, chunked = _announced(scope)
        if length is not None and length > self._limit:
            if not expects:
                # A client that is not heard out sees a broken pipe instead of our answer.
                await _drain(receive)
            raise TooLarge(limit=self._limit, size=length)
        if not length and not chunked:
            await self._app(scope, receive, send)
            return
        await self._app(scope, self._counting(receive), send)

    def _counting(self, receive: Receive) -> Receive:
        seen, complete = 0, False
        deadline = asyncio.get_running_loop().time() + self._time

        async def counted() -> Message:
            nonlocal seen, complete
            if complete:
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise TooSlow(seconds=self._time) from None
            seen += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if seen > self._limit:
                if not complete:
                    await _drain(receive)
                raise TooLarge(limit=self._limit)
            return message

        return counted


def _announced(scope: Scope) -> tuple[int | None, bool, bool]:
    """The declared length of a body, whether the client waits for our leave to send it, and whether it is chunked."""
    length, expects, chunked = None, False, False
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    for name, value in headers:
        if name == b"content-length":
            if not value.isdigit():
                raise Malformed("Content-Length is not a number.")
            length = int(value)
        elif name == b"expect":
            expects = value.lower() == b"100-continue"
        elif name == b"transfer-encoding":
            chunked = True
    return length, expects, chunked


async def _drain(receive: Receive) -> None:
    """Read and forget the rest of a body, within reason."""
    drained = 0
    try:
        async with asyncio.timeout(_DRAIN_TIME):
            while drained < _DRAIN_BYTES:
                message = await receive()
                drained += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return
    except TimeoutError:
        return
