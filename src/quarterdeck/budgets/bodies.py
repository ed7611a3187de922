"""What `/v1/budgets` takes and answers, in LiteLLM's words."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from quarterdeck.budgets.records import ALERTS, EVERY_ONE, Scope
from quarterdeck.budgets.rules import LARGEST
from quarterdeck.http.pages import DEFAULT_LIMIT, MAX_LIMIT

Source = Literal["tenant", "deployment", "release"]
CountedIn = Literal["micro_usd", "tokens"]
Dollars = Annotated[float, Field(strict=True, allow_inf_nan=False)]
LONGEST_TARGET = 300
MOST_DAYS = 366


class BudgetBody(BaseModel):
    """The most that may be spent, and how fast: at least one of the four limits."""

    model_config = ConfigDict(extra="forbid")

    scope: Scope = Field(description="Whose spending is limited. `everything` is for deployment admins.")
    target: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_TARGET)] = Field(
        default=EVERY_ONE,
        description="A user or agent by name; `*` = each one of the scope by itself. In the deployment's budgets of "
        "scope `tenant` a tenant's slug.",
    )
    max_budget: Dollars | str | None = Field(
        default=None,
        description="US dollars, as a number or as text, with at most six decimals; 0 lets nothing be spent.",
        examples=[0.5, "12.50"],
    )
    budget_duration: str = Field(
        default="total",
        description="When it renews: `1h`, `1d` or `month`, in the deployment's time zone; `total` never does. "
        "A request and a run have no other.",
        examples=["1d"],
    )
    max_tokens: int | None = Field(default=None, ge=0, le=LARGEST, strict=True, description="Tokens read and written.")
    rpm_limit: int | None = Field(default=None, ge=0, le=LARGEST, strict=True, description="Model calls a minute.")
    tpm_limit: int | None = Field(default=None, ge=0, le=LARGEST, strict=True, description="Tokens a minute.")
    alert_at: list[Annotated[int, Field(ge=1, le=100, strict=True)]] = Field(
        default=list(ALERTS), max_length=10, description="Per cent of the limit at which an alert is raised."
    )
    why: str = Field(default="", max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$", description="For people.")


class AccountRecord(BaseModel):
    """How one account of a budget stands in its present window. Amounts are whole micro-USD or tokens, by `unit`."""

    account: str = Field(description="Whose it is: a user, an agent, a run, a tenant's slug; empty = everything.")
    tenant: str | None = Field(description="Its tenant, in lists of the deployment's budgets.")
    unit: CountedIn
    limit: int
    spent: int
    reserved: int = Field(description="Held for calls that are under way, at their worst case.")
    uncovered: int = Field(description="Used beyond what was reserved; counts against what is left.")
    presumed: int = Field(description="The part of `spent` of which no answer ever said whether it was used.")
    left: int
    used_percent: float
    began_at: datetime = Field(description="When its window began; of one that never renews when it was first used.")
    renews_at: datetime | None
    projected_at: datetime | None = Field(
        description="When it will be used up at the pace of this window; null = not before it renews."
    )


class SpendingRecord(AccountRecord):
    """The account that has used most of a budget, and of how many."""

    accounts: int


class BudgetRecord(BaseModel):
    """A budget as it is shown: what was set, or what a release declares, and what is spent of it."""

    name: str = Field(description="Declared ones are called `AGENT:SCOPE:DURATION`.")
    source: Source = Field(description="Who says so; all of them hold, so that the lowest counts.")
    agent: str | None = Field(description="Whose release declares it.")
    release: str | None
    scope: Scope
    target: str
    budget_duration: str
    max_budget: float | None = Field(description="US dollars.")
    max_tokens: int | None
    rpm_limit: int | None
    tpm_limit: int | None
    alert_at: list[int]
    why: str
    set_by: str
    created_at: datetime | None
    updated_at: datetime | None
    spending: list[SpendingRecord] = Field(
        description="For money and for tokens, the account that has used most; empty while nobody has spent anything, "
        "for what each request, run or thread has by itself, and for what others spend too."
    )


class BudgetPage(BaseModel):
    """A page of budgets: the tenant's by name, then the deployment's that hold for it, then what releases declare."""

    items: list[BudgetRecord]
    next_cursor: str | None


class AccountPage(BaseModel):
    """A page of a budget's accounts, those that used most first."""

    items: list[AccountRecord]
    next_cursor: str | None


class AccountQuery(BaseModel):
    """Which accounts, and the page of them."""

    unit: CountedIn | None = Field(default=None, description="Absent = money, where the budget limits it.")
    source: Literal["tenant", "deployment"] | None = Field(
        default=None, description="Whose budget, where both have one of this name; absent = the tenant's."
    )
    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="Items on a page.")
    cursor: str | None = Field(default=None, max_length=1024, description="`next_cursor` of the page before.")


class SuggestRequest(BaseModel):
    """What a limit is wanted for."""

    model_config = ConfigDict(extra="forbid")

    scope: Scope
    budget_duration: str = Field(
        default="",
        description="`1h`, `1d` or `month`; of requests, runs and threads `total`, which absent means for them. "
        "Absent = `1d` for the others.",
    )
    target: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_TARGET)] = EVERY_ONE
    days: int | None = Field(
        default=None, ge=1, le=MOST_DAYS, description="How far back use is looked at; absent = 30, of months 100."
    )


class SpreadRecord(BaseModel):
    """How use was spread, the limit that it suggests, and how many would have run into that. Money is US dollars."""

    p50: float
    p99: float
    max: float
    suggested: float | None
    over: int


class SuggestionRecord(BaseModel):
    """A suggested limit, with what it rests on. `budget` can be sent as it is to set it."""

    scope: Scope
    target: str
    budget_duration: str
    since: datetime
    until: datetime
    samples: int = Field(description="One for each instance in each window in which it used anything.")
    instances: int
    windows: int
    max_budget: SpreadRecord
    max_tokens: SpreadRecord
    words: str
    warnings: list[str]
    budget: BudgetBody
