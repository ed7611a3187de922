"""Tenants and keys in the database.

A deployment admin's key has no tenant, so it is reached as qd_system only; a tenant's own as qd_app, held to it.
"""

from collections.abc import Sequence

from quarterdeck.core.ids import KeyId, TenantId
from quarterdeck.db.records import Tx
from quarterdeck.tenants.records import Grant, Key, KnownKey, Tenant

_TENANT = "tenant, slug, name, max_running, queue_limit, created_at, disabled_at"
_KEY = """
    id, tenant, name, roles, agents, environments, may_assert_user, created_by, created_at, expires_at, revoked_at,
    last_used_at"""

# Found a tenant; nothing when the slug is taken.
_ADD_TENANT = f"""
INSERT INTO qd.tenants (tenant, slug, name, blob_key, max_running, queue_limit) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (slug) DO NOTHING RETURNING {_TENANT}
"""

# All tenants by slug, from a position on: an admin's list.
_LIST_TENANTS = f"SELECT {_TENANT} FROM qd.tenants WHERE $1::text IS NULL OR slug > $1 ORDER BY slug LIMIT $2"

# One tenant by its slug, which is how people name it.
_FIND_TENANT = f"SELECT {_TENANT} FROM qd.tenants WHERE slug = $1"

# The same, held until the transaction ends, so that a change is made to what was read.
_LOCK_TENANT = f"SELECT {_TENANT} FROM qd.tenants WHERE slug = $1 FOR UPDATE"

# Write what an admin may change of a tenant; the time of its disabling is that of the first time.
_CHANGE_TENANT = f"""
UPDATE qd.tenants SET name = $2, max_running = $3, queue_limit = $4,
    disabled_at = CASE WHEN $5 THEN coalesce(disabled_at, now()) END
WHERE tenant = $1 RETURNING {_TENANT}
"""

# Add a key, with the hash of its secret.
_ADD_KEY = f"""
INSERT INTO qd.keys (id, tenant, name, hash, roles, agents, environments, may_assert_user, created_by, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING {_KEY}
"""

# A tenant's keys (or the deployment's, for a NULL tenant) by id, from a position on.
_LIST_KEYS = f"""
SELECT {_KEY} FROM qd.keys
WHERE tenant IS NOT DISTINCT FROM $1 AND ($2::text IS NULL OR id > $2) ORDER BY id LIMIT $3
"""

# One key of a tenant, or of the deployment.
_FIND_KEY = f"SELECT {_KEY} FROM qd.keys WHERE id = $2 AND tenant IS NOT DISTINCT FROM $1"

# End a key for good; ending it twice keeps the first time.
_REVOKE_KEY = """
UPDATE qd.keys SET revoked_at = coalesce(revoked_at, now()) WHERE id = $2 AND tenant IS NOT DISTINCT FROM $1
"""

# Let a key run out at a time, unless it ends before anyway.
_LIMIT_KEY = """
UPDATE qd.keys SET expires_at = least(coalesce(expires_at, 'infinity'), now() + make_interval(secs => $3))
WHERE id = $2 AND tenant IS NOT DISTINCT FROM $1
"""

# Note that a key is in use, at most once a minute whoever asks.
_TOUCH_KEY = """
UPDATE qd.keys SET last_used_at = now() WHERE id = $2 AND tenant IS NOT DISTINCT FROM $1
AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
"""

# What is needed to prove a key, found before its tenant is known.
_KNOW_KEY = "SELECT * FROM qd.find_key($1)"

# Whether the deployment has an admin key that still works.
_HAS_ADMIN = """
SELECT EXISTS (
    SELECT FROM qd.keys WHERE tenant IS NULL AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()))
"""

# One bootstrap at a time, until the transaction ends.
_LOCK_BOOTSTRAP = "SELECT pg_advisory_xact_lock(hashtextextended('quarterdeck bootstrap', 0))"


