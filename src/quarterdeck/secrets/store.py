"""Secrets in the database: in the tenant's own transaction, or that of the nil tenant for the deployment's."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from quarterdeck.core.ids import RunId, TenantId, uuid7
from quarterdeck.core.json import Json, encode_text
from quarterdeck.db.records import Row, Tx
from quarterdeck.secrets.records import Sealed, Secret, WrappedKey

_COLUMNS = """s.name, s.version, s.description, s.due_at, s.told_at, s.leaks, s.leaked_at, s.created_at, s.updated_at,
    v.set_by, v.set_at"""
_JOINED = "qd.secrets s JOIN qd.secret_versions v ON v.tenant = s.tenant AND v.name = s.name AND v.version = s.version"

# A tenant's secrets behind a name, or those that are due only.
LIST = f"""
SELECT {_COLUMNS} FROM {_JOINED} WHERE s.tenant = $1 AND s.name > $2 AND (NOT $3 OR s.due_at <= now())
ORDER BY s.name LIMIT $4
"""

# One secret.
FIND = f"SELECT {_COLUMNS} FROM {_JOINED} WHERE s.tenant = $1 AND s.name = $2"

# The same, held against other writers until the transaction ends.
LOCK = f"{FIND} FOR UPDATE OF s"

# Writers of one secret take turns, also while there is none yet.
TURN = "SELECT pg_advisory_xact_lock(hashtextextended($1::uuid::text || '/' || $2, 9))"

# How many secrets a tenant has.
COUNT = "SELECT count(*) FROM qd.secrets WHERE tenant = $1"

# Write a secret. A new due date is told of anew.
WRITE = """
INSERT INTO qd.secrets (tenant, name, version, description, due_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant, name) DO UPDATE SET version = $3, description = $4, due_at = $5,
    told_at = CASE WHEN qd.secrets.due_at IS NOT DISTINCT FROM $5 THEN qd.secrets.told_at END,
    updated_at = greatest(clock_timestamp(), qd.secrets.updated_at + interval '1 microsecond')
"""

# A version of a value.
ADD_VERSION = """
INSERT INTO qd.secret_versions (tenant, name, version, key, sealed, set_by, set_at)
VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp())
"""

# Forget the versions that nobody can come upon any more.
FORGET = "DELETE FROM qd.secret_versions WHERE tenant = $1 AND name = $2 AND version <= $3"

# Remove a secret with all its versions.
REMOVE = "DELETE FROM qd.secrets WHERE tenant = $1 AND name = $2 RETURNING name"

# The kept versions of some secrets.
VALUES = """
SELECT name, version, key, sealed FROM qd.secret_versions WHERE tenant = $1 AND name = ANY($2::text[])
"""

# Every value of a tenant, held until the transaction ends.
ALL_VALUES = "SELECT name, version, key, sealed FROM qd.secret_versions WHERE tenant = $1 FOR UPDATE"

# A value under another data key.
RESEAL = "UPDATE qd.secret_versions SET key = $4, sealed = $5 WHERE tenant = $1 AND name = $2 AND version = $3"

# A tenant's data keys.
KEYS = "SELECT tenant, id, master, wrapped FROM qd.secret_keys WHERE tenant = $1"

# The data key that new values are sealed under, kept from being replaced until the transaction ends.
CURRENT_KEY = "SELECT tenant, id, master, wrapped FROM qd.secret_keys WHERE tenant = $1 AND current FOR SHARE"

# The same, held by whoever replaces it.
LOCK_KEY = "SELECT tenant, id, master, wrapped FROM qd.secret_keys WHERE tenant = $1 AND current FOR UPDATE"

# A tenant's first data key, or the one after the one before; nothing where another was faster.
ADD_KEY = """
INSERT INTO qd.secret_keys (tenant, id, master, wrapped) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant) WHERE current DO NOTHING
"""

# No new value is sealed under this key any more.
RETIRE_KEY = "UPDATE qd.secret_keys SET current = false WHERE tenant = $1 AND id = $2"

# Keys that nothing is sealed under any more.
FORGET_KEYS = """
DELETE FROM qd.secret_keys k WHERE k.tenant = $1 AND NOT k.current
    AND NOT EXISTS (SELECT 1 FROM qd.secret_versions v WHERE v.tenant = $1 AND v.key = k.id)
"""

# All tenants' data keys under other master keys than the one in force, held until the transaction ends. As qd_system.
WRAPPED_OTHERWISE = "SELECT tenant, id, master, wrapped FROM qd.secret_keys WHERE master <> $1 LIMIT $2 FOR UPDATE"

# A data key under another master key.
REWRAP = "UPDATE qd.secret_keys SET master = $3, wrapped = $4 WHERE tenant = $1 AND id = $2"

# Secrets of all tenants whose date has come and of which nobody was told; each is told of once. As qd_system.
TAKE_DUE = """
WITH due AS (
    SELECT tenant, name FROM qd.secrets WHERE due_at <= now() AND told_at IS NULL LIMIT $1 FOR UPDATE SKIP LOCKED)
