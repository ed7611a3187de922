"""What calls used and cost, as the deployment reports it. Money is integer micro-USD."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from quarterdeck.sdk.calls import Query
from quarterdeck.sdk.records import Record


class UsageSums(Record, frozen=True, kw_only=True):
    """What some calls used. Cached tokens are a part of the input, reasoning of the output, presumed of the cost."""

    calls: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost_micro_usd: int = 0
    estimated_cost_usd: float = 0.0
    presumed_micro_usd: int = 0
    presumed_calls: int = 0
    unpriced_calls: int = 0
    saved_cache_micro_usd: int = 0
    saved_route_micro_usd: int = 0
    saved_trim_micro_usd: int = 0
    trimmed_tokens: int = 0


class UsageLine(UsageSums, frozen=True, kw_only=True):
    """One group in one stretch of time. `rest`: the groups behind the top, `groups` of them, in one."""

    at: datetime | None = None
    keys: dict[str, str | None] = {}
    rest: bool = False
    groups: int = 1


class UsageReport(Record, frozen=True, kw_only=True):
    """A report: lines by time, then the largest first, the rest last."""

    since: datetime
    until: datetime
    by: list[str] = []
    every: str | None = None
    tz: str = "UTC"
    lines: list[UsageLine] = []
    total: UsageSums


class Spender(Record, frozen=True, kw_only=True):
    """One of those who spend most. Shares are of all cost, 0 to 1."""

    place: int
    name: str
    tenant: str = ""
    calls: int = 0
    cost_micro_usd: int = 0
    estimated_cost_usd: float = 0.0
    share: float = 0.0
    cumulative_share: float = 0.0


class Share(Record, frozen=True, kw_only=True):
    """What the largest spenders make of the cost: `spenders` of them, the share `of_spenders` of all."""

    of_spenders: float
    spenders: int
    cost_micro_usd: int = 0
    share: float = 0.0


class Concentration(Record, frozen=True, kw_only=True):
    """How cost is spread. `gini` is 0 where all cost the same, and near 1 where one costs everything."""

    since: datetime
    until: datetime
    among: str
    spenders: int
    cost_micro_usd: int = 0
    estimated_cost_usd: float = 0.0
    gini: float = 0.0
    shares: list[Share] = []
    top: list[Spender] = []
    words: list[str] = []


class Cause(Record, frozen=True, kw_only=True):
    """Why a run cost more than usual: steps, retries, context, output or price."""

    cause: str
    times: float
    here: float = 0.0
    usual: float = 0.0
    words: str = ""


class OutlierRun(Record, frozen=True, kw_only=True):
    """A run that cost far more than its agent's usually do, `z` robust deviations away."""

    run_id: str
    tenant: str = ""
    agent: str
    user_id: str = ""
    at: datetime | None = None
    cost_micro_usd: int = 0
    estimated_cost_usd: float = 0.0
    usual_micro_usd: int = 0
    times: float = 0.0
    z: float = 0.0
    calls: int = 0
    models: list[str] = []
    causes: list[Cause] = []
    why: str = ""


class Outliers(Record, frozen=True, kw_only=True):
    """Runs that stand out, the farthest first."""

    since: datetime
    until: datetime
    threshold: float
    items: list[OutlierRun] = []


class Saving(Record, frozen=True, kw_only=True):
    """What one way of saving came to."""

    calls: int = 0
    tokens: int | None = None
    micro_usd: int = 0


class Savings(Record, frozen=True, kw_only=True):
    """What was saved by the provider's cache, by leaving out old context and by routes to cheaper models."""

    since: datetime
    until: datetime
    cost_micro_usd: int = 0
    saved_micro_usd: int = 0
    share: float = 0.0
    caching: Saving
    cache_hit_rate: float = 0.0
    trimming: Saving
    routing: Saving
    by: list[str] = []
    lines: list[UsageLine] = []


class Counted(Record, frozen=True, kw_only=True):
    """What one side counted; None = it does not say."""

    calls: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cost_micro_usd: int | None = None


class Difference(Record, frozen=True, kw_only=True):
    """One model on one day on which ledger and provider differ; `causes` are what may be behind it."""

    kind: str
    date: str
    model: str
    ours: Counted | None = None
    theirs: Counted | None = None
    what: list[str] = []
    causes: list[str] = []


class Reconciliation(Record, frozen=True, kw_only=True):
    """The ledger beside a provider's export; `agreed` counts the days of a model on which both say the same."""

    first: str | None = None
    last: str | None = None
    agreed: int = 0
    our_cost_micro_usd: int = 0
    their_cost_micro_usd: int | None = None
    differences: list[Difference] = []


def asked(
    since: datetime | None, until: datetime | None, where: Mapping[str, str | Sequence[str]] | None
) -> dict[str, Query]:
    """Filters as the API takes them."""
    return {"since": since, "until": until, **(where or {})}
