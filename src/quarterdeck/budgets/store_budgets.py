"""Live budgets in the database: a tenant's own, as qd_app held to it; the deployment's (tenant NULL), as qd_system."""

from collections.abc import Sequence
from uuid import UUID

from quarterdeck.budgets.records import Budget, Scope, Window
from quarterdeck.core.ids import TenantId, uuid7
from quarterdeck.db.records import Row, Tx

_COLUMNS = """id, tenant, name, scope, target, target_tenant, period, max_micro_usd, max_tokens, rpm_limit, tpm_limit,
    alert_at, why, set_by, created_at, updated_at"""

# A page of a tenant's budgets, or of the deployment's, by name.
_LIST = f"""
SELECT {_COLUMNS} FROM qd.budgets WHERE tenant IS NOT DISTINCT FROM $1 AND ($2::text IS NULL OR name > $2)
ORDER BY name LIMIT $3
"""

# The deployment's budgets that speak of a tenant by name, of every tenant by itself, or of everything.
_HITTING = f"""
SELECT {_COLUMNS} FROM qd.budgets WHERE tenant IS NULL
  AND CASE WHEN scope = 'tenant' AND target <> '*' THEN target_tenant = $1 ELSE true END ORDER BY name
"""

# One budget.
_FIND = f"SELECT {_COLUMNS} FROM qd.budgets WHERE tenant IS NOT DISTINCT FROM $1 AND name = $2"

# The same, held until the transaction ends.
_LOCK = f"{_FIND} FOR UPDATE"

# How many budgets a tenant or the deployment has.
_COUNT = "SELECT count(*) FROM qd.budgets WHERE tenant IS NOT DISTINCT FROM $1"

# Write a budget, new or anew. The time moves forward even within a microsecond: versions are told apart by it.
_WRITE = f"""
INSERT INTO qd.budgets AS b (id, tenant, name, scope, target, target_tenant, period, max_micro_usd, max_tokens,
    rpm_limit, tpm_limit, alert_at, why, set_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (tenant, name) DO UPDATE SET scope = excluded.scope, target = excluded.target,
    target_tenant = excluded.target_tenant, period = excluded.period, max_micro_usd = excluded.max_micro_usd,
    max_tokens = excluded.max_tokens, rpm_limit = excluded.rpm_limit, tpm_limit = excluded.tpm_limit,
    alert_at = excluded.alert_at, why = excluded.why, set_by = excluded.set_by,
    updated_at = greatest(clock_timestamp(), b.updated_at + interval '1 microsecond')
RETURNING {_COLUMNS}
"""

# Remove a budget.
_DELETE = "DELETE FROM qd.budgets WHERE tenant IS NOT DISTINCT FROM $1 AND name = $2 RETURNING name"

# Every budget of everybody, for the book that each process keeps: a few rows a tenant.
_EVERY = f"SELECT {_COLUMNS} FROM qd.budgets"

# What tells whether any budget anywhere has changed, whatever order the changes were committed in.
_STAMP = "SELECT count(*), coalesce(sum((extract(epoch FROM updated_at) * 1000000)::bigint), 0)::text FROM qd.budgets"

# The tenant that has a slug.
_TENANT_OF = "SELECT tenant FROM qd.tenants WHERE slug = $1"


async def page(tx: Tx, tenant: TenantId | None, after: str | None, limit: int) -> list[Budget]:
    """Budgets of a tenant, or for None of the deployment, by name, after the one named."""
    return [_budget(row) for row in await tx.fetch(_LIST, tenant, after, limit)]


async def hitting(tx: Tx, tenant: TenantId) -> list[Budget]:
    """The deployment's budgets that hold for a tenant, which may see them from inside."""
    return [_budget(row) for row in await tx.fetch(_HITTING, tenant)]


async def find(tx: Tx, tenant: TenantId | None, name: str, *, lock: bool = False) -> Budget | None:
    """One budget, held until the transaction ends if so wanted."""
    row = await tx.fetchrow(_LOCK if lock else _FIND, tenant, name)
    return None if row is None else _budget(row)


async def count(tx: Tx, tenant: TenantId | None) -> int:
    """How many budgets a tenant, or the deployment, has."""
    return await tx.fetchval(_COUNT, tenant)


async def write(tx: Tx, budget: Budget) -> Budget:
    """Write a budget, new or anew: one that was there keeps its id, and with it what was counted."""
    row = await tx.fetchrow(
        _WRITE,
        *(uuid7(), budget.tenant, budget.name, budget.scope, budget.target, budget.target_tenant, budget.window),
        *(budget.max_micro_usd, budget.max_tokens, budget.rpm_limit, budget.tpm_limit, list(budget.alert_at)),
        *(budget.why, budget.set_by),
    )
    assert row is not None  # an INSERT that returns
    return _budget(row)


async def delete(tx: Tx, tenant: TenantId | None, name: str) -> bool:
    """Remove a budget; whether there was one."""
    return await tx.fetchval(_DELETE, tenant, name) is not None


async def every(tx: Tx) -> Sequence[Budget]:
    """Every budget, in qd_system's transaction."""
    return [_budget(row) for row in await tx.fetch(_EVERY)]


async def stamp(tx: Tx) -> tuple[int, str]:
    """A value that differs when any budget anywhere has changed, in qd_system's transaction."""
    row = await tx.fetchrow(_STAMP)
    assert row is not None  # an aggregate always answers
    return (row[0], row[1])


async def tenant_of(tx: Tx, slug: str) -> TenantId | None:
    """The tenant of this slug, in qd_system's transaction."""
    found: UUID | None = await tx.fetchval(_TENANT_OF, slug)
    return None if found is None else TenantId(found)


def _budget(row: Row) -> Budget:
    return Budget(
        name=row["name"],
        scope=Scope(row["scope"]),
        target=row["target"],
        window=Window(row["period"]),
        max_micro_usd=row["max_micro_usd"],
        max_tokens=row["max_tokens"],
        rpm_limit=row["rpm_limit"],
        tpm_limit=row["tpm_limit"],
        alert_at=tuple(row["alert_at"]),
        why=row["why"],
        set_by=row["set_by"],
        tenant=None if row["tenant"] is None else TenantId(row["tenant"]),
        target_tenant=None if row["target_tenant"] is None else TenantId(row["target_tenant"]),
        id=row["id"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
