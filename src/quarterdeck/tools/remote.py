"""A remote tool server over streamable HTTP: one conversation with it, kept and renewed."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping

from quarterdeck.core.errors import Error
from quarterdeck.core.json import Json, JsonObject, encode
from quarterdeck.mcp import wire
from quarterdeck.mcp.http import HttpPeer
from quarterdeck.mcp.records import Cut, Exchange, McpFault, NotSent, Progress, Unreachable
from quarterdeck.mcp.session import Session, open_session
from quarterdeck.net.client import Outbound
from quarterdeck.secrets.rules import fits_header
from quarterdeck.spec.references import fill, names_in
from quarterdeck.tools.errors import ServerUnavailable

CONNECT_WITHIN = 20.0
LISTING_LIVES = 300.0
"""Seconds after which a remote server is asked again what it offers: it may change without our knowing."""

_NONE: Mapping[str, str] = {}


class RemoteServer:
    """One principal's connection to one server. Its calls fail one by one; none takes another with it."""

    own = False

    def __init__(
        self,
        name: str,
        outbound: Outbound,
        url: str,
        headers: Mapping[str, str] | None,
        secrets: Mapping[str, str] = _NONE,
    ) -> None:
        """`headers` may refer to `secrets`. Raises ServerUnavailable where one of those can't be sent."""
        self.name = name
        self.state = "starting"
        self.calls = self.in_flight = 0
        self.listed: Mapping[str, wire.Listed] = {}
        self._headers = headers or _NONE
        self._secrets = secrets
        self._loop = asyncio.get_running_loop()
        self.last_used = self._listed_at = self._loop.time()
        self._peer = HttpPeer(outbound, url, self._filled(secrets))
        self._session: Session | None = None
        self._mirrored: dict[str, dict[tuple[str, ...], str]] = {}

    async def start(self) -> None:
        """Agree on a revision and learn what tools there are. Raises ServerUnavailable."""
        try:
            self._session = await open_session(self._peer, CONNECT_WITHIN)
            async with asyncio.timeout(CONNECT_WITHIN):
                self._take(await self._session.tools())
        except (McpFault, TimeoutError) as fault:
            self.state = "ended"
            await self._peer.close()
            later = fault.retry_after if isinstance(fault, Unreachable) else None
            told = fault.detail if isinstance(fault, Error) else "It did not list its tools in time."
            again = not isinstance(fault, McpFault) or may_pass(fault)
            told = f"The tool server `{self.name}` can't be used: {told}"
            raise ServerUnavailable(told, again=again, retry_after=later) from fault
        self._listed_at = self._loop.time()
        self.state = "ready"

    def use(self, secrets: Mapping[str, str]) -> None:
        """Take these values for the secrets that its headers refer to: they may have changed since the last call.

        Raises ServerUnavailable where one can't be sent in a header.
        """
        if secrets != self._secrets:
            self._peer.send_along(self._filled(secrets))
            self._secrets = secrets

    async def refresh(self) -> None:
        """Ask anew what it offers, where that was last asked long ago. What it does not answer changes nothing."""
        if self._session is None or self._loop.time() - self._listed_at < LISTING_LIVES:
            return
        self._listed_at = self._loop.time()
        with contextlib.suppress(McpFault, TimeoutError):
            async with asyncio.timeout(CONNECT_WITHIN):
                self._take(await self._session.tools())

    async def call(
        self,
        tool: str,
        arguments: JsonObject,
        meta: Mapping[str, Json],
        late: Callable[[], bool],
        progress: Progress | None,
    ) -> Exchange:
        """Send a call. `late` is asked right before the sending. Raises NotSent."""
        if self.state != "ready" or self._session is None:
            raise NotSent(f"The connection to the tool server `{self.name}` has ended.")
        headers = self._argument_headers(tool, arguments)
        exchange = self._session.call(tool, arguments, meta, headers=headers, progress=progress, late=late)
        self.calls += 1
        self.in_flight += 1
        exchange.answer.add_done_callback(self._answered)
        return exchange

    def idle_since(self) -> float:
        """The loop's time since when nothing is in flight; infinity while something is."""
        return self.last_used if self.in_flight == 0 else float("inf")

    def stuck(self) -> None:
        """A call that did not answer a cancellation harms no other here."""

    async def close(self) -> None:
        """Close its streams and its session."""
        self.state = "ended"
        await self._peer.close()

    def _filled(self, secrets: Mapping[str, str]) -> dict[str, str]:
        """The headers with their secrets: sent to this server's own origin and to nobody else, redirected or not."""
        filled: dict[str, str] = {}
        for name, text in self._headers.items():
            absent = [one for one in names_in(text) if one not in secrets]
            if absent:
                raise ServerUnavailable(f"The header `{name}` of `{self.name}` needs the secret `{absent[0]}`.")
            filled[name] = fill(text, secrets)
            if not fits_header(filled[name]):
                which = ", ".join(f"`{one}`" for one in names_in(text))
                told = f"The secret {which} can't be sent in the header `{name}`: it is no line of printable ASCII."
                raise ServerUnavailable(told)
        return filled

    def _answered(self, answer: asyncio.Future[bytes]) -> None:
        self.in_flight -= 1
        self.last_used = self._loop.time()
        fault = None if answer.cancelled() else answer.exception()
        if isinstance(fault, Unreachable) and fault.http_status == 404:
            # It has forgotten our session: the next call begins a new one.
            self.state = "ended"

    def _take(self, tools: Iterable[wire.Listed]) -> None:
        self.listed = {tool.name: tool for tool in tools}
        self._mirrored = {name: found for name, tool in self.listed.items() if (found := _mirrored(tool))}

    def _argument_headers(self, tool: str, arguments: JsonObject) -> dict[str, str]:
        mirrored = self._mirrored.get(tool)
        if not mirrored:
            return {}
        from mcp.shared.inbound import mcp_param_headers

        return mcp_param_headers(mirrored, arguments)


def may_pass(fault: McpFault) -> bool:
    """Whether what keeps a server from being used may be over soon: it is down or busy, not wrong or forbidden."""
    if isinstance(fault, Unreachable):
        return fault.http_status is None or fault.http_status in {408, 429} or fault.http_status >= 500
    return isinstance(fault, Cut)


def _mirrored(tool: wire.Listed) -> dict[tuple[str, ...], str]:
    """Arguments that the server wants to see in headers as well, by `x-mcp-header` in its schema."""
    if tool.input_schema is None or b"x-mcp-header" not in encode(tool.input_schema):
        return {}
    # Half a second to import, and rarely needed.
    from mcp.shared.inbound import find_invalid_x_mcp_header, x_mcp_header_map

    return {} if find_invalid_x_mcp_header(tool.input_schema) else x_mcp_header_map(tool.input_schema)
