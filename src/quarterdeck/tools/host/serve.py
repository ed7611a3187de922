"""The tool host's MCP server: reads requests from its input, a line each, and lets calls run side by side."""

import asyncio
import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import msgspec

from quarterdeck.tools.host import messages
from quarterdeck.tools.host.calls import Calls, CallTask
from quarterdeck.tools.host.functions import FunctionTool

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def take_pipes() -> tuple[int, int]:
    """Move the protocol's pipes out of reach: what tools and their children print goes to standard error.

    A forked copy of this process loses the pipes at once, so that it can neither read nor answer in its parent's place.
    """
    source, sink = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    sys.stdout = open(1, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115  # for good

    def let_go() -> None:
        os.dup2(nothing, source)
        os.dup2(nothing, sink)

    os.register_at_fork(after_in_child=let_go)
    return source, sink


class Server:
    """Serves the tools until its input ends."""

    def __init__(self, tools: Mapping[str, FunctionTool], source: int, sink: int, scratch: Path) -> None:
        self._tools = tools
        self._source, self._sink = source, sink
        self._scratch = scratch
        self._writing = threading.Lock()
        self._listing = {"tools": [listed(name, tool) for name, tool in tools.items()]}
        self._loop = asyncio.new_event_loop() if any(tool.asynchronous for tool in tools.values()) else None
        self._calls = Calls(self._write, self._loop)

    def run(self) -> None:
        """Read in the main thread; where there are asynchronous tools, those have it and reading has another."""
        if self._loop is None:
            self._read()
            return
        threading.Thread(target=self._read_beside, args=(self._loop,), name="protocol", daemon=True).start()
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _read_beside(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            self._read()
        finally:
            loop.call_soon_threadsafe(loop.stop)

    def _read(self) -> None:
        with os.fdopen(self._source, "rb", buffering=256 * 1024, closefd=False) as source:
            for line in source:
                if not line.isspace():
                    self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            message = messages.read_incoming(line)
        except _UNREADABLE as fault:
            sys.stderr.write(f"tool host: an unreadable request: {fault}\n")
            return
        if message.id is None:
            if message.method == "notifications/cancelled":
                self._calls.cancel(messages.read_cancel(message.params).request_id)
            return
        try:
            answer = self._respond(message.id, message)
        except _UNREADABLE as fault:
            answer = messages.error(message.id, messages.INVALID_PARAMS, str(fault))
        if answer is not None:
            self._write(answer)

    def _respond(self, id_: int | str, message: messages.Incoming) -> bytes | None:
        match message.method:
            case "tools/call":
                return self._call(id_, messages.read_call(message.params))
            case "tools/list":
                body = {**self._listing, "resultType": "complete", "ttlMs": 3_600_000, "cacheScope": "private"}
                return messages.result(id_, body)
            case "server/discover":
                return messages.result(id_, messages.discovered())
            case "initialize":
                return messages.result(id_, messages.initialized(messages.read_initialize(message.params).version))
            case "ping":
                return messages.result(id_, {})
            case method:
                return messages.error(id_, messages.METHOD_NOT_FOUND, f"This server does not know {method[:80]!r}.")

    def _call(self, id_: int | str, asked: messages.CallParams) -> bytes | None:
        tool = self._tools.get(asked.name)
        if tool is None:
            return messages.error(id_, messages.INVALID_PARAMS, f"There is no tool called {asked.name[:80]!r}.")
        self._calls.begin(CallTask(id_, tool, asked, self._scratch))
        return None

    def _write(self, line: bytes) -> None:
        rest = memoryview(line + b"\n")
        with self._writing:
            while rest:
                rest = rest[os.write(self._sink, rest) :]


def listed(name: str, tool: FunctionTool) -> dict[str, object]:
    """A tool as `tools/list` shows it; the author's marks ride along for the release's builder."""
    shown: dict[str, object] = {"name": name, "description": tool.description, "inputSchema": tool.parameters}
    if tool.output_schema is not None:
        shown["outputSchema"] = tool.output_schema
    marks = tool.declared()
    if marks:
        shown["_meta"] = {"quarterdeck/marks": marks}
    return shown
