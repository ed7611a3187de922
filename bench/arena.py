"""The product's tool gate before AgentDojo's tools, with nothing else in the way, and AgentDojo as the judge."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from bench.dojo import Dojo
from bench.sessions import Kind, Person, Played, Player, Script, release_of
from bench.worlds import Worlds
from quarterdeck.core.clock import SystemClock
from quarterdeck.core.ids import RunId, TenantId, uuid7
from quarterdeck.core.settings import Settings
from quarterdeck.gates.gathering import Live, lowest
from quarterdeck.gates.provenance import Provenance
from quarterdeck.gates.sending import Sending
from quarterdeck.gates.tool import ToolGate
from quarterdeck.policies.records import PolicyText
from quarterdeck.rates.circuits import Circuits
from quarterdeck.rates.records import Declared, Place, PlaceOrLater, PlaceWant, RateWant, Subject, Taken, TakenOrLater
from quarterdeck.releases.records import Release, ToolSchema, ToolServer
from quarterdeck.switches.records import CLEAR, Standing
from quarterdeck.tools.extract import extractor
from quarterdeck.tools.service import Tools

ANNOTATIONS = Path(__file__).parent / "annotations.yaml"
AT_A_TIME = 8


class Calm:
    """Nothing else stands in the way: no switch, no tenant's policy, no rate."""

    def standing(
        self,
        tenant: TenantId,
        agent: str,
        *,
        tool: str | None = None,
        server: str | None = None,
        background: bool = False,
    ) -> Standing:
        """No switch."""
        return CLEAR

    def tenant(self, tenant: TenantId) -> Sequence[PolicyText]:
        """No policy."""
        return ()

    def digest(self, tenant: TenantId) -> str:
        """Always the same."""
        return "none"

    def level(self, tenant: TenantId, agent: str, tool: str, ceiling: str) -> str:
        """The release's."""
        return lowest(ceiling)

    def wants(self, tenant: TenantId, subject: Subject, declared: Sequence[Declared]) -> tuple[RateWant, ...]:
        """No rate."""
        return ()

    async def take(self, tenant: TenantId, wants: Sequence[RateWant], *, waited: float = 0.0) -> TakenOrLater:
        """At once."""
        return Taken()

    def places(self, tenant: TenantId, subject: Subject, concurrency: int) -> tuple[PlaceWant, ...]:
        """No limit."""
        return ()

    async def enter(
        self, tenant: TenantId, wants: Sequence[PlaceWant], seconds: float, *, waited: float = 0.0
    ) -> PlaceOrLater:
        """At once."""
        return Place(tenant, uuid7(), ())

    async def leave(self, place: Place) -> None:
        """Nothing to give up."""

    async def count(self, tenant: TenantId, user: str, tool: str, since: datetime) -> int:
        """None."""
        return 0


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

    clock, calm = SystemClock(), Calm()
    tools = Tools(settings, clock, files=files, keep=keep)
    server = ToolServer("agentdojo", "http", url=dojo.url)
    try:
        schemas = (await extractor(settings)([server], {}))["agentdojo"]
        circuits = Circuits(clock)
        sending = Sending(tools, keep, clock, circuits)
        gate = ToolGate(sending, Live(calm, calm, calm, calm.count), calm, circuits, clock)
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
