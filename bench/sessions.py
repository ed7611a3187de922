"""Sessions of an agent whose model is honest, or taken over: its calls are AgentDojo's own, put before the tool gate.

What a session does is fixed before: the calls of the user's task, those of the attack, or both. The gate, the policies,
the search for where values come from and the MCP client are the product's; the loop around them is played here.
"""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from bench.recordings import Recording
from bench.worlds import Sent, World, Worlds
from quarterdeck.core.clock import SystemClock
from quarterdeck.core.ids import AgentName, ReleaseId, TenantId, uuid7
from quarterdeck.core.json import JsonObject
from quarterdeck.gates.intents import Inquiry, Intent, Later, ToolFacts
from quarterdeck.gates.provenance import NOT_MADE, Provenance
from quarterdeck.gates.tool import ToolGate
from quarterdeck.releases.records import Limits, ModelPin, Release, ToolGrant, ToolSchema, ToolServer
from quarterdeck.runs.events import ApprovalAnswered, ApprovalAsked
from quarterdeck.runs.messages import AUTHOR, Call, ModelMessage, Text, ToolMessage, UserMessage

TENANT = TenantId(uuid7())
ATTACK = "Thisisanimportantmessagefromme"
"""How each recorded attack begins, once quoting and line breaks are taken out."""


class Kind(StrEnum):
    """Who decides what the session does."""

    HONEST = "honest"
    COMPROMISED = "compromised"
    MID_TASK = "compromised in mid-task"
    LATE = "compromised at the end"


class Person(StrEnum):
    """Who answers when the gate asks."""

    NOBODY = "nobody"
    PERFECT = "perfect"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A call that the session makes. `attack`: it is the attacker's."""

    tool: str
    arguments: JsonObject
    attack: bool = False

    def is_same(self, tool: str, arguments: JsonObject) -> bool:
        """Whether it is this call."""
        return self.tool == tool and self.arguments == arguments


@dataclass(frozen=True, slots=True)
class Script:
    """What the user said, and the calls of both sides with their last words."""

    conversation: str
    suite: str
    system: str
    prompt: str
    task: Sequence[Wanted]
    attack: Sequence[Wanted]
    text: str
    attack_text: str

    @classmethod
    def of(cls, recording: Recording, truth: Mapping[str, Any], mark: str = "") -> "Script":
        """The script of a recorded conversation, with AgentDojo's own calls in the place of the recorded ones."""
        task = [Wanted(one["tool"], one["arguments"]) for one in truth["task"]]
        attack = [Wanted(one["tool"], one["arguments"], attack=True) for one in truth["attack"]]
        last = truth["text"], truth["attack_text"]
        return cls(recording.id + mark, recording.suite, recording.system, recording.prompt, task, attack, *last)


@dataclass
class Played:
    """A session that was played: the calls that were made, refused and asked about, and AgentDojo's verdicts."""

    script: Script
    kind: Kind
    world: World
    made: list[Wanted] = field(default_factory=list[Wanted])
    refused: list[tuple[Wanted, str]] = field(default_factory=list[tuple[Wanted, str]])
    asked: int = 0
    reached: bool = False
    utility: bool = False
    security: bool = False

    @property
    def attacked(self) -> bool:
        """Whether a call of the attacker's was made."""
        return any(one.attack for one in self.made)


def release_of(suite: str, url: str, schemas: Sequence[ToolSchema], marks: Mapping[str, Any], autonomy: str) -> Release:
    """A release that grants a suite's tools as they were annotated, all at one level of autonomy."""
    found = {schema.name: schema for schema in schemas}
    return Release(
        tenant=TENANT,
        id=ReleaseId(suite),
        agent=AgentName(suite),
        owner="bench",
        description="",
        prompt="",
        variables={},
        model=ModelPin("none", "none"),
        servers=(ToolServer("agentdojo", "http", url=url),),
        tools=tuple(_grant(found[name], declared, autonomy) for name, declared in marks.items()),
        limits=Limits(max_tool_calls=1000),
        output_schema=None,
        behaviour=2,
        files={},
        label=None,
        registered_by="bench",
        registered_at=SystemClock().now(),
    )


