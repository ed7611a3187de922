"""Reading a stream of server-sent events: the part of it that MCP uses."""

from collections.abc import AsyncIterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event. `retry` is in seconds."""

    data: bytes = b""
    id: str = ""
    retry: float | None = None


async def server_events(chunks: AsyncIterator[bytes]) -> AsyncIterator[ServerEvent]:
    """The events of a stream as they come. What is left unfinished at its end is no event."""
    lines: list[bytes] = []
    async for line in _lines(chunks):
        if line:
            lines.append(line)
        elif lines:
            yield _event(lines)
            lines.clear()


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    held: list[bytes] = []
    async for chunk in chunks:
        *whole, rest = chunk.split(b"\n")
        for line in whole:
            held.append(line)
            yield b"".join(held).removesuffix(b"\r")
            held.clear()
        if rest:
            held.append(rest)


def _event(lines: list[bytes]) -> ServerEvent:
    payload: list[bytes] = []
    id_, retry = "", None
    for line in lines:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            payload.append(value)
        elif name == b"id" and b"\0" not in value:
            id_ = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit():
            retry = int(value) / 1000
    return ServerEvent(b"\n".join(payload), id_, retry)
