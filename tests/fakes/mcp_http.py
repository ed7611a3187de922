"""A remote tool server that does everything wrong on demand, in the older revision with sessions or the newer without.

`replies` are taken one by one, each for one `tools/call`; when there are none left the call is answered well.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from aiohttp import web

Reply = Callable[["Asked"], Awaitable[web.StreamResponse]]
TOOLS = [{"name": "act", "description": "Act.", "inputSchema": {"type": "object"}}]


@dataclass
class Asked:
    """One request as the server got it."""

    http: web.Request
    body: dict[str, Any]

    @property
    def id(self) -> int:
        return self.body["id"]

    @property
    def headers(self) -> Mapping[str, str]:
        return self.http.headers


def well(text: str = "done", **more: Any) -> dict[str, Any]:
    """A tool's answer."""
    return {"content": [{"type": "text", "text": text}], "resultType": "complete", **more}


def answer(asked: Asked, result: Any) -> web.Response:
    """The JSON form of a result."""
    return web.json_response({"jsonrpc": "2.0", "id": asked.id, "result": result})


def status(code: int, body: str = "", **headers: str) -> Reply:
    """An HTTP error; underscores in the headers' names are hyphens."""

    async def reply(_: Asked) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=code, text=body, headers=named)

    return reply


def rpc_error(code: int, message: str, http: int = 200) -> Reply:
    """A JSON-RPC error."""

    async def reply(asked: Asked) -> web.StreamResponse:
        error = {"code": code, "message": message}
        return web.json_response({"jsonrpc": "2.0", "id": asked.id, "error": error}, status=http)

    return reply


def raw(body: bytes, content_type: str = "application/json") -> Reply:
    """Any bytes."""

    async def reply(_: Asked) -> web.StreamResponse:
        return web.Response(body=body, content_type=content_type)

    return reply


def events(*lines: str | dict[str, Any], end: bool = True) -> Reply:
    """A stream of events, each text as it is or an object as its data; cut off in the middle unless it ends."""

    async def reply(asked: Asked) -> web.StreamResponse:
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await stream.prepare(asked.http)
        for line in lines:
            if isinstance(line, dict):
                line = f"event: message\ndata: {json.dumps(line)}\n\n"
            await stream.write(line.replace('"ID"', str(asked.id)).encode())
        if not end:
            assert asked.http.transport is not None
            asked.http.transport.abort()
        return stream

    return reply


async def cut(asked: Asked) -> web.StreamResponse:
    """Close the connection instead of answering."""
    assert asked.http.transport is not None
    asked.http.transport.abort()
    return web.Response()


async def silence(_: Asked) -> web.StreamResponse:
    """Never answer."""
    await asyncio.sleep(3600)
    return web.Response()


@dataclass
class FakeHttp:
    """The server. `stateless` = the newer revision; else sessions, of which `forget` drops all."""

    stateless: bool = True
    replies: list[Reply] = field(default_factory=list)
    tools: list[dict[str, Any]] = field(default_factory=lambda: list(TOOLS))
    calls: list[Asked] = field(default_factory=list)
    notified: list[dict[str, Any]] = field(default_factory=list)
    resumed: list[Reply] = field(default_factory=list)
    sessions: set[str] = field(default_factory=set)
    abandoned: int = 0
    url: str = ""

    async def __aenter__(self) -> "FakeHttp":
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_post("/mcp", self._post)
        app.router.add_get("/mcp", self._get)
        app.router.add_delete("/mcp", self._delete)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/mcp"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def forget(self) -> None:
        self.sessions.clear()

    async def _post(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        if "id" not in body or "method" not in body:
            self.notified.append(body)
            return web.Response(status=202)
        asked = Asked(request, body)
        match body["method"]:
            case "server/discover" if self.stateless:
                return answer(
                    asked, {"supportedVersions": ["2026-07-28"], "capabilities": {}, "resultType": "complete"}
                )
            case "initialize" if not self.stateless:
                return self._begin(asked)
            case _ if not self.stateless and request.headers.get("mcp-session-id") not in self.sessions:
                return web.Response(status=404 if request.headers.get("mcp-session-id") else 400)
            case "tools/list":
                return answer(asked, {"tools": self.tools, "resultType": "complete"})
            case "tools/call":
                return await self._call(asked)
            case _:
                return await rpc_error(-32601, "unknown method", 404)(asked)

    def _begin(self, asked: Asked) -> web.Response:
        session = uuid4().hex
        self.sessions.add(session)
        response = answer(asked, {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "f"}})
        response.headers["Mcp-Session-Id"] = session
        return response

    async def _call(self, asked: Asked) -> web.StreamResponse:
        self.calls.append(asked)
        if not self.replies:
            return answer(asked, well())
        try:
            return await self.replies.pop(0)(asked)
        except asyncio.CancelledError:
            self.abandoned += 1
            raise

    async def _get(self, request: web.Request) -> web.StreamResponse:
        if not self.resumed:
            return web.Response(status=405)
        return await self.resumed.pop(0)(Asked(request, {"id": self.calls[-1].id}))

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        self.sessions.discard(request.headers.get("mcp-session-id", ""))
        return web.Response()
