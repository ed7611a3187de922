"""A switch as it is kept, what several of them come to for one call, and what a switch would hit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType, TypeAlias
from uuid import UUID

from quarterdeck.core.errors import Conflict, Invalid, NotFound
from quarterdeck.core.ids import TenantId
from quarterdeck.core.json import Json
from quarterdeck.core.money import MicroUsd, from_usd
from quarterdeck.spec.values import Autonomy

SwitchId = NewType("SwitchId", UUID)


class Scope(StrEnum):
    """What a switch is thrown for."""

    TOOL = "tool"
    SERVER = "server"
    MODEL = "model"
    ROUTE = "route"
    AGENT = "agent"
    TENANT = "tenant"
    EVERYTHING = "everything"


class Action(StrEnum):
    """What a switch does."""

    DISABLE = "disable"
    READ_ONLY = "read_only"
    FORCE_REVIEW = "force_review"
    LOWER_AUTONOMY = "lower_autonomy"
    CAP_STEPS = "cap_steps"
    CAP_BUDGET = "cap_budget"
    SWITCH_MODEL = "switch_model"
    STOP_BACKGROUND = "stop_background"
    PAUSE_NEW = "pause_new"


class InFlight(StrEnum):
    """What becomes of the calls that are under way when a switch is thrown which would have stopped them."""

    FINISH = "finish"
    CANCEL = "cancel"


CLOCK = "clock"
"""Who lifts a switch whose time has run out."""

MOST_USD = 1_000_000
"""What a cap of one run's spending can be at most."""
LEVELS = tuple(level.value for level in Autonomy)
"""Levels of autonomy, from least to most."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A switch that somebody wants to throw, not judged yet. `tenant` None = it hits every tenant."""

    scope: Scope
    action: Action
    why: str
    target: str = ""
    agent: str | None = None
    value: Json = None
    in_flight: InFlight = InFlight.FINISH
    until: datetime | None = None
    tenant: TenantId | None = None
    deployment: bool = False


@dataclass(frozen=True, slots=True)
class Switch:
    """A switch that was thrown. It stands while `lifted_at` is None and `until` has not come.

    `tenant` is whom it hits, None = all. `deployment`: a deployment admin threw it, and only one may lift it. `agent`
    None = whichever agent.
    """

    id: SwitchId
    tenant: TenantId | None
    deployment: bool
    scope: Scope
    target: str
    agent: str | None
    action: Action
    value: Json
    in_flight: InFlight
    why: str
    thrown_by: str
    thrown_at: datetime
    until: datetime | None = None
    lifted_at: datetime | None = None
    lifted_by: str | None = None
    lifted_why: str | None = None
    tenant_slug: str | None = None

    def stands(self, now: datetime) -> bool:
        """Whether it is in force at a time."""
        return self.lifted_at is None and (self.until is None or self.until > now)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a gate is about to let through: a call of a tool, a question to a model, or a step of a run.

    `background`: the run's priority is below zero.
    """

    tenant: TenantId
    agent: str
    tool: str | None = None
    server: str | None = None
    model: str | None = None
    provider: str | None = None
    route: str | None = None
    background: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """What all switches together leave of a subject: the strictest of them.

    `denied`: this tool, server, model or route is switched off; the words name it and not the reason, since a model
    may read them. `paused`: the whole run waits until the switch is lifted; the words are for people and say why.
    `max_run_micro_usd` is what one run may spend. `model` is the provider connection and exact id to ask instead of the
    release's. `cancel` and `cancel_writes` say
    that calls under way are to be cancelled too: all of them, or those that are not reads. `switches` are the ids of
    all that had a say. `known` is False where nobody can tell: nothing may be let through then.
    """

    denied: str | None = None
    paused: str | None = None
    read_only: bool = False
    force_review: bool = False
    max_autonomy: str | None = None
    max_steps: int | None = None
    max_run_micro_usd: int | None = None
    model: tuple[str, str] | None = None
    switches: tuple[str, ...] = ()
    known: bool = True
    cancel: str | None = None
    cancel_writes: str | None = None

    def interrupts(self, *, reads: bool) -> str | None:
        """Why a call under way is to be cancelled, or None: it may finish."""
        return self.cancel or (None if reads else self.cancel_writes)


CLEAR = Standing()
"""Nothing is thrown."""


@dataclass(frozen=True, slots=True)
class Changed:
    """What a board has learned: switches that stand since now, and those that do so no more."""

    thrown: tuple[Switch, ...]
    gone: tuple[Switch, ...]


Listener: TypeAlias = Callable[[Changed], None]


@dataclass(frozen=True, slots=True)
class LiveRuns:
    """Runs of one release that are alike to a switch. `state` is `running`, `queued` or `waiting`."""

    tenant: TenantId
    agent: str
    release: str
    state: str
    background: bool
    fresh: bool
    """Never started, and nobody's child."""
    count: int


@dataclass(frozen=True, slots=True)
class Granted:
    """What a switch can be about in a release: its model, its tools by name with their servers, and its further routes
    by name with the connection and the model of each.
    """

    tenant: TenantId
    tenant_slug: str
    agent: str
    release: str
    provider: str
    model: str
    tools: Mapping[str, str]
    routes: Mapping[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])

    @property
    def models(self) -> frozenset[str]:
        """Every model that it can ask, by its id alone and behind its connection."""
        asked = ((self.provider, self.model), *self.routes.values())
        return frozenset(name for provider, model in asked for name in (model, f"{provider}/{model}"))


@dataclass(frozen=True, slots=True)
class CallsUnderWay:
    """Calls without an outcome yet. `tool` is empty for questions to models."""

    tenant: TenantId
    agent: str
    release: str
    tool: str
    count: int


@dataclass(frozen=True, slots=True)
class Reach:
    """What a switch would hit now."""

    agents: tuple[str, ...]
    tools: tuple[str, ...]
    running_runs: int
    queued_runs: int
    waiting_runs: int
    calls_in_flight: int


class SwitchMissing(NotFound):
    """There is no such switch here."""

    code = "switch.not_found"


class SwitchLifted(Conflict):
    """This switch was lifted before, or its time has run out."""

    code = "switch.lifted"


class TooManySwitches(Conflict):
    """As many switches stand here as may; lift some, or throw one that reaches further."""

    code = "switch.too_many"


class SwitchUnfit(Invalid):
    """This switch can't be thrown as it is described."""

    code = "switch.unfit"


def pin_of(value: Json) -> tuple[str, str]:
    """The provider connection and the model id in the value of a `switch_model`. Raises SwitchUnfit."""
    given: Mapping[str, Json] = value if isinstance(value, Mapping) else {}
    provider, model = given.get("provider"), given.get("id")
    if set(given) != {"provider", "id"} or not isinstance(provider, str) or not isinstance(model, str):
        raise SwitchUnfit("`value` of switch_model is {provider, id}: a connection and an exact model.", place="value")
    return provider, model


def budget_of(value: Json) -> MicroUsd:
    """What one run may spend by the value of a `cap_budget`, which is in USD. Raises SwitchUnfit."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST_USD:
        return from_usd(str(value))
    raise SwitchUnfit(f"`value` of cap_budget is a number of USD from 0 to {MOST_USD:,}.", place="value")
