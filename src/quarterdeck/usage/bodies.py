"""What `/v1/usage` takes and answers."""

from datetime import date as date_
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from quarterdeck.usage.reconciling import Kind
from quarterdeck.usage.records import Every, Sort

Value = Annotated[str, StringConstraints(max_length=256, pattern="^[^\\x00]*$")]
Values = Annotated[list[Value], Field(max_length=50)]
Count = Annotated[int, Field(ge=0, le=10**15)]
Among = Literal["user", "agent", "thread", "tenant"]
MOST_DAYS = 50_000


class FilterQuery(BaseModel):
    """Whose and which calls. Each filter may be given several times: any of its values will do."""

    model_config = ConfigDict(extra="forbid")

    since: AwareDatetime | None = Field(default=None, description="Absent = 30 days before until.")
    until: AwareDatetime | None = Field(default=None, description="Not included; absent = now.")
    tenant: Values = Field(default=[], description="Slugs; for deployment admins who act in no tenant.")
    user: Values = []
    agent: Values = []
    release: Values = []
    thread: Values = []
    run: Values = []
    root_run: Values = Field(default=[], description="The run that started it all, with all that it called.")
    step: Values = []
    model: Values = []
    served_model: Values = []
    provider: Values = Field(default=[], description="Names of provider connections.")
    route: Values = Field(default=[], description="Names of routes; `main` is the release's own model.")
    purpose: Values = Field(default=[], description="step, closing, summary, judge.")
    tool: Values = Field(default=[], description="Only the shares of cost that fall to these tools.")
    state: Values = Field(default=[], description="spent, presumed.")
    tag: Values = Field(default=[], description="NAME=VALUE.")


class ReportQuery(FilterQuery):
    """A report."""

    by: Annotated[str, StringConstraints(max_length=500)] = Field(
        default="", description="Several with commas, such as `agent,tag:plan`."
    )
    every: Every | None = Field(default=None, description="Tell stretches of time apart.")
    tz: Annotated[str, StringConstraints(max_length=64)] = Field(
        default="UTC", description="The time zone in which days and months begin."
    )
    top: int = Field(default=20, ge=1, le=50_000, description="Groups shown; the others are summed into one.")
    sort: Sort = Sort.COST
    format: Literal["json", "csv"] | None = Field(default=None, description="Absent = what `Accept` says.")


class ConcentrationQuery(FilterQuery):
    """How cost is spread."""

    among: Among = "user"
    top: int = Field(default=20, ge=1, le=1_000, description="Spenders shown.")
    format: Literal["json", "csv"] | None = None


class OutlierQuery(FilterQuery):
    """Which runs stand out."""

    threshold: float = Field(default=3.5, ge=1, le=100, description="Robust z-score from which a run stands out.")
    limit: int = Field(default=50, ge=1, le=500)
    format: Literal["json", "csv"] | None = None


class UsageSums(BaseModel):
    """What some calls used. Cached tokens are a part of the input, reasoning of the output, presumed of the cost."""

    calls: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost_micro_usd: int
    estimated_cost_usd: float
    presumed_micro_usd: int = Field(description="Of the cost: spent for all we know, the provider's word is missing.")
    presumed_calls: int
    unpriced_calls: int = Field(description="Calls of models without a known price: they count as free.")
    saved_cache_micro_usd: int = Field(description="By the provider's cache; negative where writing it cost more.")
    saved_route_micro_usd: int = Field(description="By routes against the release's own model.")
    saved_trim_micro_usd: int = Field(description="By leaving out what the context policy left out.")
    trimmed_tokens: int


class UsageLine(UsageSums):
    """One group in one stretch of time."""

    at: datetime | None = Field(description="The stretch's beginning; null where none are told apart.")
    keys: dict[str, str | None] = Field(description="What it is told apart by; null = has none, as a missing tag.")
    rest: bool = Field(description="All groups behind the top in one; then the keys are null.")
    groups: int


class UsageReport(BaseModel):
    """A report: lines by time, then the largest first, the rest last. A stretch without calls has no line."""

    since: datetime
    until: datetime
    by: list[str]
    every: Every | None
    tz: str
    lines: list[UsageLine]
    total: UsageSums


