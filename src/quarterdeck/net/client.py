"""The one client for URLs that a tenant or a server chose; made once per process."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterable, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Self

import aiohttp
from yarl import URL

from quarterdeck.core.settings import Settings
from quarterdeck.net import bodies, rules
from quarterdeck.net.errors import OutboundFailed, OutboundLate, OutboundTimeout, OutboundTooLarge
from quarterdeck.net.guard import Guard, Resolve
from quarterdeck.net.records import Call, Headers, Limits, Reach, Refusal, Reply, Rule, Target, header, headers_of
from quarterdeck.net.timely import Timely

USER_AGENT = "Quarterdeck"

# uvicorn, and much that stands behind it, closes idle connections after 5 s. A POST that meets a closing connection has
# an unknown outcome, so ours are given up first.
_KEEP_ALIVE = 4.0
_CHUNK = 64 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OURS = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "te", "trailer", "upgrade"}
    | {"expect", "keep-alive", "proxy-authorization", "proxy-connection"}
)
_SKIP = ("Accept", "Content-Type")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose body is still on its way. Valid inside the `stream` that yielded it."""

    status: int
    headers: Headers
    chunks: AsyncIterator[bytes]
    """The body's own bytes, up to the call's `max_bytes`. Raises what `Outbound.request` raises."""

    def header(self, name: str) -> str | None:
        """The value of a header, several joined by a comma, or None."""
        return header(self.headers, name)


