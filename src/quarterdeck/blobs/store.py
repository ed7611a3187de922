"""SQL of blobs and of who refers to them."""

from collections.abc import Sequence
from datetime import timedelta

from quarterdeck.blobs.records import BlobKey, Sweep
from quarterdeck.blobs.rules import lock_of
from quarterdeck.core.ids import TenantId
from quarterdeck.db.records import Tx

# A tenant's sealed blob key; empty once it was erased.
SEALED_KEY = "SELECT blob_key FROM qd.tenants WHERE tenant = $1"

# Store a payload and a reference to it, both unless they are there. The shared lock is held to the end of the
# transaction, so that a sweep which saw no reference can't remove the payload before this one is visible.
PUT = """
WITH held AS MATERIALIZED (SELECT pg_advisory_xact_lock_shared($5)),
     stored AS (INSERT INTO qd.blobs (tenant, key, bytes, size) SELECT $1, $2, $3, $4 FROM held ON CONFLICT DO NOTHING)
INSERT INTO qd.blob_refs (tenant, key, holder) SELECT $1, $2, $6 FROM held ON CONFLICT DO NOTHING
"""

# A payload that the holder refers to.
GET = """
SELECT b.bytes FROM qd.blob_refs r JOIN qd.blobs b ON b.tenant = r.tenant AND b.key = r.key
WHERE r.tenant = $1 AND r.holder = $2 AND r.key = $3
"""

# Several payloads that the holder refers to.
GET_MANY = """
SELECT b.key, b.bytes FROM qd.blob_refs r JOIN qd.blobs b ON b.tenant = r.tenant AND b.key = r.key
WHERE r.tenant = $1 AND r.holder = $2 AND r.key = ANY($3::bytea[])
"""

# Drop all references of a holder; the payloads go with the next sweep unless others refer to them.
LET_GO = "DELETE FROM qd.blob_refs WHERE tenant = $1 AND holder = $2"

# One page of all blobs in key order (every tenant's: a sweep runs as qd_system), each with whether it may be removed:
# old enough, referred to by nobody, and locked against a put that is under way.
PAGE = """
WITH page AS MATERIALIZED (
    SELECT tenant, key, created_at FROM qd.blobs WHERE (tenant, key) > ($1, $2) ORDER BY tenant, key LIMIT $3),
loose AS MATERIALIZED (
    SELECT tenant, key FROM page p WHERE created_at < now() - $4::interval
    AND NOT EXISTS (SELECT 1 FROM qd.blob_refs r WHERE r.tenant = p.tenant AND r.key = p.key))
SELECT p.tenant, p.key, CASE WHEN l.key IS NULL THEN false ELSE
    pg_try_advisory_xact_lock(('x' || encode(substring(p.key FROM 1 FOR 8), 'hex'))::bit(64)::bigint) END AS removable
FROM page p LEFT JOIN loose l USING (tenant, key) ORDER BY p.tenant, p.key
"""

# Remove the blobs of a page whose locks are held, unless a reference has become visible since the page was read.
REMOVE = """
DELETE FROM qd.blobs b USING unnest($1::uuid[], $2::bytea[]) AS gone (tenant, key)
WHERE b.tenant = gone.tenant AND b.key = gone.key
AND NOT EXISTS (SELECT 1 FROM qd.blob_refs r WHERE r.tenant = b.tenant AND r.key = b.key)
RETURNING 1
"""


async def sealed_key(tx: Tx, tenant: TenantId) -> bytes:
    """The tenant's sealed key; empty where there is none (any more)."""
    return await tx.fetchval(SEALED_KEY, tenant) or b""


async def put(tx: Tx, tenant: TenantId, key: BlobKey, stored: bytes, size: int, holder: str) -> None:
    """Store a payload for a holder; does nothing where both are there already."""
    await tx.execute(PUT, tenant, key, stored, size, lock_of(key), holder)


async def get(tx: Tx, tenant: TenantId, key: BlobKey, holder: str) -> bytes | None:
    """The stored form of a payload, or None."""
    return await tx.fetchval(GET, tenant, holder, key)


async def get_many(tx: Tx, tenant: TenantId, keys: Sequence[BlobKey], holder: str) -> dict[BlobKey, bytes]:
    """The stored forms of those payloads that the holder refers to."""
    rows = await tx.fetch(GET_MANY, tenant, holder, list(keys))
    return {BlobKey(row["key"]): row["bytes"] for row in rows}


async def let_go(tx: Tx, tenant: TenantId, holder: str) -> None:
    """Drop the holder's references."""
    await tx.execute(LET_GO, tenant, holder)


async def sweep_page(tx: Tx, after: Sweep, older_than: timedelta, size: int) -> Sweep:
    """Look at the next `size` blobs and remove the unreferenced ones. The transaction has to be qd_system's."""
    rows = await tx.fetch(PAGE, after.tenant, after.key, size, older_than)
    loose = [row for row in rows if row["removable"]]
    removed = 0
    if loose:
        removed = len(await tx.fetch(REMOVE, [row["tenant"] for row in loose], [row["key"] for row in loose]))
    last = rows[-1] if rows else None
    return Sweep(len(rows), removed, last["tenant"] if last else after.tenant, last["key"] if last else after.key)
