"""Alerts, and the facts that they are judged from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType
from uuid import UUID

from quarterdeck.core.errors import NotFound
from quarterdeck.core.ids import TenantId
from quarterdeck.core.json import Json

AlertId = NewType("AlertId", UUID)


class Kind(StrEnum):
    """What an alert is about."""

    THRESHOLD = "budget.threshold"
    """A part of a budget is used."""
    PROJECTED = "budget.projected"
    """A budget will be used up before it renews, if spending goes on like this."""
    UNCOVERED = "budget.uncovered"
    """A call cost more than was reserved for it."""
    PRESUMED = "budget.presumed"
    """Calls without an outcome were booked as spent at their worst case."""
    SPIKE = "spend.spike"
    """Far more is spent than at the same hour before."""
    THROTTLED = "provider.throttled"
    """A provider turns calls away."""
    OPEN = "route.open"
    """A model fails again and again and is left alone for a while."""


class Severity(StrEnum):
    """How soon somebody should look."""

    NOTICE = "notice"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Alert:
    """What was raised. `key` is the same for the same trouble: it is raised once. `count` is how many it is about.

    `tenant` None = the deployment's own. `agent` is the one that it is about, where it is about one.
    """

    id: AlertId
    tenant: TenantId | None
    kind: Kind
    severity: Severity
    subject: str
    key: str
    words: str
    facts: Mapping[str, Json]
    raised_at: datetime
    last_at: datetime
    count: int = 1
    agent: str | None = None
    resolved_at: datetime | None = None
    resolved_why: str = ""
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What the facts say is wrong now."""

    tenant: TenantId | None
    kind: Kind
    severity: Severity
    subject: str
    key: str
    words: str
    facts: Mapping[str, Json]
    count: int = 1
    agent: str | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """An alert that is over, and why."""

    alert: Alert
    why: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What follows from the facts: alerts to raise, those that go on and are worth a new line, and those that end."""

    begun: tuple[Finding, ...] = ()
    going_on: tuple[tuple[Alert, Finding], ...] = ()
    ended: tuple[Ended, ...] = ()


@dataclass(frozen=True, slots=True)
class Account:
    """What one account of a budget has spent in its present window. Amounts are micro-USD or tokens, by `unit`.

    `one` is whose it is, empty where the scope says it all; `each`: the budget holds for each one by itself, and alerts
    speak of all of them together: `alike` is how many have reached the same level, of which this is one of the first.
    `spent` is everything that was used, also what was `uncovered`. `renews_at` None = it never renews.
    """

    tenant: TenantId | None
    budget: str
    scope: str
    one: str
    each: bool
    window: str
    unit: str
    limit: int
    spent: int
    reserved: int
    uncovered: int
    began_at: datetime
    renews_at: datetime | None
    agent: str | None = None
    alert_at: tuple[int, ...] = (50, 80, 100)
    alike: int = 1

    @property
    def share(self) -> float:
        """Per cent of the limit that is spent; a limit of nothing is used up from the start."""
        return 100.0 if self.limit <= 0 else 100.0 * self.spent / self.limit


@dataclass(frozen=True, slots=True)
class Hours:
    """What a tenant, or one agent of it, spent in the last 60 minutes, and in such times before.

    `same_hour` are the same 60 minutes of the days before, the latest first, as far back as there is any usage;
    `hour_before` are the 60 minutes before these.
    """

    tenant: TenantId
    agent: str | None
    now: int
    same_hour: tuple[int, ...]
    hour_before: int


@dataclass(frozen=True, slots=True)
class Presumed:
    """Calls of an agent in the last day whose outcome never came."""

    tenant: TenantId
    agent: str
    calls: int
    micro_usd: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Trouble:
    """A provider that lets less through than is asked of it, or a route that is left alone because it fails.

    `waiting` runs wait for their turn there, the one that came first for `longest` seconds. `until`: left alone, or
    held back by the provider's own word, until then.
    """

    kind: Kind
    provider: str
    model: str = ""
    waiting: int = 0
    longest: float = 0.0
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that was measured, at one moment."""

    at: datetime
    accounts: tuple[Account, ...] = ()
    hours: tuple[Hours, ...] = ()
    presumed: tuple[Presumed, ...] = ()
    troubles: tuple[Trouble, ...] = field(default=())


class NoSuchAlert(NotFound):
    """There is no such alert here."""

    code = "alert.missing"
