"""A provider of models that speaks the wires of OpenAI (chat completions and responses), Anthropic and Gemini.

It answers from a plan, turn by turn, streamed or whole as it is asked, and can do everything that real ones do wrong.
For benches: `FakeProvider(plan=lambda asked: Says("done", latency=0.2))`, or `python -m tests.fakes.provider`.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.fakes.turns import Call, Drops, Fails, Hangs, Says, Sends, Turn
from tests.fakes.wires import Chat, Gemini, Messages, Responses, Wire

__all__ = ["Asked", "Call", "Drops", "Fails", "FakeProvider", "Hangs", "Says", "Sends", "Turn", "fake_provider"]


@dataclass
class Asked:
    """One request as it came. `left` becomes true when the client went away before it was answered."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    streamed: bool
    left: bool = False


class FakeProvider:
    """Turns are taken from `turns` in order, the last one for ever; or `plan` decides from the request."""

    def __init__(self, *turns: Turn, plan: Callable[[Asked], Turn] | None = None) -> None:
        self.turns: Sequence[Turn] = turns or [Says("hello")]
        self.plan = plan
        self.asked: list[Asked] = []
        self.most_at_once = 0
        self.url = ""
        self._at_once = 0
        self._runner: web.AppRunner | None = None

    async def start(self, port: int = 0) -> "FakeProvider":
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_post("/v1/chat/completions", self._serve(Chat))
        app.router.add_post("/v1/responses", self._serve(Responses))
        app.router.add_post("/v1/messages", self._serve(Messages))
        app.router.add_post("/v1beta/models/{call}", self._serve(Gemini))
        self._runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        assert site._server is not None
        self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # pyright: ignore[reportAttributeAccessIssue]
        return self

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def _serve(self, wire: type[Wire]) -> Callable[[web.Request], Any]:
        async def serve(request: web.Request) -> web.StreamResponse:
            body = await request.json()
            asked = Asked(request.path_qs, dict(request.headers), body, wire.is_streamed(request, body))
            self.asked.append(asked)
            turn = self.plan(asked) if self.plan else self.turns[min(len(self.asked), len(self.turns)) - 1]
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            try:
                return await _perform(turn, wire(request, body), request, asked)
            except (asyncio.CancelledError, ConnectionError):
                asked.left = True
                raise
            finally:
                self._at_once -= 1

        return serve


@asynccontextmanager
async def fake_provider(*turns: Turn, plan: Callable[[Asked], Turn] | None = None) -> AsyncIterator[FakeProvider]:
    """A running one."""
    provider = await FakeProvider(*turns, plan=plan).start()
    try:
        yield provider
    finally:
        await provider.close()


async def _perform(turn: Turn, wire: Wire, request: web.Request, asked: Asked) -> web.StreamResponse:
    match turn:
        case Says():
            await asyncio.sleep(turn.latency)
            if asked.streamed:
                return await _stream(turn, wire, request, asked)
            return web.json_response(wire.whole(turn), headers=turn.headers)
        case Fails():
            body = wire.error(turn) if turn.body is None else turn.body
            return web.json_response(body, status=turn.status, headers=turn.headers)
        case Sends():
            headers = {"content-type": turn.content_type, **turn.headers}
            return web.Response(body=turn.body, status=turn.status, headers=headers)
        case Hangs():
            await _until_gone(request, asked)
            raise ConnectionResetError
        case Drops():
            assert request.transport is not None
            request.transport.abort()
            raise ConnectionResetError


async def _stream(turn: Says, wire: Wire, request: web.Request, asked: Asked) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/event-stream", **turn.headers})
    await response.prepare(request)
    events = list(wire.events(turn))
    if turn.end_early:
        events = events[: wire.before_the_end(events)]
    for index, event in enumerate(events):
        if turn.cut_after == index:
            assert request.transport is not None
            request.transport.abort()
            raise ConnectionResetError
        if turn.hang_after == index:
            await _until_gone(request, asked)
            raise ConnectionResetError
        try:
            await response.write(event)
        except ConnectionError:
            asked.left = True
            raise
        await asyncio.sleep(turn.between)
        if request.transport is None or request.transport.is_closing():
            asked.left = True
            raise ConnectionResetError
    await response.write_eof()
    return response


async def _until_gone(request: web.Request, asked: Asked) -> None:
    for _ in range(3000):
        await asyncio.sleep(0.02)
        if request.transport is None or request.transport.is_closing():
            asked.left = True
            return


async def _main(port: int, latency: float, text: str) -> None:
    provider = await FakeProvider(Says(text, latency=latency)).start(port)
    print(provider.url, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A fake provider with a fixed latency, for benches.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.2)
    parser.add_argument("--text", default="Done.")
    options = parser.parse_args()
    asyncio.run(_main(options.port, options.latency, options.text))
