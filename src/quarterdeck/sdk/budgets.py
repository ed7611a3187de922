"""Budgets as a deployment shows them. Amounts of accounts are whole micro-USD or tokens; limits are US dollars."""

from collections.abc import Mapping
from datetime import datetime

from quarterdeck.core.json import Json
from quarterdeck.sdk.records import Record


class Account(Record, frozen=True, kw_only=True):
    """How one account of a budget stands in its present window. `unit` is `micro_usd` or `tokens`.

    `reserved` is held for calls under way, `uncovered` was used beyond reservations. `projected_at`: when it will be
    used up at the pace of this window; None = not before it renews.
    """

    account: str = ""
    tenant: str | None = None
    unit: str = "micro_usd"
    limit: int = 0
    spent: int = 0
    reserved: int = 0
    uncovered: int = 0
    presumed: int = 0
    left: int = 0
    used_percent: float = 0.0
    began_at: datetime | None = None
    renews_at: datetime | None = None
    projected_at: datetime | None = None


class Spending(Account, frozen=True, kw_only=True):
    """The account that has used most of a budget, and of how many accounts."""

    accounts: int = 0


class Budget(Record, frozen=True, kw_only=True):
    """A budget: what was set (`source` is `tenant` or `deployment`) or what an agent's release declares (`release`)."""

    name: str
    source: str = ""
    agent: str | None = None
    release: str | None = None
    scope: str = ""
    target: str = "*"
    budget_duration: str = "total"
    max_budget: float | None = None
    max_tokens: int | None = None
    rpm_limit: int | None = None
    tpm_limit: int | None = None
    alert_at: tuple[int, ...] = ()
    why: str = ""
    set_by: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None
    spending: tuple[Spending, ...] = ()


class Spread(Record, frozen=True, kw_only=True):
    """How use was spread, the limit that it suggests, and how many samples were over that. Money is US dollars."""

    p50: float = 0.0
    p99: float = 0.0
    max: float = 0.0
    suggested: float | None = None
    over: int = 0


class Suggestion(Record, frozen=True, kw_only=True):
    """A suggested limit, with what it rests on. `budget` is a body that sets it."""

    scope: str
    target: str = "*"
    budget_duration: str = ""
    since: datetime | None = None
    until: datetime | None = None
    samples: int = 0
    instances: int = 0
    windows: int = 0
    max_budget: Spread
    max_tokens: Spread
    words: str = ""
    warnings: tuple[str, ...] = ()
    budget: Mapping[str, Json] = {}
