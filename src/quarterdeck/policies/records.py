"""What a policy is asked about a call, and what it answers. The rest of the product knows policies by these alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from quarterdeck.core.ids import AgentName, ReleaseId, TenantId
from quarterdeck.core.json import Json, JsonObject


@dataclass(frozen=True, slots=True)
class PolicyText:
    """One file of Cedar policies, or what the short forms of `agent.yaml` compile to (`name` = `agent.yaml`)."""

    name: str
    text: str


class Answer(StrEnum):
    """What policies say of a call."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


class GrantedTool(Protocol):
    """What policies know of a tool: `releases.records.ToolGrant` is one. All that is granted can be asked about."""

    @property
    def name(self) -> str:
        """What the model calls it; the id of its Cedar action."""
        ...

    @property
    def server(self) -> str:
        """Where it lives."""
        ...

    @property
    def effect(self) -> str:
        """What it does to the world."""
        ...

    @property
    def repeat(self) -> str:
        """What a lost answer comes to."""
        ...

    @property
    def trust(self) -> str:
        """Whether outsiders can have written what it returns."""
        ...

    @property
    def parameters(self) -> JsonObject:
        """The JSON Schema of its arguments."""
        ...

    @property
    def destinations(self) -> Sequence[str]:
        """Arguments that say to whom or where an effect goes."""
        ...

    @property
    def payload(self) -> Sequence[str]:
        """Arguments that only carry content."""
        ...

    @property
    def affects(self) -> Mapping[str, Json] | None:
        """What counts the records that a call touches."""
        ...


class Granting(Protocol):
    """What policies know of a release: `releases.records.Release` is one."""

    @property
    def agent(self) -> AgentName:
        """The agent's name."""
        ...

    @property
    def tools(self) -> Sequence[GrantedTool]:
        """All tools that it grants."""
        ...

    @property
    def policies(self) -> Sequence[PolicyText]:
        """Its policies, those compiled from short forms among them."""
        ...


@dataclass(frozen=True, slots=True)
class PolicyRequest:
    """One call that an agent wants to make, with all that a policy may look at.

    `origins` say for each leaf of the arguments (`to`, `items[0].account`) where its value comes from. `clean`: those
    of all destinations are; `tainted`: the run has read what outsiders can have written. `destinations` are the
    grant's. `autonomy` is the level in force. `approved`: a person has said yes to exactly this call.
    """

    tenant: TenantId
    agent: AgentName
    release: ReleaseId
    user: str
    tool: str
    server: str
    effect: str
    arguments: JsonObject
    now: datetime
    roles: tuple[str, ...] = ()
    claims: Mapping[str, Json] = field(default_factory=dict[str, Json])
    origins: Mapping[str, str] = field(default_factory=dict[str, str])
    destinations: tuple[str, ...] = ()
    clean: bool = False
    tainted: bool = True
    autonomy: str = "ask_when_risky"
    calls_in_run: int = 0
    calls_by_user_today: int = 0
    affected_in_run: int = 0
    budget_left_micro_usd: int | None = None
    approved: bool = False


@dataclass(frozen=True, slots=True)
class PolicyVerdict:
    """What policies say of a call: `allow`, `ask` or `deny`.

    `policies` are the ids of those that decided (`FILE:LINE`, or `agent.yaml/tools.refund.ask_above`): of an allow
    those that permit, else those that forbid. `reason` is for the model and for people. `errors` are faults of
    evaluation: with one of them the verdict is always deny.
    """

    verdict: Answer
    policies: tuple[str, ...] = ()
    reason: str = ""
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyFault:
    """What is wrong with a policy: the file, the line and column at which it begins, the problem, and the fix."""

    file: str
    line: int
    column: int
    problem: str
    fix: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.problem}; {self.fix}"
