"""The MCP SDK's own client over the guarded transport: it works as before, and it can't be led inside."""

import asyncio
import contextlib
import gzip
import socket
from collections.abc import AsyncIterator, Generator

import httpx2
import pytest
import uvicorn
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.mcpserver import MCPServer

from quarterdeck.net.client import Outbound
from quarterdeck.net.errors import TargetRefused
from quarterdeck.net.records import Limits, Reach
from quarterdeck.net.transport import guarded_client
from tests.db.net.servers import Names, Request, http, serving

DEV = Reach(allow_private=True)


class Quiet(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield  # the test run keeps its own


@contextlib.asynccontextmanager
async def mcp_server() -> AsyncIterator[int]:
    server = MCPServer("for tests")

    @server.tool()
    def add(first: int, second: int) -> int:
        """Add two numbers."""
        return first + second

    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        config = uvicorn.Config(server.streamable_http_app(), log_level="error", lifespan="on", ws="none")
        uvicorn_server = Quiet(config)
        serving_it = asyncio.create_task(uvicorn_server.serve([listening]))
        try:
            yield port
        finally:
            uvicorn_server.should_exit = True
            uvicorn_server.force_exit = True
            await serving_it


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_mcp_client_calls_tools_through_it(mode: str) -> None:
    async with mcp_server() as port, Outbound(DEV) as outbound, guarded_client(outbound) as http_client:
        transport = streamable_http_client(f"http://127.0.0.1:{port}/mcp", http_client=http_client)
        async with Client(transport, mode=mode) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == ["add"]
            results = await asyncio.gather(*(client.call_tool("add", {"first": n, "second": 1}) for n in range(20)))
            assert [result.structured_content for result in results] == [{"result": n + 1} for n in range(20)]


async def test_an_mcp_server_that_stands_inside_is_refused() -> None:
    async with mcp_server() as port, guarded_client(Outbound()) as http_client:
        transport = streamable_http_client(f"http://127.0.0.1:{port}/mcp", http_client=http_client)
        with pytest.raises(BaseException) as failed:
            async with Client(transport) as client:
                await client.list_tools()
        assert refusals(failed.value)


def refusals(error: BaseException) -> list[TargetRefused]:
    parts = error.exceptions if isinstance(error, BaseExceptionGroup) else [error.__cause__, error.__context__]
    below = [refusal for part in parts if part is not None for refusal in refusals(part)]
    return [error, *below] if isinstance(error, TargetRefused) else below


async def test_a_redirect_that_the_client_follows_is_judged_again() -> None:
    names = Names(out_example=[["127.0.0.1"]])
    async with serving(http(302, Location="http://169.254.169.254/")) as server:
        reach = Reach(allowed=frozenset({f"out.example:{server.port}"}))
        async with Outbound(reach, look_up=names) as outbound, guarded_client(outbound) as client:
            url = f"http://out.example:{server.port}/"
            assert (await client.get(url)).status_code == 302
            with pytest.raises(TargetRefused):
                await client.get(url, follow_redirects=True)


async def test_request_and_answer_pass_unchanged() -> None:
    body = b"folded" * 1000
    answer = http(201, gzip.compress(body), Content_Encoding="gzip", X_Twice="a", x_twice="b")
    async with serving(answer) as server, Outbound(DEV) as outbound, guarded_client(outbound) as client:
        response = await client.post(server.origin + "/p?q=1", json={"a": 1}, headers={"Authorization": "Bearer s"})
    assert (response.status_code, response.content) == (201, body)
    assert response.headers.get_list("x-twice") == ["a", "b"]
    request = server.requests[0]
    assert (request.line, request.body) == ("POST /p?q=1 HTTP/1.1", b'{"a":1}')
    assert request.headers["authorization"] == "Bearer s"
    assert request.headers["content-type"] == "application/json"


async def test_failures_are_those_that_the_sdk_knows() -> None:
    async def silent(_: Request, __: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    async with Outbound(DEV, look_up=Names()) as outbound:
        async with serving(silent) as server, guarded_client(outbound, timeout=httpx2.Timeout(0.2)) as client:
            with pytest.raises(httpx2.ReadTimeout):
                await client.get(server.origin)
        async with guarded_client(outbound) as client:
            with pytest.raises(httpx2.ConnectError):
                await client.get("http://nowhere.example/")


@pytest.mark.parametrize("bomb", [False, True])
async def test_an_answer_beyond_the_limit_ends_as_a_protocol_error(bomb: bool) -> None:
    large = http(body=gzip.compress(bytes(10_000_000)), Content_Encoding="gzip") if bomb else http(body=bytes(200_000))
    limits = Limits(max_bytes=100_000)
    async with (
        serving(large) as server,
        Outbound(DEV) as outbound,
        guarded_client(outbound, limits=limits) as client,
    ):
        with pytest.raises(httpx2.RemoteProtocolError):
            await client.get(server.origin)


async def test_a_cancelled_call_closes_its_connection() -> None:
    left = asyncio.Event()

    async def stream(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\nContent-Type: text/event-stream\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b": still here\n\n")
                await writer.drain()
                await asyncio.sleep(0.01)
        left.set()

    async with serving(stream) as server, Outbound(DEV) as outbound, guarded_client(outbound) as client:
        call = asyncio.create_task(client.get(server.origin))
        await asyncio.sleep(0.1)
        call.cancel()
        async with asyncio.timeout(5):
            await left.wait()
