"""SQL of the sealer, the pruner and the eraser: for transactions of qd_system only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from quarterdeck.audit.records import FIELDS, Row
from quarterdeck.audit.rules import Sealing
from quarterdeck.audit.store_reading import row_of
from quarterdeck.core.chain import GENESIS, Head
from quarterdeck.core.ids import TenantId
from quarterdeck.db.records import Tx

_FIELDS = ", ".join(FIELDS)

# Tenants with rows that wait for a seal, some of them. For the sealer, which sees all tenants.
WAITING_TENANTS = "SELECT DISTINCT tenant FROM qd.audit_waiting ORDER BY tenant LIMIT $1"

# A head for each of these tenants that has none yet.
OPEN_HEADS = "INSERT INTO qd.audit_heads (tenant) SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING"

# The heads of these tenants, but for those that another sealer or pruner holds.
HOLD_HEADS = """
SELECT tenant, position, hash, greatest(clock_timestamp(), at) AS now
FROM qd.audit_heads WHERE tenant = ANY($1::uuid[]) ORDER BY tenant FOR UPDATE SKIP LOCKED
"""

# The oldest waiting rows of each of these tenants, with the digests of their payloads. Whoever holds a tenant's head
# is the only one who takes from it, and rows that are committed late just wait for the next look: none is passed over.
WAITING = f"""
SELECT w.tenant, {", ".join("w." + name for name in FIELDS)},
    sha256(convert_to(coalesce(w.payload,
        (SELECT e.data::text FROM qd.run_events e WHERE e.tenant = w.tenant AND e.run = w.run AND e.seq = w.seq)
    ), 'UTF8')) AS digest
FROM unnest($1::uuid[]) AS t (tenant)
CROSS JOIN LATERAL (SELECT * FROM qd.audit_waiting a WHERE a.tenant = t.tenant ORDER BY a.at, a.id LIMIT $2) w
ORDER BY w.tenant, w.at, w.id
"""

# Move rows into the chain, each to the place that it was given, and their payloads beside it.
MOVE = f"""
WITH taken AS (
    DELETE FROM qd.audit_waiting w USING unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bytea[], $5::bytea[])
        AS s (tenant, id, position, mac, hash)
    WHERE w.tenant = s.tenant AND w.id = s.id RETURNING w.*, s.position, s.mac, s.hash),
kept AS (
    INSERT INTO qd.audit_payloads (tenant, id, payload)
    SELECT tenant, id, payload FROM taken WHERE payload IS NOT NULL)
INSERT INTO qd.audit (tenant, position, {_FIELDS}, mac, hash)
SELECT tenant, position, {_FIELDS}, mac, hash FROM taken
"""

# Sign for what was moved: a seal beside the others, and the tenant's newest head.
SIGN = """
WITH s AS (
    INSERT INTO qd.audit_seals (tenant, position, hash, at, signer, signature)
    SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bytea[], $4::timestamptz[], $5::bytea[], $6::bytea[])
    RETURNING *)
UPDATE qd.audit_heads h SET position = s.position, hash = s.hash, at = s.at, signer = s.signer, signature = s.signature
FROM s WHERE h.tenant = s.tenant
"""

# For each tenant, the newest seal that is older than a time and above the floor: what is to be pruned up to.
PRUNABLE = """
SELECT s.tenant, s.position, s.hash, clock_timestamp() AS now
FROM (SELECT DISTINCT ON (tenant) tenant, position, hash FROM qd.audit_seals WHERE at < $1
      ORDER BY tenant, at DESC, position DESC) s
JOIN qd.audit_heads h ON h.tenant = s.tenant WHERE s.position > h.floor ORDER BY s.tenant LIMIT $2
"""

# Raise a tenant's floor, for good.
RAISE_FLOOR = """
UPDATE qd.audit_heads SET floor = $2, floor_hash = $3, floor_at = $4, floor_signer = $5, floor_signature = $6
WHERE tenant = $1 AND floor < $2
"""

# Remove some of the rows below the floor with their payloads, and then the seals.
PRUNE = """
WITH gone AS (
    DELETE FROM qd.audit WHERE tenant = $1 AND position IN (
        SELECT position FROM qd.audit WHERE tenant = $1 AND position <= $2 ORDER BY position LIMIT $3)
    RETURNING tenant, id),
