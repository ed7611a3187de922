"""SQL of tenants' policies. A change is a new row; the newest version of a name is what is in force."""

from quarterdeck.core.ids import TenantId
from quarterdeck.db.records import Row, Tx
from quarterdeck.policies.tenant import TenantPolicy

_COLUMNS = "name, version, text, why, set_by, set_at"

# What is in force in a tenant, by name.
IN_FORCE = f"""
SELECT {_COLUMNS} FROM (
    SELECT DISTINCT ON (name) {_COLUMNS} FROM qd.policies WHERE tenant = $1 ORDER BY name, version DESC) newest
WHERE text IS NOT NULL AND name > $2 ORDER BY name LIMIT $3
"""

# The newest version of a name, removals included.
NEWEST = f"SELECT {_COLUMNS} FROM qd.policies WHERE tenant = $1 AND name = $2 ORDER BY version DESC LIMIT 1"

# One version of a name.
VERSION = f"SELECT {_COLUMNS} FROM qd.policies WHERE tenant = $1 AND name = $2 AND version = $3"

# All versions of a name, the newest first.
HISTORY = f"""
SELECT {_COLUMNS} FROM qd.policies
WHERE tenant = $1 AND name = $2 AND ($3::int IS NULL OR version < $3) ORDER BY version DESC LIMIT $4
"""

# Add a version; nothing when somebody else was quicker.
ADD = f"""
INSERT INTO qd.policies (tenant, name, version, text, why, set_by) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING RETURNING {_COLUMNS}
"""

# Whether anything changed in any tenant. Rows are only ever added, so their number says it, whatever order they were
# committed in; the newest time stands beside it for the day on which a tenant is erased.
CHANGES = "SELECT count(*) || ' ' || coalesce(max(set_at)::text, '') FROM qd.policies"

# Every tenant's policies in force: what a process keeps in memory.
EVERY = """
SELECT tenant, name, version, text FROM (
    SELECT DISTINCT ON (tenant, name) tenant, name, version, text FROM qd.policies
    ORDER BY tenant, name, version DESC) newest
WHERE text IS NOT NULL ORDER BY tenant, name
"""


async def in_force(tx: Tx, tenant: TenantId, after: str = "", limit: int | None = None) -> list[TenantPolicy]:
    """A tenant's policies that are in force, by name."""
    return [_policy(row) for row in await tx.fetch(IN_FORCE, tenant, after, limit)]


async def newest(tx: Tx, tenant: TenantId, name: str) -> TenantPolicy | None:
    """The newest version of a name; its text is None where it was removed."""
    row = await tx.fetchrow(NEWEST, tenant, name)
    return None if row is None else _policy(row)


async def version(tx: Tx, tenant: TenantId, name: str, number: int) -> TenantPolicy | None:
    """One version of a name."""
    row = await tx.fetchrow(VERSION, tenant, name, number)
    return None if row is None else _policy(row)


async def history(tx: Tx, tenant: TenantId, name: str, before: int | None, limit: int) -> list[TenantPolicy]:
    """The versions of a name, the newest first."""
    return [_policy(row) for row in await tx.fetch(HISTORY, tenant, name, before, limit)]


async def add(
    tx: Tx, tenant: TenantId, name: str, number: int, text: str | None, why: str, by: str
) -> TenantPolicy | None:
    """Add a version; None when there is one of this number already."""
    row = await tx.fetchrow(ADD, tenant, name, number, text, why, by)
    return None if row is None else _policy(row)


async def changes(tx: Tx) -> str:
    """A word that is another one after every change in any tenant; for qd_system."""
    return await tx.fetchval(CHANGES)


async def every(tx: Tx) -> list[tuple[TenantId, str, str]]:
    """Tenant, name and text of every policy in force; for qd_system."""
    return [(TenantId(row["tenant"]), row["name"], row["text"]) for row in await tx.fetch(EVERY)]


def _policy(row: Row) -> TenantPolicy:
    return TenantPolicy(row["name"], row["version"], row["text"], row["why"], row["set_by"], row["set_at"])
