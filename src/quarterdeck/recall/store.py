"""SQL of answers that may be given again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from quarterdeck.core.ids import TenantId
from quarterdeck.db.records import Tx
from quarterdeck.recall.records import Want

# An answer that is not too old, and as of a time at which nobody was changing anything where it came from; with the
# time by this clock, in any case.
FIND = """
SELECT clock_timestamp() AS at, r.holder, r.value, r.parts
FROM (VALUES (1)) AS one LEFT JOIN qd.recalled r ON r.tenant = $1 AND r.key = $2 AND r.expires_at > clock_timestamp()
    AND NOT EXISTS (SELECT 1 FROM qd.recall_places p
                    WHERE p.tenant = r.tenant AND p.place = r.place AND p.changed_at >= r.asked_at)
"""

# From now on changes in this place are told: somebody wants to be told again what was read there.
OPEN_PLACE = """
INSERT INTO qd.recall_places AS p (tenant, place, expires_at) VALUES ($1, $2, clock_timestamp() + $3::interval)
ON CONFLICT (tenant, place) DO UPDATE SET expires_at = excluded.expires_at WHERE p.expires_at < excluded.expires_at
"""

# Forget an answer, for a newer one; who held its blobs is answered.
FORGET = "DELETE FROM qd.recalled WHERE tenant = $1 AND key = $2 RETURNING holder"

# Keep an answer, unless another call has just kept one.
KEEP = """
INSERT INTO qd.recalled (tenant, key, place, holder, value, parts, asked_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, clock_timestamp() + $8::interval) ON CONFLICT DO NOTHING RETURNING holder
"""

# Something may change in this place from now on until some time at the latest.
CHANGING = """
UPDATE qd.recall_places SET changed_at = greatest(changed_at, clock_timestamp() + $3::interval)
WHERE tenant = $1 AND place = $2 RETURNING changed_at
"""

# It has changed. Where nobody else is changing something there, what is read from now on may be told again.
CHANGED = """
UPDATE qd.recall_places SET changed_at = CASE WHEN changed_at = $3 THEN clock_timestamp()
    ELSE greatest(changed_at, clock_timestamp()) END
WHERE tenant = $1 AND place = $2
"""

# Answers and places whose time is over, every tenant's, and the references that held the blobs of the answers.
SWEEP = """
WITH gone AS (DELETE FROM qd.recalled WHERE (tenant, key) IN (
        SELECT tenant, key FROM qd.recalled WHERE expires_at < now() ORDER BY expires_at LIMIT $1
        FOR UPDATE SKIP LOCKED)
    RETURNING tenant, holder),
let_go AS (DELETE FROM qd.blob_refs b USING gone g WHERE b.tenant = g.tenant AND b.holder = 'recall:' || g.holder),
closed AS (DELETE FROM qd.recall_places WHERE expires_at < now() - interval '1 day')
SELECT count(*) FROM gone
"""


@dataclass(frozen=True, slots=True)
class Row:
    """An answer as it is kept."""

    holder: UUID
    value: bytes
    parts: Sequence[bytes]


def holder_of(id_: UUID) -> str:
    """Who refers to the blobs of an answer."""
    return f"recall:{id_}"


async def find(tx: Tx, tenant: TenantId, key: bytes) -> tuple[datetime, Row | None]:
    """The present time, and the answer, if there is one that may be given again."""
    row = await tx.fetchrow(FIND, tenant, key)
    assert row is not None  # of a row that is always there
    found = None if row["holder"] is None else Row(row["holder"], row["value"], row["parts"])
    return row["at"], found


async def open_place(tx: Tx, tenant: TenantId, place: bytes, lifetime: timedelta) -> None:
    """Have changes in a place told for at least so long."""
    await tx.execute(OPEN_PLACE, tenant, place, lifetime)


async def forget(tx: Tx, tenant: TenantId, key: bytes) -> UUID | None:
    """Drop an answer; who held its blobs."""
    return await tx.fetchval(FORGET, tenant, key)


async def keep(tx: Tx, tenant: TenantId, want: Want, row: Row, asked_at: datetime, lifetime: timedelta) -> bool:
    """Keep an answer; False where there is one already."""
    kept = await tx.fetchval(
        KEEP, tenant, want.key, want.place, row.holder, row.value, list(row.parts), asked_at, lifetime
    )
    return kept is not None


async def changing(tx: Tx, tenant: TenantId, place: bytes, at_most: timedelta) -> datetime | None:
    """Something may change there for so long; None where nobody wants to be told again what was read there."""
    return await tx.fetchval(CHANGING, tenant, place, at_most)


async def changed(tx: Tx, tenant: TenantId, place: bytes, told: datetime | None) -> None:
    """The change that was told as `told` is over."""
    await tx.execute(CHANGED, tenant, place, told)


async def sweep(tx: Tx, size: int) -> int:
    """Remove up to `size` answers whose time is over, in qd_system's transaction; how many there were."""
    return await tx.fetchval(SWEEP, size)