payloads AS (DELETE FROM qd.audit_payloads p USING gone g WHERE p.tenant = g.tenant AND p.id = g.id)
SELECT count(*) FROM gone
"""
PRUNE_SEALS = "DELETE FROM qd.audit_seals WHERE tenant = $1 AND position < $2"

# Tenants that have rows below their floor: a pruner that died left them, or is at it.
UNFINISHED = """
SELECT h.tenant, h.floor FROM qd.audit_heads h WHERE h.floor > 0
AND EXISTS (SELECT 1 FROM qd.audit a WHERE a.tenant = h.tenant AND a.position <= h.floor) LIMIT $1
"""

# Erase the payload of a row.
ERASE = "DELETE FROM qd.audit_payloads WHERE tenant = $1 AND id = $2"


@dataclass(frozen=True, slots=True)
class Held:
    """A tenant's head, held until the transaction ends, and the time of this round."""

    tenant: TenantId
    position: int
    hash: bytes
    now: datetime


async def hold_waiting(tx: Tx, most: int) -> list[Held]:
    """Hold the heads of tenants that have rows waiting and that nobody else is sealing."""
    tenants = [row["tenant"] for row in await tx.fetch(WAITING_TENANTS, most)]
    if not tenants:
        return []
    await tx.execute(OPEN_HEADS, tenants)
    return [
        Held(TenantId(row["tenant"]), row["position"], row["hash"] or GENESIS, row["now"])
        for row in await tx.fetch(HOLD_HEADS, tenants)
    ]


async def waiting(tx: Tx, tenants: Sequence[TenantId], most: int) -> dict[TenantId, list[Row]]:
    """The oldest waiting rows of each tenant, in the order in which they are to be sealed."""
    found: dict[TenantId, list[Row]] = {tenant: [] for tenant in tenants}
    for row in await tx.fetch(WAITING, tenants, most):
        found[TenantId(row["tenant"])].append(row_of(row))
    return found


async def move(tx: Tx, sealed: Sequence[tuple[TenantId, Row, Sealing]]) -> None:
    """Move rows into the chain."""
    await tx.execute(
        MOVE,
        [tenant for tenant, _, _ in sealed],
        [row.id for _, row, _ in sealed],
        [sealing.position for _, _, sealing in sealed],
        [sealing.mac for _, _, sealing in sealed],
        [sealing.hash for _, _, sealing in sealed],
    )


async def sign(tx: Tx, heads: Mapping[TenantId, Head]) -> None:
    """Write newly signed heads."""
    signed = list(heads.values())
    await tx.execute(
        SIGN,
        list(heads),
        [head.position for head in signed],
        [head.hash for head in signed],
        [head.at for head in signed],
        [head.signer for head in signed],
        [head.signature for head in signed],
    )


async def prunable(tx: Tx, before: datetime, most: int) -> list[Held]:
    """Tenants with rows sealed before a time, each with the last seal before it."""
    rows = await tx.fetch(PRUNABLE, before, most)
    return [Held(TenantId(row["tenant"]), row["position"], row["hash"], row["now"]) for row in rows]


async def raise_floor(tx: Tx, tenant: TenantId, floor: Head) -> bool:
    """Say that what is at or below this position was pruned. False when the floor was there already."""
    tag = await tx.execute(RAISE_FLOOR, tenant, floor.position, floor.hash, floor.at, floor.signer, floor.signature)
    return tag == "UPDATE 1"


async def prune_some(tx: Tx, tenant: TenantId, floor: int, most: int) -> int:
    """Remove some rows below the floor, the oldest first, and at the end their seals; the number of rows."""
    removed: int = await tx.fetchval(PRUNE, tenant, floor, most)
    if removed < most:
        await tx.execute(PRUNE_SEALS, tenant, floor)
    return removed


async def unfinished(tx: Tx, most: int) -> list[tuple[TenantId, int]]:
    """Tenants that have rows below their floor."""
    return [(TenantId(row["tenant"]), row["floor"]) for row in await tx.fetch(UNFINISHED, most)]


async def erase(tx: Tx, tenant: TenantId, row: UUID) -> bool:
    """Remove a row's payload. False when there is none."""
    return await tx.execute(ERASE, tenant, row) == "DELETE 1"