class SpenderRecord(BaseModel):
    """One of those who spend most."""

    place: int
    name: str
    tenant: str
    calls: int
    cost_micro_usd: int
    estimated_cost_usd: float
    share: float = Field(description="Of all cost, 0 to 1.")
    cumulative_share: float = Field(description="Its share and that of all before it.")


class ShareRecord(BaseModel):
    """What the largest spenders make of the cost."""

    of_spenders: float = Field(description="0.001, 0.01 or 0.1 of all spenders, at least one.")
    spenders: int
    cost_micro_usd: int
    share: float


class Concentration(BaseModel):
    """How cost is spread over users, agents, threads or tenants."""

    since: datetime
    until: datetime
    among: Among
    spenders: int
    cost_micro_usd: int
    estimated_cost_usd: float
    gini: float = Field(description="0 = all cost the same, near 1 = one costs everything.")
    shares: list[ShareRecord]
    top: list[SpenderRecord]
    words: list[str] = Field(description="Such as: 0.1 % of users (3 of 2,913) make 40 % of the cost.")


class CauseRecord(BaseModel):
    """Why a run cost more than its agent's usually do."""

    cause: Literal["steps", "retries", "context", "output", "price"]
    times: float
    here: float
    usual: float
    words: str


class OutlierRecord(BaseModel):
    """A run that stands out."""

    run_id: str
    tenant: str
    agent: str
    user_id: str
    at: datetime
    cost_micro_usd: int
    estimated_cost_usd: float
    usual_micro_usd: int = Field(description="The median of its agent's runs.")
    times: float
    z: float
    calls: int
    models: list[str]
    causes: list[CauseRecord] = Field(description="The largest factor first.")
    why: str


class Outliers(BaseModel):
    """Runs that cost far more than their agent's usually do, the farthest first."""

    since: datetime
    until: datetime
    threshold: float
    items: list[OutlierRecord]


class Saving(BaseModel):
    """What one way of saving came to."""

    calls: int
    tokens: int | None
    micro_usd: int


class Savings(BaseModel):
    """What was saved, and how."""

    since: datetime
    until: datetime
    cost_micro_usd: int
    saved_micro_usd: int
    share: float = Field(description="What was saved of what it would have cost otherwise, 0 to 1.")
    caching: Saving = Field(description="By the provider's cache: tokens that were read from it.")
    cache_hit_rate: float = Field(description="The share of input tokens that were read from the cache.")
    trimming: Saving = Field(description="By the context policy: tokens that were not sent.")
    routing: Saving = Field(description="By routes to cheaper models; the tokens are the same.")
    by: list[str]
    lines: list[UsageLine]


class ExportDayBody(BaseModel):
    """What a provider says of one model on one day in UTC. What it does not say is not compared."""

    model_config = ConfigDict(extra="forbid")

    date: date_ = Field(ge=date_(2000, 1, 1), le=date_(2199, 12, 31))
    model: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern="^[^\\x00-\\x1f]*$")]
    calls: Count | None = None
    input_tokens: Count | None = Field(default=None, description="Cached ones included.")
    output_tokens: Count | None = None
    cached_tokens: Count | None = None
    cost_micro_usd: int | None = Field(default=None, ge=-(10**15), le=10**15)


class ReconcileBody(BaseModel):
    """A provider's export, added up by day and model. `qd usage reconcile` reads the files and sends this."""

    model_config = ConfigDict(extra="forbid")

    providers: Annotated[list[Value], Field(min_length=1, max_length=20, description="Provider connections.")]
    days: Annotated[list[ExportDayBody], Field(min_length=1, max_length=MOST_DAYS)]
    tolerance: float = Field(default=0.005, ge=0, le=1, description="Share by which counts may differ and agree.")


class CountedSide(BaseModel):
    """What one side counted."""

    calls: int | None
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    cost_micro_usd: int | None


class BillDifferenceRecord(BaseModel):
    """One model on one day on which the two sides differ."""

    kind: Kind
    date: date_
    model: str
    ours: CountedSide | None
    theirs: CountedSide | None
    what: list[str]
    causes: list[str] = Field(description="What may be behind it, the likeliest first.")


class ReconciliationRecord(BaseModel):
    """The ledger beside a provider's export."""

    first: date_ | None
    last: date_ | None
    agreed: int = Field(description="Days of a model on which both sides say the same.")
    our_cost_micro_usd: int
    their_cost_micro_usd: int | None
    differences: list[BillDifferenceRecord]
