"""A tenant's limits in the database."""

from collections.abc import Sequence

from quarterdeck.core.ids import TenantId
from quarterdeck.db.records import Row, Tx
from quarterdeck.rates.records import Limit, Scope

_COLUMNS = "name, scope, target, calls, every, concurrency, why, set_by, created_at, updated_at"

# A page of a tenant's limits, by name.
_LIST = f"SELECT {_COLUMNS} FROM qd.rates WHERE tenant = $1 AND ($2::text IS NULL OR name > $2) ORDER BY name LIMIT $3"

# One limit.
_FIND = f"SELECT {_COLUMNS} FROM qd.rates WHERE tenant = $1 AND name = $2"

# The same, held until the transaction ends.
_LOCK = f"{_FIND} FOR UPDATE"

# How many limits a tenant has.
_COUNT = "SELECT count(*) FROM qd.rates WHERE tenant = $1"

# Write a limit, new or anew. The time moves forward even within a microsecond: versions are told apart by it.
_WRITE = f"""
INSERT INTO qd.rates AS r (tenant, name, scope, target, calls, every, concurrency, why, set_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (tenant, name) DO UPDATE SET scope = excluded.scope, target = excluded.target, calls = excluded.calls,
    every = excluded.every, concurrency = excluded.concurrency, why = excluded.why, set_by = excluded.set_by,
    updated_at = greatest(clock_timestamp(), r.updated_at + interval '1 microsecond')
RETURNING {_COLUMNS}
"""

# Remove a limit.
_DELETE = "DELETE FROM qd.rates WHERE tenant = $1 AND name = $2 RETURNING name"

# Every tenant's limits, for the book that each worker keeps: a few rows a tenant.
_EVERY = f"SELECT tenant, {_COLUMNS} FROM qd.rates"

# What tells whether any limit anywhere has changed, whatever order the changes were committed in.
_STAMP = "SELECT count(*), coalesce(sum((extract(epoch FROM updated_at) * 1000000)::bigint), 0)::text FROM qd.rates"


async def page(tx: Tx, tenant: TenantId, after: str | None, limit: int) -> list[Limit]:
    """Limits by name, after the one named."""
    return [_limit(row) for row in await tx.fetch(_LIST, tenant, after, limit)]


async def find(tx: Tx, tenant: TenantId, name: str, *, lock: bool = False) -> Limit | None:
    """One limit, held until the transaction ends if so wanted."""
    row = await tx.fetchrow(_LOCK if lock else _FIND, tenant, name)
    return None if row is None else _limit(row)


async def count(tx: Tx, tenant: TenantId) -> int:
    """How many limits a tenant has."""
    return await tx.fetchval(_COUNT, tenant)


async def write(tx: Tx, tenant: TenantId, limit: Limit) -> Limit:
    """Write a limit, new or anew."""
    row = await tx.fetchrow(
        _WRITE,
        *(tenant, limit.name, limit.scope, limit.target, limit.calls, limit.every, limit.concurrency),
        *(limit.why, limit.set_by),
    )
    assert row is not None  # an INSERT that returns
    return _limit(row)


async def delete(tx: Tx, tenant: TenantId, name: str) -> bool:
    """Remove a limit; whether there was one."""
    return await tx.fetchval(_DELETE, tenant, name) is not None


async def every(tx: Tx) -> Sequence[tuple[TenantId, Limit]]:
    """Every tenant's limits, in qd_system's transaction."""
    return [(TenantId(row["tenant"]), _limit(row)) for row in await tx.fetch(_EVERY)]


async def stamp(tx: Tx) -> tuple[int, str]:
    """A value that differs when any limit anywhere has changed, in qd_system's transaction."""
    row = await tx.fetchrow(_STAMP)
    assert row is not None  # an aggregate always answers
    return (row[0], row[1])


def _limit(row: Row) -> Limit:
    return Limit(
        name=row["name"],
        scope=Scope(row["scope"]),
        target=row["target"],
        calls=row["calls"],
        every=row["every"],
        concurrency=row["concurrency"],
        why=row["why"],
        set_by=row["set_by"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
