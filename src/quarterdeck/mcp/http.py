"""A connection to a remote MCP server over streamable HTTP.

Each request is an exchange of its own on the guarded outbound client: one that fails takes no other with it, and each
knows whether it was surely not sent. That, and a third of the CPU, is why the SDK's client does not stand here.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from quarterdeck.core.json import Json
from quarterdeck.mcp import wire
from quarterdeck.mcp.events import ServerEvent, server_events
from quarterdeck.mcp.records import Cut, McpFault, Nonsense, NotSent, Progress, TooLate, TooMuch, Unreachable, rejection
from quarterdeck.net.client import Answer, Outbound
from quarterdeck.net.errors import OutboundFailed, OutboundLate, OutboundTimeout, OutboundTooLarge, TargetRefused
from quarterdeck.net.records import Limits

ANSWER_LIMIT = 16 * 1024 * 1024
_LIMITS = Limits(total=None, connect=5.0, idle=None, max_bytes=ANSWER_LIMIT)
"""The caller watches the time of each call."""
_RESUMPTIONS = 3
_BEFORE_SENDING = frozenset({"name", "connect", "tls"})
_ERROR_BODY = 64 * 1024


class HttpExchange:
    """One POST and its answer."""

    def __init__(self, peer: "HttpPeer", id_: int, method: str, progress: Progress | None) -> None:
        self.id = id_
        self.method = method
        self.progress = progress
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.answer.add_done_callback(_look_at)
        self.task: asyncio.Task[None] | None = None
        self._peer = peer

    def cancel(self, reason: str) -> None:
        """Close the request's stream (the stateless revision's sign), or send `notifications/cancelled`."""
        if self._peer.stateless:
            self.abandon()
            if not self.answer.done():
                self.answer.set_exception(Cut("The call was cancelled."))
        else:
            self._peer.notify("notifications/cancelled", {"requestId": self.id, "reason": reason})

    def abandon(self) -> None:
        """Close the request's stream."""
        if self.task is not None:
            self.task.cancel()


