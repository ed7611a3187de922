"""Answers that were given to requests with an Idempotency-Key."""

from dataclasses import dataclass

from quarterdeck.core.ids import TenantId
from quarterdeck.db.records import Tx

# Take the right to answer this key until the transaction ends; false while another request holds it.
_CLAIM = "SELECT pg_try_advisory_xact_lock($1)"

# What was answered under this key, unless it is too old to count.
_FIND = """
SELECT digest, status, body, location FROM qd.idempotency
WHERE tenant = $1 AND key = $2 AND status IS NOT NULL AND created_at > now() - make_interval(secs => $3)
"""

# Keep the answer in the transaction that made it true; an outdated one under the same key gives way.
_KEEP = """
INSERT INTO qd.idempotency (tenant, key, digest, status, body, location) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (tenant, key) DO UPDATE SET digest = excluded.digest, status = excluded.status, body = excluded.body,
    location = excluded.location, created_at = now()
"""

# Drop some of a tenant's outdated answers, so that the table does not grow for ever.
_FORGET = """
DELETE FROM qd.idempotency WHERE tenant = $1 AND key IN (
    SELECT key FROM qd.idempotency WHERE tenant = $1 AND created_at < now() - make_interval(secs => $2) LIMIT 50
    FOR UPDATE SKIP LOCKED)
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer given before, and the digest of the request that it was given to."""

    digest: bytes
    status: int
    body: bytes
    location: str | None


async def claim(tx: Tx, lock: int) -> bool:
    """Whether this transaction may answer the key that `lock` stands for. It is let go when the transaction ends."""
    claimed: bool = await tx.fetchval(_CLAIM, lock)
    return claimed


async def find(tx: Tx, tenant: TenantId, key: str, max_age: float) -> Kept | None:
    """The answer that was given under a key."""
    row = await tx.fetchrow(_FIND, tenant, key, max_age)
    return Kept(**row) if row else None


async def keep(tx: Tx, tenant: TenantId, key: str, kept: Kept) -> None:
    """Keep an answer for repeats."""
    await tx.execute(_KEEP, tenant, key, kept.digest, kept.status, kept.body, kept.location)


async def forget(tx: Tx, tenant: TenantId, max_age: float) -> None:
    """Drop some outdated answers of a tenant."""
    await tx.execute(_FORGET, tenant, max_age)
