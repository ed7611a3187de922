"""Tools that do what a test says, counting every effect, in place of tool hosts."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from quarterdeck.releases.records import Release
from quarterdeck.runs.messages import Text
from quarterdeck.tools.records import Answered, Progress, Statistics, ToolOutcome, ToolRequest

Tool = Callable[[ToolRequest, asyncio.Event | None], Awaitable[ToolOutcome]]


def answered(text: str = "ok", *, is_error: bool = False) -> Answered:
    return Answered((Text(text),), None, is_error, 1, len(text), False)


@dataclass
class Bench:
    """A `Toolbox`. A tool that no test has defined answers `ok`."""

    tools: dict[str, Tool] = field(default_factory=dict)
    requests: list[ToolRequest] = field(default_factory=list)
    keys: Counter[str] = field(default_factory=Counter)

    async def prepare(self, release: Release) -> None:
        """Nothing to prepare."""

    async def perform(
        self, request: ToolRequest, cancel: asyncio.Event | None = None, progress: Progress | None = None
    ) -> ToolOutcome:
        self.requests.append(request)
        self.keys[request.key] += 1
        tool = self.tools.get(request.grant.name)
        return await tool(request, cancel) if tool else answered()

    def statistics(self) -> Statistics:
        return Statistics((), {}, 0, {})

    async def close(self) -> None:
        """Nothing to close."""

    def calls_of(self, tool: str) -> int:
        return sum(request.grant.name == tool for request in self.requests)