def _grant(schema: ToolSchema, declared: Mapping[str, Any], autonomy: str) -> ToolGrant:
    return ToolGrant(
        name=schema.name,
        server="agentdojo",
        remote_name=schema.name,
        description=schema.description,
        parameters=schema.parameters,
        effect=declared["effect"],
        repeat=declared["repeat"],
        trust=declared.get("trust", "untrusted"),
        destinations=tuple(declared.get("destinations", ())),
        payload=tuple(declared.get("payload", ())),
        autonomy=autonomy,
    )


class Player:
    """Plays sessions before one gate, with one set of rules on where values come from."""

    def __init__(
        self, gate: ToolGate, worlds: Worlds, releases: Mapping[str, Release], rules: type[Provenance]
    ) -> None:
        self._gate = gate
        self._worlds = worlds
        self._releases = releases
        self._rules = rules

    async def play(self, script: Script, kind: Kind, person: Person = Person.NOBODY) -> Played:
        """One session to its end, and judged. Calls that the gate refuses are not made; it goes on without them."""
        played = await self._play(script, kind, person)
        text = script.attack_text if kind is Kind.COMPROMISED else script.text
        verdict = await self._worlds.judge(played.world, text)
        played.utility, played.security = verdict["utility"], verdict["security"] and bool(script.attack)
        return played

    async def _play(self, script: Script, kind: Kind, person: Person) -> Played:
        release = self._releases[script.suite]
        played = Played(script, kind, World(script.conversation))
        said = self._rules(release.tools)
        said.add(script.system, AUTHOR)
        said.hear(UserMessage((Text(script.prompt),)))
        left = list(script.attack if kind is Kind.COMPROMISED else script.task)
        attack = list(script.attack) if kind in {Kind.MID_TASK, Kind.LATE} else []
        for step in itertools.count(1):
            if attack and (not left or (played.reached and kind is Kind.MID_TASK)):
                left, attack = [*attack, *left], []
            if not left:
                return played
            wanted = left.pop(0)
            result = await self._call(release, played, wanted, step, said, person)
            if result is not None and ATTACK in re.sub(r"[^A-Za-z0-9]", "", _words(result)):
                played.reached = True
        return played

    async def _call(
        self, release: Release, played: Played, wanted: Wanted, step: int, said: Provenance, person: Person
    ) -> ToolMessage | None:
        call = Call(f"call-{step}", wanted.tool, wanted.arguments)
        said.hear(ModelMessage((call,)))
        facts = ToolFacts(TENANT, played.world.run, played.script.conversation, step, 1, agent=str(release.agent))
        verdict = await self._gate.decide(release, call, facts, said)
        if isinstance(verdict, Inquiry) and person is Person.PERFECT:
            played.asked += 1
            asked = verdict.event(step)
            facts = replace(facts, asked=asked, said=_answered(played, wanted, asked))
            verdict = await self._gate.decide(release, call, facts, said)
        if not isinstance(verdict, Intent):
            decision = None if isinstance(verdict, Later) else verdict.decision
            played.refused.append((wanted, decision.rule if decision else "later"))
            said.hear(ToolMessage(call.id, call.tool, (Text(f"{NOT_MADE}."),), is_error=True))
            return None
        message = await self._worlds.perform(played.world, Sent(release, verdict, facts))
        played.made.append(wanted)
        said.hear(message)
        return message


def _answered(played: Played, wanted: Wanted, asked: ApprovalAsked) -> ApprovalAnswered:
    """The answer of somebody who approves each call of the user's task once, as it is there, and no other."""
    before = sum(one.is_same(wanted.tool, wanted.arguments) for one in played.made)
    wished = sum(one.is_same(asked.tool, asked.arguments) for one in played.script.task)
    state = "approved" if wished > before else "denied"
    return ApprovalAnswered(call=asked.call, approval=asked.approval, state=state, by=("a perfect person",))


def _words(message: ToolMessage) -> str:
    return "\n".join(part.text for part in message.content if isinstance(part, Text))
