"""The price of a tool call: CPU of the caller and of the server, for each kind of tool, beside the MCP SDK's client."""

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import mcp
import psutil
import uvloop
from mcp.client.stdio import StdioServerParameters
from rich.console import Console
from rich.table import Table

from bench.stage import save
from quarterdeck.releases.records import ToolServer
from tests.toolbox import Bundle, Code, a_grant, a_release, a_request, tools_for

GOAL_CLIENT, GOAL_HOST = 0.3, 0.7
"""Milliseconds of CPU a call to a tool host, caller and host."""
_FAKE = str(Path(__file__).parents[1] / "tests" / "fakes" / "mcp_server.py")

CODE = '''
@tool(effect="read")
def plain(text: str) -> str:
    """Say it again."""
    return text

@tool(effect="read")
async def asynchronous(text: str) -> str:
    """Say it again."""
    return text
'''

Row = dict[str, Any]
Call = Callable[[], Awaitable[object]]


async def _measure(name: str, call: Call, calls: int, side_by_side: int, server: psutil.Process) -> Row:
    async def some() -> None:
        for _ in range(calls // side_by_side):
            await call()

    await call()
    ours, theirs, began = _cpu(psutil.Process()), _cpu(server), time.perf_counter()
    await asyncio.gather(*(some() for _ in range(side_by_side)))
    wall = time.perf_counter() - began
    figures = {
        "client_ms": (_cpu(psutil.Process()) - ours) * 1000 / calls,
        "host_ms": (_cpu(server) - theirs) * 1000 / calls,
        "wall_ms": wall * 1000 / calls,
    }
    return {"what": name, "side_by_side": side_by_side, **{key: round(value, 3) for key, value in figures.items()}}


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


async def _own(folder: Path, calls: int) -> list[Row]:
    """Functions in a tool host."""
    code = Code(CODE)
    async with tools_for(folder, code) as tools:
        rows: list[Row] = []
        for name in ("plain", "asynchronous"):
            for many in (1, 8):
                cancel = asyncio.Event()

                async def call(name: str = name, cancel: asyncio.Event = cancel) -> None:
                    await tools.perform(a_request(code.release, name, text="x"), cancel)

                await call()
                host = psutil.Process(tools.statistics().hosts[0].pid)
                rows.append(await _measure(f"host, {name} function", call, calls, many, host))
        return rows


async def _stdio(folder: Path, calls: int) -> list[Row]:
    """The same server of the SDK's, called by us and by the SDK's own client."""
    server = ToolServer("near", "stdio", command=(sys.executable, _FAKE))
    release = a_release(a_grant("echo", server="near", parameters=await _schema(server)), servers=(server,))
    async with tools_for(folder, Bundle(release, {})) as tools:

        async def ours() -> None:
            await tools.perform(a_request(release, "echo", text="x"))

        await ours()
        host = psutil.Process(tools.statistics().hosts[0].pid)
        rows = [await _measure("stdio server, ours", ours, calls, 1, host)]
    before = set(psutil.Process().children(recursive=True))
    async with mcp.Client(StdioServerParameters(command=sys.executable, args=[_FAKE])) as client:

        async def theirs() -> None:
            await client.call_tool("echo", {"text": "x"})

        (child,) = set(psutil.Process().children()) - before
        rows.append(await _measure("stdio server, MCP SDK's client", theirs, calls, 1, child))
    return rows


async def _schema(server: ToolServer) -> dict[str, Any]:
    from quarterdeck.core.settings import Settings
    from quarterdeck.tools.extract import extractor

    with tempfile.TemporaryDirectory() as folder:
        listed = await extractor(Settings.model_validate({"data_dir": folder}))([server], {})
    return dict(next(tool.parameters for tool in listed[server.name] if tool.name == "echo"))


async def _all(calls: int) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="quarterdeck-bench-") as folder:
        return [*await _own(Path(folder), calls), *await _stdio(Path(folder), calls // 4)]


def main(_: Sequence[str], *, quick: bool = False) -> bool:
    """Measure, print, save. True = a call of a function costs what it may."""
    rows = uvloop.run(_all(400 if quick else 8000))
    table = Table(title="CPU of one tool call, ms", caption=f"goal for hosts: {GOAL_CLIENT} client, {GOAL_HOST} host")
    for column in ("what", "side_by_side", "client_ms", "host_ms", "wall_ms"):
        table.add_column(column.replace("_", " "), justify="left" if column == "what" else "right")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console().print(table)
    save("tools", {"calls": 400 if quick else 8000, "rows": rows})
    return all(
        row["client_ms"] <= GOAL_CLIENT and row["host_ms"] <= GOAL_HOST
        for row in rows
        if row["what"].startswith("host")
    )
