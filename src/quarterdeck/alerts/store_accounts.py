"""How the accounts of budgets stand that anybody could want to be told of. As qd_system.

Accounts of requests, runs and threads are not among them: they end with what they belong to, and the report of runs
that are near a limit speaks of them.
"""

from quarterdeck.alerts.exhaustion import FULL
from quarterdeck.alerts.records import Account
from quarterdeck.budgets.records import ALERTS, Scope, Window
from quarterdeck.budgets.store_spending import PRESENT
from quarterdeck.budgets.wording import DURATIONS
from quarterdeck.core.ids import TenantId
from quarterdeck.db.records import Row, Tx

LEAST = 15
"""Per cent of a limit below which nothing follows from an account."""
NAMED = 5
"""Accounts that are read of each budget that holds for each user by itself, at each level: the others are counted."""

# Accounts in their present window, with what the limit is now: a live budget's own word; what was held to last where
# releases declare it. A budget that is gone or has another window limits nothing any more.
_LIMITED = """
WITH limited AS (
    SELECT p.*, b.name, coalesce(b.alert_at, '{{{levels}}}') AS alert_at, p.spent + p.uncovered AS used,
        p.scope = 'user' AND (p.budget IS NULL OR b.target = '*') AS each,
        CASE WHEN p.budget IS NULL THEN p.basis
            WHEN p.unit = 'usd' THEN b.max_micro_usd ELSE b.max_tokens END AS most
    FROM ({present} AND a.scope IN ({scopes})) p
    LEFT JOIN qd.budgets b ON b.id = p.budget AND b.period = p.period)
"""


def _limited(scopes: str) -> str:
    return _LIMITED.format(present=PRESENT, scopes=scopes, levels=",".join(map(str, ALERTS)))


# Those of agents, tenants and everything: few, and many spend from them.
_SHARED = f"""{_limited("'agent', 'tenant', 'everything'")}
SELECT *, 1 AS alike FROM limited WHERE most IS NOT NULL AND (uncovered > 0 OR used * 100 >= most * {LEAST})
"""

# Those of users: as many as there are. Of those that stand alike, the first few and how many they are.
_OF_USERS = f"""{_limited("'user'")},
levelled AS (
    SELECT *, (SELECT max(l) FROM unnest(alert_at) AS l WHERE used * 100 >= most * least(l, {FULL})) AS level
    FROM limited WHERE most IS NOT NULL),
placed AS (
    SELECT *, count(*) OVER alike AS alike, row_number() OVER (alike ORDER BY used DESC, account) AS place FROM levelled
    WINDOW alike AS (PARTITION BY tenant, budget, period, unit, starts, most, level))
SELECT * FROM placed
WHERE uncovered > 0 OR (level IS NOT NULL AND place <= {NAMED}) OR (NOT each AND used * 100 >= most * {LEAST})
"""


async def shared(tx: Tx) -> list[Account]:
    """The accounts of agents, tenants and everything of which a part worth a look is used."""
    return [_account(row) for row in await tx.fetch(_SHARED)]


async def of_users(tx: Tx) -> list[Account]:
    """The accounts of users that have reached a level, the first few of those that stand alike."""
    return [_account(row) for row in await tx.fetch(_OF_USERS)]


def _account(row: Row) -> Account:
    scope, declared = Scope(row["scope"]), row["budget"] is None
    agent = row["whose"] if scope is Scope.AGENT else None
    window = Window(row["period"])
    return Account(
        tenant=None if row["tenant"] is None else TenantId(row["tenant"]),
        budget=_declared_name(scope, window, agent) if declared else row["name"],
        scope=scope,
        one=row["whose"] if scope in {Scope.USER, Scope.AGENT} else "",
        each=row["each"],
        window=window,
        unit=row["unit"],
        limit=row["most"],
        spent=row["used"],
        reserved=row["reserved"],
        uncovered=row["uncovered"],
        # What never renews began when somebody first spent of it.
        began_at=row["opened_at"] if row["ends"] is None else row["starts"],
        renews_at=row["ends"],
        agent=agent,
        alert_at=tuple(row["alert_at"]),
        alike=row["alike"],
    )


def _declared_name(scope: Scope, window: Window, agent: str | None) -> str:
    """What a limit is called that releases declare: nobody gave it a name."""
    return f"{agent or 'releases'}:{scope}:{DURATIONS[window]}"
