"""The MCP SDK speaks through an httpx2 client; with this transport its remote servers are guarded like all others.

It hands each request to `Outbound`: one client, one set of rules, and no second network stack to keep in step with it.
"""

from collections.abc import AsyncIterator, Generator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import replace
from typing import cast

import httpx2

from quarterdeck.net.client import Answer, Outbound
from quarterdeck.net.errors import OutboundFailed, OutboundTimeout, OutboundTooLarge
from quarterdeck.net.records import Limits

# Hop-by-hop, and what `Outbound` says itself.
_LEFT_OUT = frozenset({"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "keep-alive"})

STREAM_LIMITS = Limits(total=None, connect=5.0, idle=300.0, max_bytes=32 * 1024 * 1024)
"""For servers that may hold a stream open: the caller watches the time, the transport the silence and the bytes."""


class GuardedTransport(httpx2.AsyncBaseTransport):
    """An httpx2 transport over `Outbound`.

    A refused target raises `TargetRefused`; other failures are httpx2's own (`ConnectTimeout`, `ReadTimeout`,
    `RemoteProtocolError`, `ConnectError`), since the SDK above reacts to those. Redirects are handed back unfollowed:
    the client above asks again, and is judged again. The client's time-outs narrow `limits`, never widen them.
    """

    def __init__(self, outbound: Outbound, limits: Limits = STREAM_LIMITS) -> None:
        self._outbound = outbound
        self._limits = limits

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request; the response's body is read as it comes."""
        headers = tuple((name, value) for name, value in request.headers.multi_items() if name.lower() not in _LEFT_OUT)
        stream = self._outbound.stream(
            request.method,
            str(request.url),
            headers,
            await request.aread() or None,
            limits=_narrowed(self._limits, request),
        )
        with _as_httpx2(request):
            answer = await stream.__aenter__()
        body = _Body(stream, answer, request)
        return httpx2.Response(answer.status, headers=list(answer.headers), stream=body, request=request)

    async def aclose(self) -> None:
        """The connections belong to `Outbound`, which outlives its transports."""


def guarded_client(
    outbound: Outbound,
    *,
    headers: Mapping[str, str] | None = None,
    timeout: httpx2.Timeout | None = None,
    auth: httpx2.Auth | None = None,
    limits: Limits = STREAM_LIMITS,
) -> httpx2.AsyncClient:
    """A client for `mcp.client.streamable_http`: guarded, deaf to the environment, following no redirects itself."""
    return httpx2.AsyncClient(
        transport=GuardedTransport(outbound, limits),
        headers=headers,
        timeout=timeout or httpx2.Timeout(30.0, read=300.0),
        auth=auth,
        trust_env=False,
        follow_redirects=False,
    )


class _Body(httpx2.AsyncByteStream):
    def __init__(self, stream: AbstractAsyncContextManager[Answer], answer: Answer, request: httpx2.Request) -> None:
        self._stream = stream
        self._answer = answer
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx2(self._request):
            async for chunk in self._answer.chunks:
                yield chunk

    async def aclose(self) -> None:
        await self._stream.__aexit__(None, None, None)


def _narrowed(limits: Limits, request: httpx2.Request) -> Limits:
    asked = cast("Mapping[str, float | None]", request.extensions.get("timeout", {}))
    connect = min(limits.connect, asked.get("connect") or limits.connect)
    idle = min((seconds for seconds in (limits.idle, asked.get("read")) if seconds is not None), default=None)
    return replace(limits, connect=connect, idle=idle)


@contextmanager
def _as_httpx2(request: httpx2.Request) -> Generator[None]:
    try:
        yield
    except OutboundTimeout as error:
        kind = httpx2.ConnectTimeout if error.facts.get("phase") == "connect" else httpx2.ReadTimeout
        raise kind(error.detail, request=request) from error
    except OutboundTooLarge as error:
        raise httpx2.RemoteProtocolError(error.detail, request=request) from error
    except OutboundFailed as error:
        kind = httpx2.ConnectError if error.facts.get("reason") in _CONNECTING else httpx2.ReadError
        raise kind(error.detail, request=request) from error


_CONNECTING = frozenset({"name", "connect", "tls"})
