"""The process: listens, serves, ends in good order with streams open, and says what keeps it from starting."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from quarterdeck.core.settings import Settings
from quarterdeck.db.faults import DatabaseAway, MigrationsPending, RoleTooPowerful
from quarterdeck.http import border
from quarterdeck.http.streams import EventStream
from quarterdeck.serve.process import PortTaken, Server, bind, serve
from tests.db.serve.conftest import soon


@asynccontextmanager
async def served(app: FastAPI, close):
    """An application on a socket of its own; answers its address and its server."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, lifespan="off", http="httptools", log_config=None, timeout_graceful_shutdown=10)
    server = Server(config, close, signals=False)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", server, task
    finally:
        server.stop()
        await soon(task, 15)


class Stream:
    """An application with one endless stream."""

    def __init__(self, pause: float, size: int = 10, stalled_after: float = 30.0) -> None:
        self.open = 0
        self.closing = asyncio.Event()
        self.app = FastAPI()
        border.install(self.app, max_body=1_000)

        async def source():
            self.open += 1
            try:
                while not self.closing.is_set():
                    yield b":" + b"x" * size + b"\n\n"
                    await asyncio.sleep(pause)
            finally:
                self.open -= 1

        @self.app.get("/stream")
        async def stream() -> EventStream:
            return EventStream(source(), stalled_after)

    async def until_open(self, count: int) -> None:
        async def reached() -> None:
            while self.open != count:
                await asyncio.sleep(0.01)

        await soon(reached())


async def test_a_server_with_open_streams_ends_within_a_second():
    stream = Stream(0.05)
    async with served(stream.app, stream.closing.set) as (address, server, task), httpx.AsyncClient() as client:
        async with client.stream("GET", f"{address}/stream") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert "content-length" not in answer.headers
            await stream.until_open(1)
            began = time.perf_counter()
            server.stop()
            async for _ in answer.aiter_bytes():
                pass
        await soon(task, 3)
        assert time.perf_counter() - began < 1.0
    assert stream.open == 0


async def test_a_client_that_leaves_closes_its_stream():
    stream = Stream(60)
    async with served(stream.app, stream.closing.set) as (address, _, _), httpx.AsyncClient() as client:
        async with client.stream("GET", f"{address}/stream") as answer:
            await anext(answer.aiter_bytes())
            await stream.until_open(1)
        await stream.until_open(0)


async def test_a_client_that_takes_nothing_is_let_go():
    stream = Stream(0.0, size=200_000, stalled_after=0.3)
    async with served(stream.app, stream.closing.set) as (address, _, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]), limit=1_000)
        writer.write(b"GET /stream HTTP/1.1\r\nhost: localhost\r\n\r\n")
        await stream.until_open(1)
        await stream.until_open(0)
        writer.close()
        del reader


async def test_a_body_far_too_large_is_answered_and_not_just_cut_off():
    stream = Stream(1)
    async with served(stream.app, stream.closing.set) as (address, _, _), httpx.AsyncClient() as client:
        answer = await client.post(f"{address}/stream", content=b"x" * 50_000_000)
        assert (answer.status_code, answer.json()["code"]) == (413, "request.too_large")

        async def chunks():
            for _ in range(50):
                yield b"x" * 1_000_000

        answer = await client.post(f"{address}/stream", content=chunks())
        assert answer.status_code in (405, 413)
        assert (await client.get(f"{address}/nowhere")).status_code == 404


def test_a_port_in_use_is_named():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTaken) as refused:
            bind(Settings(port=port))
        assert refused.value.facts["port"] == port


async def start(settings: Settings) -> None:
    with bind(settings.model_copy(update={"port": 0})) as listener:
        await soon(serve(settings, listener, signals=False, started=lambda server: server.stop()), 20)


async def test_what_keeps_it_from_starting_is_an_error_that_says_what_to_do(settings: Settings, empty_url: str):
    await start(settings)
    away = "postgresql://nobody:x@127.0.0.1:1/none"
    with pytest.raises(DatabaseAway):
        await start(settings.model_copy(update={"database_url": away}))
    with pytest.raises(MigrationsPending):
        await start(settings.model_copy(update={"database_url": empty_url}))
    with pytest.raises(RoleTooPowerful):
        await start(settings.model_copy(update={"app_url": settings.database_url}))


async def test_the_process_exits_with_0_on_sigterm(settings: Settings):
    code = (
        "from quarterdeck.core.settings import Settings; from quarterdeck.serve.process import run;"
        "run(Settings(), ready=lambda port: print(port, flush=True))"
    )
    environment = {
        **os.environ,
        "QUARTERDECK_DATABASE_URL": settings.database_url,
        "QUARTERDECK_SECRET_KEY": settings.secret_key.get_secret_value(),
        "QUARTERDECK_PORT": "0",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )
    assert process.stdout is not None
    try:
        port = int(await soon(process.stdout.readline(), 30))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            assert (await client.get("/healthz")).json() == {"status": "ok"}
        began = time.perf_counter()
        process.send_signal(signal.SIGTERM)
        await soon(process.wait(), 10)
        assert process.returncode == 0
        assert time.perf_counter() - began < 2.0
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
