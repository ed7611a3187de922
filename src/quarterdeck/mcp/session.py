"""What both transports have in common: agreeing on a revision, listing tools, calling one."""

import asyncio
from collections.abc import Callable, Mapping
from typing import TypeVar

from quarterdeck.core.json import Json, JsonObject
from quarterdeck.mcp import wire
from quarterdeck.mcp.records import Exchange, Nonsense, Peer, Progress, Rejected, Unreachable

Read = TypeVar("Read")

_PAGES = 50
_TOOLS = 1000


class Session:
    """A connection on which a revision was agreed. `meta` is what the server said of itself at the start."""

    def __init__(self, peer: Peer, version: str, meta: Mapping[str, Json]) -> None:
        self.peer = peer
        self.version = version
        self.meta = meta

    async def tools(self) -> tuple[wire.Listed, ...]:
        """Everything that the server lists, all pages. Raises McpFault; Nonsense where there is no end to it."""
        found: list[wire.Listed] = []
        cursor: str | None = None
        for _ in range(_PAGES):
            raw = await self.peer.begin("tools/list", {"cursor": cursor} if cursor else {}).answer
            page = understood(wire.read_listing, raw)
            found += page.tools
            cursor = page.next_cursor
            if not cursor:
                return tuple(found)
            if len(found) > _TOOLS:
                break
        raise Nonsense(f"The tool server lists more than {_TOOLS} tools, or without an end.")

    def call(
        self,
        name: str,
        arguments: JsonObject,
        meta: Mapping[str, Json],
        *,
        headers: Mapping[str, str] | None = None,
        progress: Progress | None = None,
        late: Callable[[], bool] | None = None,
    ) -> Exchange:
        """Send a call at once, unless `late` says right before the sending that it may not begin any more.

        Its answer is to be read with `understood(wire.read_call_result, ...)`. Raises NotSent.
        """
        params: dict[str, Json] = {"name": name, "arguments": arguments, "_meta": meta}
        return self.peer.begin("tools/call", params, headers=headers, progress=progress, late=late)


async def open_session(peer: Peer, timeout: float) -> Session:
    """Agree on a revision: the stateless one where the server knows it, else by the older handshake.

    `timeout` covers everything. Raises McpFault, also where the server speaks no revision that this client does.
    """
    try:
        async with asyncio.timeout(timeout):
            session = await _discover(peer, timeout / 2)
            if session is not None:
                return session
            try:
                return await _shake_hands(peer)
            except Rejected as fault:
                # A server that was slow to start took our first question for good and now speaks that revision only.
                session = await _discover(peer, timeout) if fault.number == wire.UNSUPPORTED_VERSION else None
                if session is None:
                    raise
                return session
    except TimeoutError:
        raise Nonsense(f"The tool server did not say within {timeout:g} s which revision it speaks.") from None


async def _discover(peer: Peer, patience: float) -> Session | None:
    """A session of the stateless revision, or None for a server that has to be shaken hands with."""
    peer.adopt(wire.MODERN)
    try:
        async with asyncio.timeout(patience):
            discovered = wire.read_discovered(await peer.begin("server/discover", {}).answer)
    except (TimeoutError, Rejected, *wire.Faulty):
        # Whatever an older server says, or does not say, to a method that it doesn't know: the handshake will tell.
        return None
    except Unreachable as fault:
        if not fault.may_be_older:
            raise
        return None
    if wire.MODERN not in discovered.supported_versions:
        return None
    return Session(peer, wire.MODERN, discovered.meta or {})


async def _shake_hands(peer: Peer) -> Session:
    peer.adopt(wire.LEGACY)
    params: dict[str, Json] = {"protocolVersion": wire.LEGACY, "capabilities": {}, "clientInfo": wire.CLIENT}
    raw = await peer.begin("initialize", params).answer
    version = understood(wire.read_initialized, raw).protocol_version
    if version not in wire.HANDSHAKE_VERSIONS:
        raise Nonsense(f"The tool server speaks revision {version[:40]!r}, which this client does not know.")
    peer.adopt(version)
    peer.notify("notifications/initialized", {})
    return Session(peer, version, {})


def understood(read: Callable[[bytes], Read], raw: bytes) -> Read:
    """A result as the wanted shape. Raises Nonsense that names the fault."""
    try:
        return read(raw)
    except wire.Faulty as fault:
        raise Nonsense(f"The tool server's answer can't be read: {fault}.") from fault
