"""What was used in whole windows, read from the ledger: what suggestions of limits rest on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from quarterdeck.budgets.records import Scope, Window
from quarterdeck.budgets.suggest import Measured, Spread, Suggestion
from quarterdeck.core.ids import TenantId
from quarterdeck.db.records import Row, Tx

_ONE: Mapping[Scope, str] = {
    Scope.REQUEST: "run::text || '/' || call || '/' || attempt || '/' || tried",
    # A run spends for those that it calls too.
    Scope.RUN: "root_run::text",
    Scope.THREAD: "thread::text",
    Scope.USER: "user_id",
    Scope.AGENT: "agent",
    Scope.TENANT: "tenant::text",
    Scope.EVERYTHING: "'*'",
}
"""What makes use one instance of a scope."""

# The whole windows among the last days: those that have begun before, and the one of now, are left out.
_SPAN = """
SELECT CASE $1 WHEN 'total' THEN now() - make_interval(days => $2)
        ELSE date_trunc($1, now() - make_interval(days => $2), $3) + ('1 ' || $1)::interval END AS since,
    CASE $1 WHEN 'total' THEN now() ELSE date_trunc($1, now(), $3) END AS until
"""

_USED = """
WITH used AS (
    SELECT {one} AS one, CASE $5 WHEN 'total' THEN 'epoch'::timestamptz ELSE date_trunc($5, at, $6) END AS starts,
        sum(cost_micro_usd)::bigint AS usd, sum(input + output)::bigint AS tokens,
        count(*) FILTER (WHERE NOT priced) AS unpriced
    FROM qd.usage
    WHERE ($1::uuid IS NULL OR tenant = $1) AND at >= $2 AND at < $3 AND ($4::text[] IS NULL OR agent = ANY($4))
        AND {one} IS NOT NULL AND ($7::text IS NULL OR {one} = $7)
    GROUP BY 1, 2)
"""

# How use was spread over instances and windows; with tenant NULL over all tenants, as qd_system.
_SPREAD = """{used}
SELECT count(*)::int AS samples, count(DISTINCT one)::int AS instances, count(DISTINCT starts)::int AS windows,
    coalesce(sum(unpriced), 0)::int AS unpriced,
    percentile_disc(ARRAY[0.5, 0.99, 1.0]) WITHIN GROUP (ORDER BY usd) AS usd,
    percentile_disc(ARRAY[0.5, 0.99, 1.0]) WITHIN GROUP (ORDER BY tokens) AS tokens
FROM used
"""

# How many would have run into limits.
_OVER = """{used}
SELECT count(*) FILTER (WHERE usd > $8)::int AS usd, count(*) FILTER (WHERE tokens > $9)::int AS tokens FROM used
"""


@dataclass(frozen=True, slots=True)
class Question:
    """Whose use is looked at. `tenant` None = all tenants'; `agents` None = all; `one` None = each one."""

    tenant: TenantId | None
    scope: Scope
    window: Window
    days: int
    zone: str
    agents: Sequence[str] | None = None
    one: str | None = None


async def measure(tx: Tx, asked: Question) -> Measured:
    """How use was spread in the whole windows among the last days."""
    span = await tx.fetchrow(_SPAN, asked.window, asked.days, asked.zone)
    assert span is not None  # no table is asked
    since, until = span["since"], span["until"]
    row = await tx.fetchrow(_SPREAD.format(used=_used(asked)), *_asked(asked, since, until))
    assert row is not None  # an aggregate always answers
    return Measured(
        scope=asked.scope,
        window=asked.window,
        since=since,
        until=until,
        samples=row["samples"],
        instances=row["instances"],
        windows=row["windows"],
        micro_usd=_spread(row, "usd"),
        tokens=_spread(row, "tokens"),
        unpriced=row["unpriced"],
    )


async def over(tx: Tx, asked: Question, measured: Measured, limits: Suggestion) -> tuple[int, int]:
    """How many samples used more than the suggested money, and more than the suggested tokens."""
    row = await tx.fetchrow(
        _OVER.format(used=_used(asked)),
        *_asked(asked, measured.since, measured.until),
        *(limits.max_micro_usd, limits.max_tokens),
    )
    assert row is not None  # the same
    return row["usd"], row["tokens"]


def _used(asked: Question) -> str:
    return _USED.format(one=_ONE[asked.scope])


def _asked(asked: Question, since: datetime, until: datetime) -> tuple[object, ...]:
    agents = None if asked.agents is None else list(asked.agents)
    return (asked.tenant, since, until, agents, asked.window, asked.zone, asked.one)


def _spread(row: Row, unit: str) -> Spread:
    p50, p99, most = row[unit] or (0, 0, 0)
    return Spread(p50 or 0, p99 or 0, most or 0)