UPDATE qd.secrets s SET told_at = now() FROM due WHERE s.tenant = due.tenant AND s.name = due.name
RETURNING s.tenant, s.name, s.due_at
"""

# Count how often secrets were taken out of texts.
LEAKED = """
UPDATE qd.secrets s SET leaks = s.leaks + l.times, leaked_at = now()
FROM unnest($2::text[], $3::int[]) AS l(name, times) WHERE s.tenant = $1 AND s.name = l.name
"""

# What others are told, only where somebody listens.
ANNOUNCE = """
INSERT INTO qd.outbox (tenant, id, kind, run, data) SELECT $1, $2, $3, $4, $5::jsonb
WHERE EXISTS (SELECT 1 FROM qd.webhook_endpoints WHERE tenant = $1 AND disabled_at IS NULL)
"""

# A tenant's name, by which settings speak of it.
SLUG = "SELECT slug FROM qd.tenants WHERE tenant = $1"


async def page(tx: Tx, tenant: TenantId, after: str, most: int, *, due: bool) -> list[Secret]:
    """Secrets by name."""
    return [_secret(row) for row in await tx.fetch(LIST, tenant, after, due, most)]


async def find(tx: Tx, tenant: TenantId, name: str, *, lock: bool = False) -> Secret | None:
    """One secret, held against other writers if so wanted."""
    if lock:
        await tx.execute(TURN, tenant, name)
    row = await tx.fetchrow(LOCK if lock else FIND, tenant, name)
    return None if row is None else _secret(row)


async def count(tx: Tx, tenant: TenantId) -> int:
    """How many there are."""
    return int(await tx.fetchval(COUNT, tenant))


async def write(tx: Tx, tenant: TenantId, name: str, version: int, description: str, due_at: datetime | None) -> None:
    """Write a secret's own row."""
    await tx.execute(WRITE, tenant, name, version, description, due_at)


async def add_version(tx: Tx, tenant: TenantId, value: Sealed, by: str, kept: int) -> None:
    """Write a version of a value, and forget those older than the `kept` newest."""
    await tx.execute(ADD_VERSION, tenant, value.name, value.version, value.key, value.sealed, by)
    await tx.execute(FORGET, tenant, value.name, value.version - kept)


async def remove(tx: Tx, tenant: TenantId, name: str) -> bool:
    """Remove a secret; whether there was one."""
    return await tx.fetchval(REMOVE, tenant, name) is not None


async def values(tx: Tx, tenant: TenantId, names: Sequence[str]) -> list[Sealed]:
    """The kept versions of some secrets."""
    return [Sealed(**row) for row in await tx.fetch(VALUES, tenant, list(names))]


async def all_values(tx: Tx, tenant: TenantId) -> list[Sealed]:
    """Every value of a tenant, held until the transaction ends."""
    return [Sealed(**row) for row in await tx.fetch(ALL_VALUES, tenant)]


async def reseal(tx: Tx, tenant: TenantId, value: Sealed) -> None:
    """Put a value under another data key."""
    await tx.execute(RESEAL, tenant, value.name, value.version, value.key, value.sealed)


async def keys(tx: Tx, tenant: TenantId) -> list[WrappedKey]:
    """A tenant's data keys."""
    return [_key(row) for row in await tx.fetch(KEYS, tenant)]


async def current_key(tx: Tx, tenant: TenantId, *, replace: bool = False) -> WrappedKey | None:
    """The data key for new values; it stays so, or is held to be replaced, until the transaction ends."""
    row = await tx.fetchrow(LOCK_KEY if replace else CURRENT_KEY, tenant)
    return None if row is None else _key(row)


async def add_key(tx: Tx, key: WrappedKey) -> None:
    """Add the tenant's data key; nothing where it has one in force."""
    await tx.execute(ADD_KEY, key.tenant, key.id, key.master, key.wrapped)


async def retire_key(tx: Tx, tenant: TenantId, key: UUID) -> None:
    """Seal no new value under this key."""
    await tx.execute(RETIRE_KEY, tenant, key)


async def forget_keys(tx: Tx, tenant: TenantId) -> None:
    """Forget the keys that nothing is sealed under any more."""
    await tx.execute(FORGET_KEYS, tenant)


async def wrapped_otherwise(tx: Tx, master: str, most: int) -> list[WrappedKey]:
    """Data keys of all tenants under other master keys than this one."""
    return [_key(row) for row in await tx.fetch(WRAPPED_OTHERWISE, master, most)]


async def rewrap(tx: Tx, key: WrappedKey) -> None:
    """Put a data key under another master key."""
    await tx.execute(REWRAP, key.tenant, key.id, key.master, key.wrapped)


async def take_due(tx: Tx, most: int) -> list[tuple[TenantId, str, datetime]]:
    """Secrets that are due and were not told of."""
    return [(TenantId(row["tenant"]), row["name"], row["due_at"]) for row in await tx.fetch(TAKE_DUE, most)]


async def leaked(tx: Tx, tenant: TenantId, names: Sequence[str], times: Sequence[int]) -> None:
    """Count what was taken out."""
    await tx.execute(LEAKED, tenant, list(names), list(times))


async def announce(tx: Tx, tenant: TenantId, kind: str, run: RunId | None, facts: dict[str, Json]) -> None:
    """Put something into the outbox; nothing where nobody listens."""
    await tx.execute(ANNOUNCE, tenant, uuid7(), kind, run, encode_text(facts))


async def slug(tx: Tx, tenant: TenantId) -> str:
    """A tenant's name in settings."""
    return str(await tx.fetchval(SLUG, tenant) or "")


def _secret(row: Row) -> Secret:
    return Secret(**row)


def _key(row: Row) -> WrappedKey:
    return WrappedKey(TenantId(row["tenant"]), row["id"], row["master"], row["wrapped"])
