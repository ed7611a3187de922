"""How accounts stand, as people look at them: in their present window, all slots together.

A tenant's transaction sees its own accounts and those of everything; qd_system's sees all (tenant NULL).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from quarterdeck.budgets.records import Account, Scope, Unit, Window
from quarterdeck.core.ids import TenantId
from quarterdeck.db.records import Row, Tx

PRESENT = """
    SELECT a.account, a.tenant, a.budget, a.scope, a.whose, a.period, a.unit, a.opened_at, w.*
    FROM qd.budget_accounts a CROSS JOIN LATERAL (
        SELECT s.starts, s.ends, sum(s.spent)::bigint AS spent, sum(s.reserved)::bigint AS reserved,
            sum(s.uncovered)::bigint AS uncovered, sum(s.presumed)::bigint AS presumed, max(s.basis) AS basis
        FROM qd.budget_slots s WHERE s.account = a.account
        GROUP BY s.starts, s.ends ORDER BY s.starts DESC LIMIT 1) w
    WHERE a.unit <> 'requests' AND a.period <> 'minute' AND (w.ends IS NULL OR w.ends > clock_timestamp())
"""
"""Accounts in their present window, to be narrowed by whoever reads them: SQL to go on with `AND`."""

_MINE = "($1::uuid IS NULL OR a.tenant = $1 OR a.tenant IS NULL)"
_SLUG = "(SELECT t.slug FROM qd.tenants t WHERE t.tenant = {account}.tenant) AS slug"

# Of live budgets, the account that has used most of each, and how many there are. A budget that means another window
# by now has nothing in this one.
_FIRST = f"""
SELECT DISTINCT ON (budget, unit) f.*, {_SLUG.format(account="f")} FROM (
    SELECT p.*, b.name, CASE p.unit WHEN 'usd' THEN b.max_micro_usd ELSE b.max_tokens END AS most,
        count(*) OVER (PARTITION BY p.budget, p.unit)::int AS accounts
    FROM ({PRESENT} AND a.budget = ANY($2::uuid[]) AND {_MINE}) p
    JOIN qd.budgets b ON b.id = p.budget AND b.period = p.period
    WHERE CASE p.unit WHEN 'usd' THEN b.max_micro_usd ELSE b.max_tokens END IS NOT NULL) f
ORDER BY budget, unit, spent + uncovered DESC, account
"""

# The same of what releases declare, by scope and window; one agent's own account stands by itself.
_FIRST_DECLARED = f"""
SELECT DISTINCT ON (scope, period, unit, of_agent) f.*, NULL AS slug FROM (
    SELECT p.*, '' AS name, p.basis AS most, CASE WHEN p.scope = 'agent' THEN p.whose END AS of_agent,
        count(*) OVER (PARTITION BY p.scope, p.period, p.unit, CASE WHEN p.scope = 'agent' THEN p.whose END)::int
            AS accounts
    FROM ({PRESENT} AND a.budget IS NULL AND a.tenant = $1 AND a.scope IN ('user', 'agent')) p) f
ORDER BY scope, period, unit, of_agent, spent + uncovered DESC, account
"""

# The accounts of one live budget in one unit, those that used most first, from behind a position on.
_TOP = f"""
SELECT f.*, {_SLUG.format(account="f")} FROM (
    SELECT p.*, b.name, CASE p.unit WHEN 'usd' THEN b.max_micro_usd ELSE b.max_tokens END AS most, 1 AS accounts,
        p.spent + p.uncovered AS used
    FROM ({PRESENT} AND a.budget = $2 AND a.unit = $3 AND {_MINE}) p
    JOIN qd.budgets b ON b.id = p.budget AND b.period = p.period
    WHERE $6::text[] IS NULL OR p.scope <> 'agent' OR p.whose = ANY($6)) f
WHERE $4::bigint IS NULL OR (f.used, f.account) < ($4, $5::uuid)
ORDER BY f.used DESC, f.account DESC LIMIT $7
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """An account, the slug of the tenant whose it is, and of how many it is the one that used most."""

    account: Account
    slug: str
    accounts: int


@dataclass(frozen=True, slots=True)
class DeclaredKey:
    """What tells accounts of declared limits apart: `agent` is set where the scope is."""

    scope: Scope
    window: Window
    agent: str | None


async def first(tx: Tx, tenant: TenantId | None, budgets: Sequence[UUID]) -> dict[UUID, list[Standing]]:
    """Of each of these live budgets and each unit, the account that has used most in its present window."""
    found: dict[UUID, list[Standing]] = {}
    for row in await tx.fetch(_FIRST, tenant, list(budgets)):
        found.setdefault(row["budget"], []).append(_standing(row))
    return found


async def first_declared(tx: Tx, tenant: TenantId) -> Mapping[DeclaredKey, list[Standing]]:
    """The same of what releases declare for users and agents."""
    found: dict[DeclaredKey, list[Standing]] = {}
    for row in await tx.fetch(_FIRST_DECLARED, tenant):
        key = DeclaredKey(Scope(row["scope"]), Window(row["period"]), row["of_agent"])
        found.setdefault(key, []).append(_standing(row))
    return found


async def top(
    tx: Tx,
    tenant: TenantId | None,
    budget: UUID,
    unit: Unit,
    after: tuple[int, UUID] | None,
    agents: Sequence[str] | None,
    limit: int,
) -> list[Standing]:
    """The accounts of a live budget, those that used most first, from behind a position on."""
    used, account = after or (None, None)
    only = None if agents is None else list(agents)
    return [_standing(row) for row in await tx.fetch(_TOP, tenant, budget, unit, used, account, only, limit)]


def _standing(row: Row) -> Standing:
    ends: datetime | None = row["ends"]
    account = Account(
        account=row["account"],
        tenant=None if row["tenant"] is None else TenantId(row["tenant"]),
        budget=row["budget"],
        name=row["name"],
        scope=Scope(row["scope"]),
        whose=row["whose"],
        window=Window(row["period"]),
        unit=Unit(row["unit"]),
        # What never renews began when somebody first spent of it.
        starts=row["opened_at"] if ends is None else row["starts"],
        ends=ends,
        limit=row["most"],
        spent=row["spent"],
        reserved=row["reserved"],
        uncovered=row["uncovered"],
        presumed=row["presumed"],
    )
    return Standing(account, row["slug"] or "", row["accounts"])