async def add_tenant(tx: Tx, tenant: Tenant, blob_key: bytes) -> Tenant | None:
    """Found a tenant (as qd_system); None when its slug is taken."""
    row = await tx.fetchrow(
        _ADD_TENANT, tenant.tenant, tenant.slug, tenant.name, blob_key, tenant.max_running, tenant.queue_limit
    )
    return Tenant(**row) if row else None


async def list_tenants(tx: Tx, after: str | None, limit: int) -> list[Tenant]:
    """Up to `limit` tenants by slug (as qd_system)."""
    return [Tenant(**row) for row in await tx.fetch(_LIST_TENANTS, after, limit)]


async def find_tenant(tx: Tx, slug: str, *, lock: bool = False) -> Tenant | None:
    """A tenant by its slug (as qd_system)."""
    row = await tx.fetchrow(_LOCK_TENANT if lock else _FIND_TENANT, slug)
    return Tenant(**row) if row else None


async def change_tenant(tx: Tx, tenant: Tenant) -> Tenant:
    """Write what may change of a tenant (as qd_system)."""
    row = await tx.fetchrow(
        _CHANGE_TENANT,
        tenant.tenant,
        tenant.name,
        tenant.max_running,
        tenant.queue_limit,
        tenant.disabled_at is not None,
    )
    assert row is not None, "the caller holds the row"
    return Tenant(**row)


async def add_key(
    tx: Tx, key_id: KeyId, tenant: TenantId | None, name: str, digest: bytes, grant: Grant, by: str
) -> Key:  # the columns of a row
    """Add a key."""
    row = await tx.fetchrow(
        _ADD_KEY,
        key_id,
        tenant,
        name,
        digest,
        sorted(grant.roles),
        _listed(grant.agents),
        _listed(grant.environments),
        grant.may_assert_user,
        by,
        grant.expires_at,
    )
    assert row is not None, "an INSERT without ON CONFLICT answers its row or raises"
    return Key(**row)


async def list_keys(tx: Tx, tenant: TenantId | None, after: str | None, limit: int) -> list[Key]:
    """Up to `limit` keys by id."""
    return [Key(**row) for row in await tx.fetch(_LIST_KEYS, tenant, after, limit)]


async def find_key(tx: Tx, tenant: TenantId | None, key_id: KeyId) -> Key | None:
    """One key of a tenant, or of the deployment."""
    row = await tx.fetchrow(_FIND_KEY, tenant, key_id)
    return Key(**row) if row else None


async def revoke_key(tx: Tx, tenant: TenantId | None, key_id: KeyId) -> bool:
    """End a key; false when there is none."""
    return _counted(await tx.execute(_REVOKE_KEY, tenant, key_id))


async def limit_key(tx: Tx, tenant: TenantId | None, key_id: KeyId, seconds: float) -> bool:
    """Let a key run out after some seconds at the latest; false when there is none."""
    return _counted(await tx.execute(_LIMIT_KEY, tenant, key_id, seconds))


async def touch_key(tx: Tx, tenant: TenantId | None, key_id: KeyId) -> None:
    """Note that a key is in use."""
    await tx.execute(_TOUCH_KEY, tenant, key_id)


async def know_key(tx: Tx, key_id: KeyId) -> KnownKey | None:
    """What is needed to prove a key, of whatever tenant."""
    row = await tx.fetchrow(_KNOW_KEY, key_id)
    return KnownKey(**row) if row else None


async def has_admin(tx: Tx) -> bool:
    """Whether there is an admin key that works; other bootstraps wait until this transaction ends."""
    await tx.execute(_LOCK_BOOTSTRAP)
    found: bool = await tx.fetchval(_HAS_ADMIN)
    return found


def _listed(names: frozenset[str] | None) -> Sequence[str] | None:
    return None if names is None else sorted(names)


def _counted(tag: str) -> bool:
    return tag != "UPDATE 0"
