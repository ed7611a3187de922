"""What the ledger says of the last hour and of such hours before, and of calls without an outcome. As qd_system."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from quarterdeck.alerts.records import Hours, Presumed
from quarterdeck.core.ids import TenantId
from quarterdeck.db.records import Row, Tx

BACK = 7
"""Days before that an hour is compared with."""

# Who spent anything worth a look in the last hour: tenants (agent NULL), and agents of theirs.
_BUSY = """
SELECT tenant, agent, sum(cost_micro_usd)::bigint AS spent FROM qd.usage
WHERE at > $1::timestamptz - interval '1 hour' AND at <= $1
GROUP BY GROUPING SETS ((tenant), (tenant, agent)) HAVING sum(cost_micro_usd) >= $2
"""

# What one tenant (agent NULL = all of it) spent in the hour before the last (n = 0), and in the same hour of each day
# before (n = 1 ...), as far back as there is any usage of it.
_BEFORE = """
WITH first AS (
    SELECT min(at) AS at FROM qd.usage
    WHERE tenant = $1 AND ($2::text IS NULL OR agent = $2)
      AND at > $3::timestamptz - make_interval(days => $4, hours => 1)),
spans AS (
    SELECT n, $3::timestamptz - make_interval(days => n, hours => CASE n WHEN 0 THEN 1 ELSE 0 END) AS until
    FROM generate_series(0, $4) AS n)
SELECT s.n, (
    SELECT coalesce(sum(u.cost_micro_usd), 0)::bigint FROM qd.usage u
    WHERE u.tenant = $1 AND ($2::text IS NULL OR u.agent = $2)
      AND u.at > s.until - interval '1 hour' AND u.at <= s.until) AS spent
FROM spans s, first WHERE s.n = 0 OR first.at <= s.until
ORDER BY s.n
"""

# Calls of the last day that were booked as spent because their outcome never came.
_PRESUMED = """
SELECT tenant, agent, count(*)::int AS calls, sum(cost_micro_usd)::bigint AS spent, max(at) AS last_at FROM qd.usage
WHERE state = 'presumed' AND at > $1::timestamptz - interval '1 day' GROUP BY tenant, agent
"""


async def hours(tx: Tx, at: datetime, least: int) -> list[Hours]:
    """The last 60 minutes of whoever spent at least so many micro-USD in them, with what to compare them with."""
    found: list[Hours] = []
    for row in await tx.fetch(_BUSY, at, least):
        tenant, agent = TenantId(row["tenant"]), row["agent"]
        before = await tx.fetch(_BEFORE, tenant, agent, at, BACK)
        found.append(Hours(tenant, agent, row["spent"], tuple(_days(before)), _hour_before(before)))
    return found


async def presumed(tx: Tx, at: datetime) -> list[Presumed]:
    """Calls of the last day whose outcome never came, by agent."""
    return [
        Presumed(TenantId(row["tenant"]), row["agent"], row["calls"], row["spent"], row["last_at"])
        for row in await tx.fetch(_PRESUMED, at)
    ]


def _days(rows: Iterable[Row]) -> Iterable[int]:
    return (int(row["spent"]) for row in rows if row["n"] > 0)


def _hour_before(rows: Sequence[Row]) -> int:
    return next((int(row["spent"]) for row in rows if row["n"] == 0), 0)
