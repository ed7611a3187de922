"""A tool server of somebody else: MCP by the SDK, over stdio or streamable HTTP. For tests and for benches.

python -m tests.fakes.mcp_server                      stdio
python -m tests.fakes.mcp_server --http 8000          http://127.0.0.1:8000/mcp
python -m tests.fakes.mcp_server --effects FILE       `record` adds a line to FILE for every effect
"""

import argparse
import asyncio
import base64
import os
import random
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp_types import CallToolResult, ImageContent, ResourceLink, TextContent

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def build(effects: Path | None = None, delay: float = 0.0) -> MCPServer[Any]:  # noqa: C901  # a list of tools
    """The server with its tools. `record` writes `key<TAB>what` to `effects`, which is what a count of them reads."""
    server: MCPServer[Any] = MCPServer("fake", log_level="ERROR")

    @server.tool(structured_output=False)
    def echo(text: str) -> str:
        """Say it again."""
        return text

    @server.tool()
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    @server.tool(structured_output=False)
    async def sleep(seconds: float) -> str:
        """Answer late."""
        await asyncio.sleep(seconds)
        return f"slept {seconds:g} s"

    @server.tool(structured_output=False)
    def big(size: int) -> str:
        """Answer with this many characters."""
        return "x" * size

    @server.tool(structured_output=False)
    def fail(message: str) -> str:
        """Raise."""
        raise ValueError(message)

    @server.tool(structured_output=False)
    def picture() -> CallToolResult:
        """Answer with text, an image and a link."""
        return CallToolResult(
            content=[
                TextContent(type="text", text="A pixel:"),
                ImageContent(type="image", data=base64.b64encode(PIXEL).decode(), mime_type="image/png"),
                ResourceLink(type="resource_link", name="manual", uri="file:///manual.txt"),
            ]
        )

    @server.tool(structured_output=False)
    async def steps(count: int, context: Context) -> str:
        """Tell of progress, step by step."""
        for step in range(count):
            await context.report_progress(step + 1, count, f"step {step + 1}")
        return "done"

    @server.tool(structured_output=False)
    def meta(context: Context) -> str:
        """What the caller said beside the arguments."""
        known = dict(context.request_context.meta or {})
        return "\n".join(f"{key}={known[key]}" for key in sorted(known) if key.startswith("quarterdeck/"))

    @server.tool(structured_output=False)
    async def record(what: str, context: Context) -> str:
        """Have an effect that can be counted."""
        await asyncio.sleep(delay * random.random())
        key = dict(context.request_context.meta or {}).get("quarterdeck/key", "")
        if effects is not None:
            with effects.open("a") as lines:
                lines.write(f"{key}\t{what}\n")
                lines.flush()
                os.fsync(lines.fileno())
        await asyncio.sleep(delay * random.random())
        return "recorded"

    # The same effect under a second name, so that an agent can declare it otherwise.
    server.add_tool(record, name="record_keyed", structured_output=False)
    return server


@asynccontextmanager
async def serving(server: MCPServer[Any], *, port: int = 0, **options: Any):
    """The server over streamable HTTP in this very loop; yields its URL."""
    app = server.streamable_http_app(**options)
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", timeout_graceful_shutdown=1)
    running = uvicorn.Server(config)
    task = asyncio.create_task(running.serve())
    try:
        while not running.started:
            await asyncio.sleep(0.01)
        bound = running.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{bound}/mcp"
    finally:
        running.should_exit = True
        await task


async def _serve_http(server: MCPServer[Any], port: int) -> None:
    async with serving(server, port=port) as url:
        print(url, flush=True)
        await asyncio.Event().wait()


def main() -> None:
    """Serve until the input ends, or for ever over HTTP."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--http", type=int)
    parser.add_argument("--effects", type=Path)
    parser.add_argument("--delay", type=float, default=0.0, help="at most so many seconds before and after an effect")
    chosen = parser.parse_args()
    server = build(chosen.effects, chosen.delay)
    if chosen.http is None:
        server.run("stdio")
    else:
        asyncio.run(_serve_http(server, chosen.http))


if __name__ == "__main__":
    main()
