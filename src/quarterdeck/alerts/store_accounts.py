"""How the accounts of budgets stand that anybody could want to be told of. As qd_system.

Accounts of requests, runs and threads are not among them: they end with what they belong to, and the report of runs
that are near a limit speaks of them.
"""

from quarterdeck.alerts.records import Account
from quarterdeck.budgets.records import ALERTS, EVERY_ONE, Scope, Window
from quarterdeck.budgets.store_spending import PRESENT
from quarterdeck.budgets.wording import DURATIONS
from quarterdeck.core.ids import TenantId
from quarterdeck.db.records import Row, Tx

LEAST = 15
"""Per cent of a limit below which nothing follows from an account."""

# Accounts in their present window, with what the limit is now: a live budget's own word; what was held to last where
# releases declare it. A budget that is gone or has another window limits nothing any more.
_ACCOUNTS = """
WITH limited AS (
    SELECT p.*, b.name, b.target, b.alert_at, CASE WHEN p.budget IS NULL THEN p.basis
        WHEN p.unit = 'usd' THEN b.max_micro_usd ELSE b.max_tokens END AS most
    FROM ({present} AND a.scope IN ({scopes})) p
    LEFT JOIN qd.budgets b ON b.id = p.budget AND b.period = p.period)
SELECT * FROM limited
WHERE most IS NOT NULL AND (uncovered > 0 OR (spent + uncovered) * 100 >= most * $1)
"""
SHARED = _ACCOUNTS.format(present=PRESENT, scopes="'agent', 'tenant', 'everything'")
"""Those of agents, tenants and everything: few, and many spend from them."""
OF_USERS = _ACCOUNTS.format(present=PRESENT, scopes="'user'")
"""Those of users: as many as there are."""


async def shared(tx: Tx) -> list[Account]:
    """How the accounts of agents, tenants and everything stand, of which a part worth a look is used."""
    return [_account(row) for row in await tx.fetch(SHARED, LEAST)]


async def of_users(tx: Tx) -> list[Account]:
    """The same of users."""
    return [_account(row) for row in await tx.fetch(OF_USERS, LEAST)]


def _account(row: Row) -> Account:
    scope, declared = Scope(row["scope"]), row["budget"] is None
    agent = row["whose"] if scope is Scope.AGENT else None
    window = Window(row["period"])
    return Account(
        tenant=None if row["tenant"] is None else TenantId(row["tenant"]),
        budget=_declared_name(scope, window, agent) if declared else row["name"],
        scope=scope,
        one=row["whose"] if scope in {Scope.USER, Scope.AGENT} else "",
        each=scope is Scope.USER and (declared or row["target"] == EVERY_ONE),
        window=window,
        unit=row["unit"],
        limit=row["most"],
        spent=row["spent"] + row["uncovered"],
        reserved=row["reserved"],
        uncovered=row["uncovered"],
        # What never renews began when somebody first spent of it.
        began_at=row["opened_at"] if row["ends"] is None else row["starts"],
        renews_at=row["ends"],
        agent=agent,
        alert_at=tuple(row["alert_at"]) if row["alert_at"] is not None else ALERTS,
    )


def _declared_name(scope: Scope, window: Window, agent: str | None) -> str:
    """What a limit is called that releases declare: nobody gave it a name."""
    return f"{agent or 'releases'}:{scope}:{DURATIONS[window]}"
