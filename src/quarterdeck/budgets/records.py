"""What may be spent, what a call wants of it, and what it is told: budgets, lines, reservations and how accounts stand.

Money is integer micro-USD. A budget is a limit that somebody set; an account is what one budget counts for one user,
run, agent or whatever its scope is, in one window after the other.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeAlias
from uuid import UUID

from quarterdeck.core.errors import Conflict, Invalid, Misconfigured, NotFound, Unavailable
from quarterdeck.core.ids import TenantId

EVERY_ONE = "*"
"""As a target: each one of the scope by itself."""
INHERITED = -1
"""As a line's limit: what the account was last held to by those whose it is; no limit where there is no account."""
CLOSING = "closing"
"""The call for which a run keeps a slice from its start, so that it always has a last answer."""
ALERTS = (50, 80, 100)
"""Per cent of a limit at which somebody is told, unless a budget says otherwise."""


class Scope(StrEnum):
    """Whose spending a budget limits."""

    REQUEST = "request"
    RUN = "run"
    THREAD = "thread"
    USER = "user"
    AGENT = "agent"
    TENANT = "tenant"
    EVERYTHING = "everything"


class Window(StrEnum):
    """After which time a budget begins anew. `minute` is for `rpm_limit` and `tpm_limit` only."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    TOTAL = "total"


class Unit(StrEnum):
    """What is counted: micro-USD, tokens, or requests to models."""

    USD = "usd"
    TOKENS = "tokens"
    REQUESTS = "requests"


class Declared(Protocol):
    """A limit that a release declares: `releases.records.BudgetLimit`."""

    @property
    def scope(self) -> str:
        """`request`, `run`, `thread`, `user` or `agent`."""
        ...

    @property
    def window(self) -> str:
        """`hour`, `day`, `month` or `total`."""
        ...

    @property
    def max_micro_usd(self) -> int | None:
        """Money; None = not limited."""
        ...

    @property
    def max_tokens(self) -> int | None:
        """Tokens; None = not limited."""
        ...


@dataclass(frozen=True, slots=True)
class Amount:
    """What a call may use at worst, or has used: micro-USD, tokens of input and output, requests."""

    micro_usd: int
    tokens: int
    requests: int = 1

    def of(self, unit: Unit) -> int:
        """The part that an account of this unit counts."""
        match unit:
            case Unit.USD:
                return self.micro_usd
            case Unit.TOKENS:
                return self.tokens
            case Unit.REQUESTS:
                return self.requests


NOTHING = Amount(0, 0, 0)
"""Used where a call was never sent: all of the reservation is given back."""


@dataclass(frozen=True, slots=True)
class Spender:
    """Who is about to spend. `ancestors` are the runs that called this one, outermost first."""

    tenant: TenantId
    agent: str
    release: str
    user: str
    thread: str | None
    run: str
    ancestors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit that was set by a tenant, or by the deployment (`tenant` None). It holds beside what releases declare.

    `target` is a name of the scope, or `*` for each one by itself; the deployment's of scope tenant names a tenant by
    its slug, and `target_tenant` is that tenant. At least one of the four limits is set; those of a minute count in
    minutes whatever the `window`.
    """

    name: str
    scope: Scope
    target: str = EVERY_ONE
    window: Window = Window.TOTAL
    max_micro_usd: int | None = None
    max_tokens: int | None = None
    rpm_limit: int | None = None
    tpm_limit: int | None = None
    alert_at: tuple[int, ...] = ALERTS
    why: str = ""
    set_by: str = ""
    tenant: TenantId | None = None
    target_tenant: TenantId | None = None
    id: UUID | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One thing to reserve from. `rules.lines` makes them; nobody else has to know how accounts are named.

    `account` is its id, a UUID as text. `limit` is what this process believes; where `budget` names a live one the
    database's word counts. `slots` > 1: many spend from it at once. `name` is the budget's, empty where a release
    declares it. `waits`: when it is used up, come back when the minute is over. `before` was spent before the account
    was opened. An account of scope everything belongs to no tenant.
    """

    account: str
    scope: Scope
    window: Window
    unit: Unit
    limit: int
    slots: int
    name: str
    waits: bool = False
    whose: str = ""
    budget: UUID | None = None
    zone: str = "UTC"
    before: int = 0


@dataclass(frozen=True, slots=True)
class Left:
    """What of one limit is left after a reservation, in its unit. Of hot accounts it is as fresh as a moment ago."""

    scope: Scope
    unit: Unit
    limit: int
    left: int
    name: str


@dataclass(frozen=True, slots=True)
class Reserved:
    """All lines had enough, and hold it for the call. `again`: they did before, and nothing was counted twice."""

    left: tuple[Left, ...] = ()
    again: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was reserved, because `line` has not enough; `want` was asked of it.

    `short`: it has, but not in this run's slots: call `Budgets.rebalance` with this, outside of the transaction, and
    try again. `retry_in`: seconds until the minute of a line that `waits` is over. `renews_at` None = never.
    """

    line: Line
    limit: int
    spent: int
    reserved: int
    renews_at: datetime | None = None
    retry_in: float | None = None
    short: bool = False
    want: int = 0
    slots: tuple[tuple[Line, int, int], ...] = ()
    """With `short`: each line whose slot has not enough, the slot, and what is wanted of it."""


Reservation: TypeAlias = Reserved | Refused


@dataclass(frozen=True, slots=True)
class Settled:
    """What a call was booked as, in micro-USD; the three add up to its cost.

    `spent` was covered by the reservation, `uncovered` is what was used beyond it, and `presumed` is the worst case of
    a call of which nobody knows what it used.
    """

    spent: int = 0
    uncovered: int = 0
    presumed: int = 0


@dataclass(frozen=True, slots=True)
class Account:
    """How an account stands in one window: all slots together. `name` is empty where a release declares the limit.

    `tenant` None = of the whole deployment. `presumed` is part of `spent`; `uncovered` is not, but counts against
    what is `left`. `ends` None = never.
    """

    account: UUID
    tenant: TenantId | None
    budget: UUID | None
    name: str
    scope: Scope
    whose: str
    window: Window
    unit: Unit
    starts: datetime
    ends: datetime | None
    limit: int
    spent: int
    reserved: int
    uncovered: int
    presumed: int

    @property
    def left(self) -> int:
        """What can still be reserved."""
        return max(0, self.limit - self.spent - self.reserved - self.uncovered)


class NoSuchBudget(NotFound):
    """There is no budget of this name."""

    code = "budget.not_found"


class BadBudget(Invalid):
    """This budget can't hold as it is described."""

    code = "budget.invalid"


class TooManyBudgets(Conflict):
    """There are as many budgets here as there may be; remove one first."""

    code = "budget.too_many"


class BudgetsUnknown(Unavailable):
    """This process does not know what may be spent at the moment; nothing is spent without knowing."""

    code = "budget.unknown"


class BudgetsNotKept(Misconfigured):
    """Budgets do not hold here: money was let through against a budget of zero, so nothing is served."""

    code = "budget.not_kept"