class Outbound:
    """Requests to addresses that others chose, within the deployment's `Reach`.

    Every URL, also that of a redirect, is judged by `rules`; names are resolved once and all their addresses judged;
    the connection goes to a judged address, with the host's name in TLS and in `Host`. No proxy, cookie or `.netrc` of
    the environment plays a part. Needs a running event loop from its first request on, and belongs to that loop.
    """

    def __init__(
        self, reach: Reach | None = None, *, look_up: Resolve | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self.guard = Guard(reach or Reach(), look_up)
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    @classmethod
    def of(cls, settings: Settings, allowed: Iterable[str] = ()) -> Self:
        """The client that a deployment's settings describe; `allowed` adds `host:port` pairs for one kind of client."""
        return cls(Reach.of(settings, allowed))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections. Answers still being read fail."""
        if self._session is not None:
            await self._session.close()

    async def examine(self, url: str) -> Target:
        """Judge a URL and all its present addresses without connecting: for registration, when a person still looks.

        Raises `TargetRefused`, and `OutboundFailed` or `OutboundTimeout` where the name can't be resolved.
        """
        target = self.guard.admit(url)
        if rules.literal(target.host) is None:
            try:
                async with asyncio.timeout(Limits().connect):
                    await self.guard.addresses(target.host, target.port)
            except TimeoutError:
                raise OutboundTimeout("Looking the host up took too long.", phase="connect") from None
            except OSError:
                raise OutboundFailed("The host's name does not resolve.", reason="name") from None
        return target

    async def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        *,
        timeout: float = 30.0,
        connect_timeout: float = 5.0,
        max_bytes: int = 1024 * 1024,
        allow_redirects: bool = False,
    ) -> Reply:
        """One request and its whole answer, whatever the status.

        `timeout` covers all redirects together. Nothing is sent twice, except an idempotent request that met a closing
        connection. Raises `TargetRefused`, `OutboundTimeout`, `OutboundTooLarge`, `OutboundFailed`; after any but the
        first the other side may have got the request. A header that frames the message (`Host`, `Content-Length`, ...)
        is the client's own: naming it is a ValueError.
        """
        limits = Limits(total=timeout, connect=connect_timeout, max_bytes=max_bytes)
        async with self.stream(method, url, headers, body, limits=limits, allow_redirects=allow_redirects) as answer:
            whole = b"".join([chunk async for chunk in answer.chunks])
            return Reply(answer.status, answer.headers, whole)

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | Headers | None = None,
        body: bytes | None = None,
        *,
        limits: Limits | None = None,
        allow_redirects: bool = False,
        late: Callable[[], bool] | None = None,
    ) -> AsyncGenerator[Answer]:
        """The same, with the body as it comes. Leaving the block before its end closes the connection.

        `late` is asked when the connection stands, right before the body is written: where it says True, nothing of
        the body is sent and OutboundLate is raised.
        """
        limits = limits or Limits()
        pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
        call = Call(method.upper(), url, headers_of([*pairs]), body)
        named = _OURS.intersection(name for name, _ in call.headers)
        if named:
            raise ValueError(f"these headers are the client's own: {', '.join(sorted(named))}")
        with _translated():
            response = await self._send(call, limits, late, allow_redirects=allow_redirects)
        try:
            yield self._answer(response, limits)
        finally:
            # After its last byte the connection is already back in the pool, and this does nothing.
            response.close()

    async def _send(
        self, call: Call, limits: Limits, late: Callable[[], bool] | None, *, allow_redirects: bool
    ) -> aiohttp.ClientResponse:
        started = asyncio.get_running_loop().time()
        for _ in range(rules.MAX_REDIRECTS + 1):
            target = self.guard.admit(call.url)
            response = await self._exchange(call, target, _remaining(limits, started), late)
            location = response.headers.get("Location", "")
            if not allow_redirects or response.status not in _REDIRECTS or not location:
                return response
            response.close()
            following = rules.follow(call, target, response.status, location, self.guard.reach)
            if isinstance(following, Refusal):
                raise self.guard.refused(following, url=call.url, location=location)
            call = following
        refusal = Refusal(Rule.REDIRECT_LIMIT, f"The other side redirects more than {rules.MAX_REDIRECTS} times.")
        raise self.guard.refused(refusal, url=call.url)

    async def _exchange(
        self, call: Call, target: Target, limits: Limits, late: Callable[[], bool] | None
    ) -> aiohttp.ClientResponse:
        body = Timely(call.body, late) if call.body and late is not None else call.body
        try:
            return await self._ask(call, target, limits, body)
        except aiohttp.ClientError:
            if isinstance(body, Timely) and body.held_back:
                raise OutboundLate from None
            raise

    async def _ask(
        self, call: Call, target: Target, limits: Limits, body: bytes | Timely | None
    ) -> aiohttp.ClientResponse:
        url = URL.build(
            scheme=target.scheme,
            host=target.host,
            port=target.port,
            path=target.path,
            query_string=target.query,
            encoded=True,
        )
        return await self._opened().request(
            call.method,
            url,
            headers=[("Accept-Encoding", bodies.ACCEPTED), *call.headers],
            data=body,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(
                total=limits.total, connect=limits.connect, sock_connect=limits.connect, sock_read=limits.idle
            ),
        )

    def _answer(self, response: aiohttp.ClientResponse, limits: Limits) -> Answer:
        encoding = response.headers.get("Content-Encoding", "")
        if (response.content_length or 0) > limits.max_bytes and response.method != "HEAD":
            raise OutboundTooLarge(max_bytes=limits.max_bytes)
        chunks = bodies.plain(response.content.iter_chunked(_CHUNK), encoding, limits.max_bytes)
        # The body is handed on unfolded, so the headers must not say otherwise.
        gone = {"content-encoding", "content-length"} if encoding else set[str]()
        pairs = [(name, value) for name, value in response.headers.items() if name.lower() not in gone]
        return Answer(response.status, headers_of(pairs), _told(chunks))

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=self.guard,
                    use_dns_cache=False,
                    ssl=self._tls or shared_tls(),
                    keepalive_timeout=_KEEP_ALIVE,
                    # Many wait on slow servers at once; how many is each caller's decision, not the pool's.
                    limit=0,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": USER_AGENT},
                skip_auto_headers=_SKIP,
                auto_decompress=False,
                trust_env=False,
            )
        return self._session


@cache
def shared_tls() -> ssl.SSLContext:
    """The process's TLS settings, read once: loading the certificates takes tens of milliseconds."""
    return ssl.create_default_context()


def _remaining(limits: Limits, started: float) -> Limits:
    if limits.total is None:
        return limits
    left = started + limits.total - asyncio.get_running_loop().time()
    if left <= 0:
        raise OutboundTimeout(phase="redirect")
    return replace(limits, total=left)


async def _told(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    with _translated():
        async for chunk in chunks:
            yield chunk


@contextmanager
def _translated() -> Generator[None]:
    """Errors of aiohttp as ours. What they say of addresses stays out: it would tell a tenant where a name leads."""
    try:
        yield
    except aiohttp.ConnectionTimeoutError:
        raise OutboundTimeout("Connecting to the other side took too long.", phase="connect") from None
    except TimeoutError:
        raise OutboundTimeout(phase="answer") from None
    except aiohttp.ClientError as error:
        reason, sentence = next(told for kind, *told in _FAILURES if isinstance(error, kind))
        raise OutboundFailed(sentence, reason=reason) from error


_FAILURES: tuple[tuple[type[Exception], str, str], ...] = (
    (aiohttp.ClientConnectorDNSError, "name", "The host's name does not resolve."),
    (aiohttp.ClientSSLError, "tls", "The other side's TLS is broken or its certificate is not to be trusted."),
    (aiohttp.ClientConnectorError, "connect", "The other side does not accept connections."),
    (aiohttp.ClientOSError, "disconnected", "The other side closed the connection."),
    (aiohttp.ServerDisconnectedError, "disconnected", "The other side closed the connection."),
    (aiohttp.ClientPayloadError, "answer", "The other side's answer is cut short or malformed."),
    (aiohttp.ClientResponseError, "answer", "The other side's answer is not HTTP."),
    (aiohttp.ClientError, "other", "The other side could not be reached."),
)