class HttpPeer:
    """Speaks JSON-RPC over POSTs to one URL. Keeps no connection of its own: `Outbound` does."""

    def __init__(self, outbound: Outbound, url: str, headers: Mapping[str, str] | None = None) -> None:
        self._outbound = outbound
        self._url = url
        self._own_headers = dict(headers or {})
        self._version = ""
        self._session = ""
        self._next = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def stateless(self) -> bool:
        """Whether the revision without handshakes and sessions is spoken."""
        return self._version == wire.MODERN

    @property
    def session(self) -> str:
        """The id of the server's session; empty where it keeps none."""
        return self._session

    def send_along(self, headers: Mapping[str, str]) -> None:
        """Send these headers of the server's own with each request from now on."""
        self._own_headers = dict(headers)

    def adopt(self, version: str) -> None:
        """Speak this revision from now on."""
        self._version = version

    def begin(
        self,
        method: str,
        params: dict[str, Json],
        *,
        headers: Mapping[str, str] | None = None,
        progress: Progress | None = None,
        late: Callable[[], bool] | None = None,
    ) -> HttpExchange:
        """Post a request. Whether it was sent is known when its exchange fails."""
        self._next += 1
        exchange = HttpExchange(self, self._next, method, progress)
        meta = params.get("_meta")
        whole = dict(meta) if isinstance(meta, Mapping) else dict[str, Json]()
        if self.stateless:
            whole |= wire.MODERN_META
        if progress is not None:
            whole["progressToken"] = exchange.id
        body = wire.request(exchange.id, method, {**params, "_meta": whole} if whole else params)
        whole_headers = {**self._headers(method, params), **(headers or {})}
        exchange.task = self._start(self._exchange(exchange, body, whole_headers, late))
        return exchange

    def notify(self, method: str, params: dict[str, Json]) -> None:
        """Post a notification; nobody waits for it."""
        self._start(self._post_quietly(wire.notification(method, params), self._headers(method, params)))

    async def close(self) -> None:
        """Close all streams, and the server's session where it keeps one."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session:
            with contextlib.suppress(Exception):
                await self._outbound.request("DELETE", self._url, self._headers("", {}), timeout=2.0)

    def _headers(self, method: str, params: Mapping[str, Json]) -> dict[str, str]:
        headers = {
            **self._own_headers,
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
        }
        if self._session:
            headers["Mcp-Session-Id"] = self._session
        if self._version and method != "initialize":
            headers["MCP-Protocol-Version"] = self._version
        if self.stateless:
            headers["Mcp-Method"] = method
            name = params.get("name")
            if isinstance(name, str):
                headers["Mcp-Name"] = wire.header_value(name)
        return headers

    async def _exchange(
        self, exchange: HttpExchange, body: bytes, headers: Mapping[str, str], late: Callable[[], bool] | None
    ) -> None:
        try:
            result = await self._post(exchange, body, headers, late)
        except asyncio.CancelledError:
            if not exchange.answer.done():
                exchange.answer.set_exception(Cut("Nobody waits for this answer any more."))
            raise
        except McpFault as fault:
            outcome: McpFault | bytes = fault
        except Exception as fault:
            outcome = Nonsense(f"The tool server's answer can't be read: {type(fault).__name__}.")
        else:
            outcome = result
        if exchange.answer.done():
            return
        if isinstance(outcome, bytes):
            exchange.answer.set_result(outcome)
        else:
            exchange.answer.set_exception(outcome)

    async def _post(
        self, exchange: HttpExchange, body: bytes, headers: Mapping[str, str], late: Callable[[], bool] | None
    ) -> bytes:
        try:
            async with self._outbound.stream("POST", self._url, headers, body, limits=_LIMITS, late=late) as answer:
                return await self._read(exchange, answer)
        except OutboundLate as fault:
            raise TooLate from fault
        except TargetRefused as fault:
            raise NotSent(fault.detail) from fault
        except OutboundTooLarge as fault:
            raise TooMuch(ANSWER_LIMIT) from fault
        except OutboundTimeout as fault:
            raise Unreachable(fault.detail, sent=fault.facts.get("phase") != "connect") from fault
        except OutboundFailed as fault:
            sent = fault.facts.get("reason") not in _BEFORE_SENDING
            raise Unreachable(fault.detail, sent=sent) from fault

    async def _read(self, exchange: HttpExchange, answer: Answer) -> bytes:
        if not 200 <= answer.status < 300:
            raise await _refusal(answer)
        if exchange.method == "initialize":
            self._session = answer.header("mcp-session-id") or ""
        kind = (answer.header("content-type") or "").partition(";")[0].strip().lower()
        if kind == "application/json":
            raw = b"".join([chunk async for chunk in answer.chunks])
            return _result(_message(raw))
        if kind == "text/event-stream":
            return await self._follow(exchange, answer)
        raise Nonsense(f"The tool server answered {answer.status} with {kind or 'no content type'}.")

    async def _follow(self, exchange: HttpExchange, answer: Answer) -> bytes:
        """The result from a stream of events, picked up again where the server closes it in between and allows that."""
        last = ServerEvent()
        async for event in server_events(answer.chunks):
            last = event if event.id else last
            result = self._told(exchange, event)
            if result is not None:
                return result
        for _ in range(_RESUMPTIONS):
            if not last.id or self.stateless:
                break
            await asyncio.sleep(last.retry if last.retry is not None else 1.0)
            headers = {**self._headers("", {}), "Accept": "text/event-stream", "Last-Event-ID": last.id}
            async with self._outbound.stream("GET", self._url, headers, limits=_LIMITS) as resumed:
                if resumed.status != 200:
                    break
                async for event in server_events(resumed.chunks):
                    last = event if event.id else last
                    result = self._told(exchange, event)
                    if result is not None:
                        return result
        raise Cut("The tool server closed the stream before it answered.")

    def _told(self, exchange: HttpExchange, event: ServerEvent) -> bytes | None:
        if not event.data:
            return None
        message = _message(event.data)
        if message.method is None:
            return _result(message) if message.id == exchange.id else None
        if message.id is not None:
            self._start(self._post_quietly(_reply(message.id, message.method), self._headers("", {})))
        elif message.method == "notifications/progress" and exchange.progress is not None:
            with contextlib.suppress(*wire.Faulty):
                told = wire.read_progress(message.params)
                exchange.progress(told.progress, told.total, told.message or "")
        return None

    async def _post_quietly(self, body: bytes, headers: Mapping[str, str]) -> None:
        with contextlib.suppress(OutboundFailed, OutboundTimeout, OutboundTooLarge, TargetRefused):
            await self._outbound.request("POST", self._url, headers, body, timeout=5.0)

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _look_at(answer: asyncio.Future[bytes]) -> None:
    """A fault that nobody waits for any more is no noise in the log."""
    _ = answer.cancelled() or answer.exception()


def _message(raw: bytes) -> wire.Incoming:
    try:
        return wire.read_message(raw)
    except wire.Faulty as fault:
        raise Nonsense(f"The tool server's answer can't be read: {fault}.") from fault


def _result(message: wire.Incoming) -> bytes:
    if message.error is not None:
        raise rejection(message.error)
    if not message.result:
        raise Nonsense("The tool server's answer holds neither a result nor an error.")
    return bytes(message.result)


def _reply(id_: int | str, method: str) -> bytes:
    if method == "ping":
        return wire.acceptance(id_)
    return wire.refusal(id_, wire.METHOD_NOT_FOUND, "This client answers no requests.")


async def _refusal(answer: Answer) -> McpFault:
    """What an HTTP error means: a JSON-RPC error in its body, or else what its status says."""
    body = await _beginning(answer.chunks)
    with contextlib.suppress(*wire.Faulty):
        message = wire.read_message(body)
        if message.error is not None:
            return rejection(message.error)
    acted_on = answer.status >= 500 or answer.status == 408
    return Unreachable(
        f"The tool server answered HTTP {answer.status}.",
        sent=acted_on,
        http_status=answer.status,
        retry_after=seconds(answer.header("retry-after")),
    )


async def _beginning(chunks: AsyncIterator[bytes]) -> bytes:
    held = b""
    async for chunk in chunks:
        held += chunk
        if len(held) > _ERROR_BODY:
            break
    return held[:_ERROR_BODY]


def seconds(retry_after: str | None) -> float | None:
    """A Retry-After header in seconds from now; None where there is none or it can't be read."""
    if not retry_after:
        return None
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        at = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())
