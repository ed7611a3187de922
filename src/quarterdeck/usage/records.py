"""One row of the usage ledger, the questions that are put to the ledger, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from quarterdeck.core.ids import AgentName, ReleaseId, RunId, TenantId, ThreadId, UserId


class State(StrEnum):
    """How sure the cost is."""

    SPENT = "spent"
    """The provider said what was used."""
    PRESUMED = "presumed"
    """It may have been used and nobody knows: the worst case counts, until the provider's word comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """What one try of one call used. Its key is (tenant, run, call, attempt, tried): the same again counts once.

    `input` includes the cached tokens and `output` the reasoning, as in `messages.Usage`. `cost` None = no price is
    known; then the row counts as unpriced and costs nothing. Money is integer micro-USD. `saved_cache` is negative
    where writing the cache cost more than reading it saved.
    """

    tenant: TenantId
    run: RunId
    call: str
    attempt: int
    """The run's attempt (its claim by a worker) that made the call."""
    tried: int = 1
    """Which try of this call within the attempt."""
    step: int
    at: datetime
    agent: AgentName
    release: ReleaseId
    user: UserId
    thread: ThreadId | None
    root_run: UUID
    """The run that started it all: the run itself, or the outermost of those that called it."""
    provider: str
    model: str
    served_model: str = ""
    route: str = ""
    purpose: str = ""
    """Empty = a step of the conversation, else `closing`, `summary` or `judge`."""
    tools: tuple[str, ...] = ()
    """The tools whose results this call was the first to read."""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0
    cost: int | None = None
    state: State = State.SPENT
    saved_cache: int = 0
    saved_route: int = 0
    saved_trim: int = 0
    trimmed_tokens: int = 0
    """Tokens that the conversation has and this call was not sent."""
    ms: int = 0


@dataclass(frozen=True, slots=True)
class Reader:
    """Whose usage is seen: a tenant's, or with None that of all; and there some agents' only, unless that is None."""

    tenant: TenantId | None
    agents: frozenset[AgentName] | None = None


@dataclass(frozen=True, slots=True)
class Filters:
    """What is looked at: calls from `since` on and before `until` that have one of the values of each dimension.

    `tags` are (name, value) pairs; several of one name are alternatives too.
    """

    since: datetime
    until: datetime
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    tags: tuple[tuple[str, str], ...] = ()


class Every(StrEnum):
    """How long the stretches of time are that a report tells apart."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


class Sort(StrEnum):
    """What makes a group large."""

    COST = "cost"
    TOKENS = "tokens"
    CALLS = "calls"


@dataclass(frozen=True, slots=True)
class Question:
    """A report: `by` are dimensions or `tag:NAME`; groups behind the `top` largest are summed into one."""

    filters: Filters
    by: tuple[str, ...] = ()
    every: Every | None = None
    zone: str = "UTC"
    top: int = 20
    sort: Sort = Sort.COST


@dataclass(frozen=True, slots=True)
class Sums:
    """What some calls used. `cost` holds what is `presumed`; `saved_cache` may be negative."""

    calls: int = 0
    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0
    cost: int = 0
    presumed: int = 0
    presumed_calls: int = 0
    unpriced_calls: int = 0
    saved_cache: int = 0
    saved_route: int = 0
    saved_trim: int = 0
    trimmed_tokens: int = 0
    cached_calls: int = 0
    routed_calls: int = 0
    trimmed_calls: int = 0

    def plus(self, other: "Sums") -> "Sums":
        """The sum, field by field."""
        return Sums(*(getattr(self, name) + getattr(other, name) for name in SUMMED))


SUMMED = tuple(field.name for field in fields(Sums))


@dataclass(frozen=True, slots=True)
class Group:
    """One line of a report. `rest`: the groups behind the top, `groups` of them, in one."""

    at: datetime | None
    keys: tuple[str | None, ...]
    rest: bool
    groups: int
    sums: Sums


@dataclass(frozen=True, slots=True)
class Report:
    """A question's answer. Lines are in the order of time, then the largest first and the rest last."""

    question: Question
    groups: tuple[Group, ...]
    total: Sums


@dataclass(frozen=True, slots=True)
class Spender:
    """One of those among whom cost is spread."""

    tenant: str
    name: str
    place: int
    cost: int
    calls: int
    cumulative: int
    """What this one and all before it cost."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How cost is spread over `count` spenders. `reached` holds the last spender of each share that was asked for."""

    count: int
    cost: int
    gini: float
    top: tuple[Spender, ...]
    reached: Mapping[float, Spender]


@dataclass(frozen=True, slots=True)
class Usual:
    """What runs of an agent usually come to: medians over its runs, and how far logs of costs are spread."""

    agent: str
    runs: int
    cost: float
    calls: float
    repeated: float
    input: float
    """Tokens of input that a call reads."""
    output: float
    rate: float
    """Micro-USD that a token costs."""
    centre: float
    mad: float
    deviation: float


@dataclass(frozen=True, slots=True)
class SpentRun:
    """One run as the search for outliers sees it."""

    tenant: str
    run: UUID
    agent: str
    user: str
    at: datetime
    cost: int
    calls: int
    repeated: int
    input: int
    output: int
    peak: int
    """The most tokens that one of its calls read."""
    models: tuple[tuple[str, int], ...] = ()
    """The models that it asked and what each cost, the dearest first."""


@dataclass(frozen=True, slots=True)
class DaySums:
    """What one model used on one day in UTC, as the ledger has it."""

    day: date
    model: str
    calls: int
    input: int
    output: int
    cached: int
    cost: int
    presumed_calls: int
    presumed: int
    unpriced_calls: int

    def plus(self, other: "DaySums") -> "DaySums":
        """Both together, under the name of this one."""
        names = [field.name for field in fields(self)][2:]
        return replace(self, **{name: getattr(self, name) + getattr(other, name) for name in names})
