"""The way to a provider: one origin, no redirects, bounded silence and bytes, JSON or an event stream coming back.

The vendors' SDKs bring clients of their own that follow redirects and read proxies from anywhere; they get ours.
"""

import ssl
from collections.abc import AsyncIterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import cast
from urllib.parse import urlsplit

import httpx2

MAX_ANSWER = 32 * 1024 * 1024
"""Bytes of one answer, event framing included: several times what any model can say."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one try waits: to connect, and between two pieces of the answer."""

    connect: float
    idle: float


patience: ContextVar[Patience] = ContextVar("patience", default=Patience(10.0, 60.0))  # noqa: B039  # frozen
"""Set by the caller of a try. The SDKs have a single time-out for everything, which is not what we mean."""


heard: ContextVar["Heard | None"] = ContextVar("heard", default=None)
"""Set by the caller of a try that wants to see its answer's headers: the SDKs hand back only what they made of them."""


class Heard:
    """The headers of the last answer, names in lower case; empty until there is one."""

    __slots__ = ("headers",)

    def __init__(self) -> None:
        self.headers: Mapping[str, str] = {}


class ForeignOrigin(httpx2.ConnectError):
    """A request would have left for another origin than the connection's; its key must not go there."""


class AnswerTooLarge(httpx2.ReadError):
    """The answer is larger than any model's answer can be."""


class Redirected(httpx2.RemoteProtocolError):
    """The other side sends us elsewhere, where the connection's key must not go."""


class NotAnAnswer(httpx2.RemoteProtocolError):
    """The other side answers with something that is neither JSON nor an event stream, such as a proxy's page."""


def open_client(base_url: str) -> httpx2.AsyncClient:
    """A client that speaks with the origin of `base_url` and with nobody else. Proxies come from the environment."""
    limits = httpx2.Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=60.0)
    origin = origin_of(base_url)
    proxy = _proxy_for(base_url)
    inner = httpx2.AsyncHTTPTransport(verify=_tls(), limits=limits, trust_env=False, proxy=proxy, retries=0)
    return httpx2.AsyncClient(
        transport=_Bounded(inner, origin, MAX_ANSWER), follow_redirects=False, trust_env=False, timeout=None
    )


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL, always with the port."""
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}"


class _Bounded(httpx2.AsyncBaseTransport):
    def __init__(self, inner: httpx2.AsyncBaseTransport, origin: str, max_answer: int) -> None:
        self._inner = inner
        self._origin = origin
        self._max_answer = max_answer

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if origin_of(str(request.url)) != self._origin:
            raise ForeignOrigin(f"refused to leave {self._origin}", request=request)
        allowed = patience.get()
        request.extensions = {
            **request.extensions,
            "timeout": {"connect": allowed.connect, "pool": allowed.connect, "read": allowed.idle, "write": 30.0},
        }
        response = await self._inner.handle_async_request(request)
        if (listener := heard.get()) is not None:
            listener.headers = response.headers
        if 300 <= response.status_code < 400:
            await response.aclose()
            raise Redirected(f"redirected to {origin_of(response.headers.get('location', ''))}", request=request)
        if response.status_code < 300 and not _readable(response.headers.get("content-type", "")):
            await response.aclose()
            raise NotAnAnswer(f"content type {response.headers.get('content-type')!r}", request=request)
        return httpx2.Response(
            response.status_code,
            headers=response.headers,
            stream=_Capped(cast("httpx2.AsyncByteStream", response.stream), self._max_answer, request),
            extensions=response.extensions,
            request=request,
        )

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Capped(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, most: int, request: httpx2.Request) -> None:
        self._inner = inner
        self._left = most
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._inner:
            self._left -= len(chunk)
            if self._left < 0:
                raise AnswerTooLarge("the answer is too large", request=self._request)
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()


def _readable(content_type: str) -> bool:
    return "json" in content_type or "event-stream" in content_type


def _proxy_for(base_url: str) -> str | None:
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(base_url)
    if not parts.hostname or proxy_bypass(parts.netloc) or parts.hostname in {"localhost", "127.0.0.1", "::1"}:
        return None
    return getproxies().get(parts.scheme)


@cache
def _tls() -> ssl.SSLContext:
    # Loading the trust store takes tens of milliseconds: once a process, not once a client.
    return httpx2.create_ssl_context()
