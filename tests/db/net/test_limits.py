"""An answer costs no more time and memory than its call allows, whatever the other side does."""

import asyncio
import gzip
import tracemalloc
import zlib

import pytest

from quarterdeck.net.client import Outbound
from quarterdeck.net.errors import OutboundFailed, OutboundTimeout, OutboundTooLarge
from quarterdeck.net.records import Limits, Reach
from tests.db.net.servers import Request, http, serving

DEV = Reach(allow_private=True)


async def test_a_server_that_says_nothing_is_given_up() -> None:
    async def silent(_: Request, __: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    async with serving(silent) as server, Outbound(DEV) as outbound:
        with pytest.raises(OutboundTimeout):
            await outbound.request("POST", server.origin, body=b"x", timeout=0.2)


@pytest.mark.parametrize("part", ["headers", "body"])
async def test_a_server_that_dribbles_is_given_up_in_time(part: str) -> None:
    async def dribble(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\n" + (b"Content-Length: 1000\r\n\r\n" if part == "body" else b"X: "))
        for _pause in range(500):
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with serving(dribble) as server, Outbound(DEV) as outbound:
        started = asyncio.get_running_loop().time()
        with pytest.raises(OutboundTimeout):
            await outbound.request("GET", server.origin, timeout=0.4)
        assert asyncio.get_running_loop().time() - started < 2


async def test_a_stream_without_a_total_is_given_up_when_it_falls_silent() -> None:
    async def pause(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\n\r\nfirst")
        await writer.drain()
        await asyncio.sleep(30)

    async with serving(pause) as server, Outbound(DEV) as outbound:
        limits = Limits(total=None, idle=0.2)
        async with outbound.stream("GET", server.origin, limits=limits) as answer:
            assert await anext(answer.chunks) == b"first"
            with pytest.raises(OutboundTimeout):
                await anext(answer.chunks)


async def test_an_endless_body_is_cut_at_the_limit() -> None:
    sent = 0

    async def endless(_: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 X\r\n\r\n")
        while True:
            writer.write(b"a" * 65536)
            await writer.drain()
            sent += 65536

    async with serving(endless) as server, Outbound(DEV) as outbound:
        with pytest.raises(OutboundTooLarge) as large:
            await outbound.request("GET", server.origin, max_bytes=200_000)
        assert large.value.facts["max_bytes"] == 200_000
        await asyncio.sleep(0.1)
        assert sent < 20_000_000


async def test_a_body_that_announces_more_than_the_limit_is_not_read() -> None:
    async with serving(b"HTTP/1.1 200 X\r\nContent-Length: 1000000\r\n\r\n") as server, Outbound(DEV) as outbound:
        with pytest.raises(OutboundTooLarge):
            await outbound.request("GET", server.origin, max_bytes=1000, timeout=5)


async def test_a_body_of_exactly_the_limit_passes() -> None:
    async with serving(http(body=b"a" * 1000)) as server, Outbound(DEV) as outbound:
        assert len((await outbound.request("GET", server.origin, max_bytes=1000)).body) == 1000
        with pytest.raises(OutboundTooLarge):
            await outbound.request("GET", server.origin, max_bytes=999)


async def test_a_gzip_bomb_is_cut_at_the_limit_and_not_held_in_memory() -> None:
    bomb = gzip.compress(bytes(200 * 1024 * 1024), compresslevel=9)
    async with serving(http(body=bomb, Content_Encoding="gzip")) as server, Outbound(DEV) as outbound:
        tracemalloc.start()
        try:
            with pytest.raises(OutboundTooLarge):
                await outbound.request("GET", server.origin, max_bytes=1024 * 1024)
            assert tracemalloc.get_traced_memory()[1] < 8 * 1024 * 1024
        finally:
            tracemalloc.stop()


async def test_a_gzipped_body_arrives_unfolded() -> None:
    body = b"quarter" * 50_000
    async with serving(http(body=gzip.compress(body), Content_Encoding="gzip")) as server, Outbound(DEV) as outbound:
        reply = await outbound.request("GET", server.origin)
    assert reply.body == body
    assert reply.header("content-encoding") is None


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"not gzip at all", "gzip"),
        (gzip.compress(b"cut short" * 100, mtime=0)[:-9], "gzip"),
        (gzip.compress(b"one", mtime=0) + gzip.compress(b"two", mtime=0), "gzip"),
        (zlib.compress(b"deflated"), "deflate"),
        (gzip.compress(gzip.compress(b"twice", mtime=0), mtime=0), "gzip, gzip"),
        (b"x", "br"),
    ],
)
async def test_an_encoding_that_was_not_asked_for_or_is_broken_is_refused(body: bytes, encoding: str) -> None:
    async with serving(http(body=body, Content_Encoding=encoding)) as server, Outbound(DEV) as outbound:
        with pytest.raises(OutboundFailed) as failed:
            await outbound.request("GET", server.origin)
        assert failed.value.facts["reason"] == "encoding"
