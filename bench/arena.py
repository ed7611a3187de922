"""The product's tool gate before AgentDojo's tools, with nothing else in the way, and AgentDojo as the judge."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from bench.dojo import Dojo
from bench.sessions import Kind, Person, Played, Player, Script, release_of
from bench.worlds import Worlds
from quarterdeck.core.clock import SystemClock
from quarterdeck.core.ids import RunId, TenantId
from quarterdeck.core.settings import Settings
from quarterdeck.gates.provenance import Provenance
from quarterdeck.gates.tool import ToolGate
from quarterdeck.releases.records import Release, ToolSchema, ToolServer
from quarterdeck.tools.extract import extractor
from quarterdeck.tools.service import Tools
from tests.fakes.standing import a_tool_gate

ANNOTATIONS = Path(__file__).parent / "annotations.yaml"
AT_A_TIME = 8


@dataclass
class Arena:
    """The gate, the tools behind it, and who judges."""

    gate: ToolGate
    dojo: Dojo
    worlds: Worlds
    schemas: Sequence[ToolSchema]
    marks: Mapping[str, Mapping[str, Any]]

    def player(self, autonomy: str, rules: type[Provenance] = Provenance) -> Player:
        """Plays sessions at one level of autonomy."""
        return Player(self.gate, self.worlds, {suite: self.release(suite, autonomy) for suite in self.marks}, rules)

    def release(self, suite: str, autonomy: str) -> Release:
        """The suite's tools as annotated."""
        return release_of(suite, self.dojo.url, self.schemas, self.marks[suite], autonomy)


@asynccontextmanager
async def opened(dojo: Dojo) -> AsyncIterator[Arena]:
    """The arena around a running AgentDojo."""
    settings = Settings.model_validate({"allowed_targets": dojo.target, "log_level": "error"})
    blobs: dict[str, bytes] = {}

    async def keep(_tenant: TenantId, _run: RunId, data: bytes) -> str:
        blobs[key := f"{len(blobs):x}"] = data
        return key

    async def files(_release: Release) -> Mapping[str, bytes]:
        return {}

    clock = SystemClock()
    tools = Tools(settings, clock, files=files, keep=keep)
    server = ToolServer("agentdojo", "http", url=dojo.url)
    try:
        schemas = (await extractor(settings)([server], {}))["agentdojo"]
        gate = a_tool_gate(tools, keep, clock)
        yield Arena(gate, dojo, Worlds(gate, dojo, blobs), schemas, YAML(typ="safe").load(ANNOTATIONS))
    finally:
        await tools.close()


async def play_all(
    player: Player, sessions: Sequence[tuple[Script, Kind]], person: Person, tick: Callable[[], None]
) -> list[Played]:
    """All sessions, some at a time."""
    left, done = list(reversed(sessions)), list[Played]()

    async def one_after_another() -> None:
        while left:
            script, kind = left.pop()
            done.append(await player.play(script, kind, person))
            tick()

    await asyncio.gather(*(one_after_another() for _ in range(AT_A_TIME)))
    return sorted(done, key=lambda one: (one.script.conversation, one.kind))
