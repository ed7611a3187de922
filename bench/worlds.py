"""What sessions did to their environments: carried out over MCP once, remembered for sessions that do the same.

AgentDojo's environments depend on nothing but the calls that were made in them, so sessions that differ in who asks, at
which level or by which rules share what they have in common. Deciding is never shared.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bench.dojo import Dojo
from quarterdeck.core.ids import RunId, uuid7
from quarterdeck.core.json import encode_text
from quarterdeck.gates.intents import Intent, ToolFacts
from quarterdeck.gates.tool import ToolGate
from quarterdeck.releases.records import Release
from quarterdeck.runs.events import ToolAnswered
from quarterdeck.runs.messages import Stored, Text, ToolMessage

_WITHIN = 30.0
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Sent:
    """A call that the gate let through."""

    release: Release
    intent: Intent
    facts: ToolFacts


@dataclass
class World:
    """One session's environment. `run` names it at the tool server, which has seen the first `seen` of its calls."""

    conversation: str
    run: RunId = field(default_factory=lambda: RunId(uuid7()))
    made: tuple[str, ...] = ()
    calls: list[Sent] = field(default_factory=list[Sent])
    seen: int = 0


class Worlds:
    """All environments behind one gate."""

    def __init__(self, gate: ToolGate, dojo: Dojo, blobs: Mapping[str, bytes]) -> None:
        self._gate = gate
        self._dojo = dojo
        self._blobs = blobs
        self._results: dict[tuple[str, tuple[str, ...]], ToolMessage] = {}
        self._verdicts: dict[tuple[str, tuple[str, ...], str], Mapping[str, bool]] = {}

    async def perform(self, world: World, sent: Sent) -> ToolMessage:
        """Carry a call out. Raises TimeoutError when the tool can not be reached."""
        intent = sent.intent
        world.made = (*world.made, encode_text([intent.grant.name, intent.arguments]))
        world.calls.append(sent)
        key = (world.conversation, world.made)
        if key not in self._results:
            await self._catch_up(world)
        known = self._results[key]
        return ToolMessage(intent.call, intent.grant.name, known.content, known.is_error, known.label)

    async def judge(self, world: World, text: str) -> Mapping[str, bool]:
        """AgentDojo's verdicts on what was done, with these last words; the environment is gone afterwards."""
        key = (world.conversation, world.made, text)
        if key not in self._verdicts:
            trace = [{"tool": one.intent.grant.name, "arguments": one.intent.arguments} for one in world.calls]
            await self._catch_up(world)
            judged = await asyncio.to_thread(self._dojo.judge, str(world.run), world.conversation, trace, text)
            self._verdicts[key] = judged["now"]
        return self._verdicts[key]

    async def _catch_up(self, world: World) -> None:
        """Send what the tool server has not seen of it; in an environment of its own again, if it did not answer."""
        for _ in range(_TRIES):
            while world.seen < len(world.calls):
                message = await self._send(world, world.calls[world.seen])
                if message is None:
                    break
                self._results[(world.conversation, world.made[: world.seen + 1])] = message
                world.seen += 1
            else:
                return
            world.run, world.seen = RunId(uuid7()), 0
        raise TimeoutError(f"the tools of {world.conversation} don't answer")

    async def _send(self, world: World, sent: Sent) -> ToolMessage | None:
        now = time.time()
        boot = time.clock_gettime(time.CLOCK_BOOTTIME)
        intent = replace(sent.intent, not_after=int((now + _WITHIN) * 1000), boot_deadline=boot + _WITHIN)
        outcome = await self._gate.perform(sent.release, intent, replace(sent.facts, run=world.run))
        if not isinstance(outcome, ToolAnswered):
            return None
        texts = (self._blobs[part.key].decode() if isinstance(part, Stored) else part.text for part in outcome.content)
        words = tuple(Text(text) for text in texts)
        return ToolMessage(intent.call, intent.grant.name, words, outcome.is_error, outcome.label)
