"""Server-sent events: their wire format, the answer that carries them, and where a client left off."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from fastapi import Request, Response

from quarterdeck.core.errors import Unavailable
from quarterdeck.http.asgi import Receive, Scope, Send
from quarterdeck.http.fixes import invalid

MEDIA_TYPE = "text/event-stream"
LINES = "application/jsonl"
COMMENT = b": still here\n\n"
STALLED_AFTER = 30.0
"""Seconds for which a client may take nothing before it is taken for gone."""

_LARGEST_POSITION = 2**31 - 1


class TooManyStreams(Unavailable):
    """This process serves as many streams as it can; try again, or poll instead."""

    code = "streams.full"


def frame(event: str, data: bytes, position: int | None = None) -> bytes:
    """One event. `data` is JSON on one line. Only what has a position is resumed from; the rest is passing."""
    head = f"event: {event}\n" if position is None else f"id: {position}\nevent: {event}\n"
    return head.encode() + b"data: " + data + b"\n\n"


def wants_stream(request: Request) -> bool:
    """Whether the client asked for a stream rather than a page."""
    return MEDIA_TYPE in request.headers.get("accept", "")


def position_of(request: Request, after: int | None, last: int) -> int:
    """Where a client left off: `Last-Event-ID`, which browsers send by themselves, goes before `?after=`.

    Raises Invalid for a position beyond `last`, the newest there is: it was made by another stream.
    """
    sent = request.headers.get("last-event-id", "").strip()
    place, position = ("header.last-event-id", -1) if sent else ("query.after", after or 0)
    if sent.isascii() and sent.isdigit() and len(sent) <= len(str(_LARGEST_POSITION)):
        position = int(sent)
    if position < 0:
        raise invalid(place, "this is no position", "send the id of the last event that you have")
    if position > last:
        raise invalid(
            place, f"there are {last} events here and this is number {position}", "send an id from this very stream"
        )
    return position


class EventStream(Response):
    """An answer that goes on until its source ends, the client leaves, or the client stops taking anything."""

    media_type = MEDIA_TYPE

    def __init__(self, source: AsyncGenerator[bytes, None], stalled_after: float = STALLED_AFTER) -> None:
        self._source = source
        self._stalled_after = stalled_after
        self.status_code = 200
        self.background = None
        self.init_headers({"cache-control": "no-cache, no-transform", "x-accel-buffering": "no"})
        # Its length is not known, whatever the base class made of the empty body.
        with contextlib.suppress(KeyError):
            del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # ASGI's signature
        """Serve it as ASGI. The source is closed whatever happens."""
        pump = asyncio.create_task(self._pump(send))
        gone = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait({pump, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (pump, gone):
                task.cancel()
            await asyncio.wait({pump, gone})
            await self._source.aclose()
        if not pump.cancelled():
            pump.result()

    async def _pump(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for chunk in self._source:
            try:
                async with asyncio.timeout(self._stalled_after):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            except TimeoutError:
                return
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class LineStream(EventStream):
    """The same for lines of JSON."""

    media_type = LINES


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
