"""SQL of whoever reads the audit: lists, single rows, and pages of the chain with what is needed to check them."""

from datetime import datetime, timedelta
from uuid import UUID

from quarterdeck.audit.records import FIELDS, Chain, Filter, Row
from quarterdeck.core.chain import Head, Mark
from quarterdeck.core.ids import TenantId, uuid7_floor
from quarterdeck.db.records import Row as Stored
from quarterdeck.db.records import Tx

SKEW = timedelta(minutes=5)
"""How far the clock of a process, which makes ids, may be from the database's, which times rows."""

_NAMES = ", ".join(FIELDS)
_LOGGED = "(SELECT e.data::text FROM qd.run_events e WHERE e.tenant = a.tenant AND e.run = a.run AND e.seq = a.seq)"
_KEPT = "(SELECT p.payload FROM qd.audit_payloads p WHERE p.tenant = a.tenant AND p.id = a.id)"

# What narrows a list, by the filter's member. Only what is given goes into the statement, so that the server picks the
# index for it: a condition that may be absent would have it plan for the case that it is.
_NARROWING = {
    "before": "id < {}",
    "kind": "kind = {}",
    "actor": "actor = {}",
    "action": "action = {}",
    "run": "run = {}",
    "verdict": "verdict = {}",
    "since": "at >= {}",
    "since_id": "id >= {}",
    "until": "at < {}",
    "until_id": "id < {}",
}

# Rows that a filter wants, newest first, sealed or not. Ids are in the order of time, give or take the clocks.
_LIST = f"""
SELECT * FROM (
    (SELECT {_NAMES}, NULL::bigint AS position, NULL::bytea AS mac, NULL::bytea AS hash
     FROM qd.audit_waiting WHERE tenant = $1 {{narrowed}} ORDER BY id DESC LIMIT $2)
    UNION ALL
    (SELECT {_NAMES}, position, mac, hash
     FROM qd.audit WHERE tenant = $1 {{narrowed}} ORDER BY id DESC LIMIT $2)) AS both_kinds
ORDER BY id DESC LIMIT $2
"""

# One row with its payload, sealed or not.
FIND = f"""
SELECT {_NAMES}, NULL::bigint AS position, NULL::bytea AS mac, NULL::bytea AS hash,
    coalesce(payload, {_LOGGED}) AS payload
FROM qd.audit_waiting a WHERE tenant = $1 AND id = $2
UNION ALL
SELECT {_NAMES}, position, mac, hash, coalesce({_KEPT}, {_LOGGED}) AS payload
FROM qd.audit a WHERE tenant = $1 AND id = $2
"""

# A stretch of the chain with the digests of the payloads, which themselves stay in the database.
STRETCH = f"""
SELECT {_NAMES}, position, mac, hash, sha256(convert_to(coalesce({_KEPT}, {_LOGGED}), 'UTF8')) AS digest
FROM qd.audit a WHERE tenant = $1 AND position > $2 AND position <= $3 ORDER BY position LIMIT $4
"""

# The same with the payloads, for an export.
STRETCH_WITH_PAYLOADS = f"""
SELECT {_NAMES}, position, mac, hash, coalesce({_KEPT}, {_LOGGED}) AS payload
FROM qd.audit a WHERE tenant = $1 AND position > $2 AND position <= $3 ORDER BY position LIMIT $4
"""

# The seals of a stretch.
SEALS = """
SELECT position, hash, at, signer, signature FROM qd.audit_seals
WHERE tenant = $1 AND position > $2 AND position <= $3 ORDER BY position
"""

# Where the chain stands, by its head and by its rows, which may reach further if no sealer put them there. In one look:
# a sealer may be at work.
CHAIN = """
SELECT h.*, l.last FROM (SELECT coalesce(max(position), 0) AS last FROM qd.audit WHERE tenant = $1) l
LEFT JOIN qd.audit_heads h ON h.tenant = $1
"""

# What waits for the sealer.
UNSEALED = "SELECT count(*) AS n, min(at) AS oldest FROM qd.audit_waiting WHERE tenant = $1"


def row_of(row: Stored) -> Row:
    """A row of the database as a record, with those columns beside what a row says that the statement gave."""
    values: dict[str, object] = {name: row[name] for name in row.keys() if name != "tenant"}  # noqa: SIM118  # not a dict
    return Row(**{**values, "approved_by": tuple(row["approved_by"])})  # pyright: ignore[reportArgumentType]  # as stored


async def listed(tx: Tx, tenant: TenantId, wanted: Filter, before: UUID | None, limit: int) -> list[Row]:
    """Rows, newest first, older than `before`."""
    given: dict[str, object] = {
        "before": before,
        "kind": wanted.kind,
        "actor": wanted.actor,
        "action": wanted.action,
        "run": wanted.run,
        "verdict": wanted.verdict,
        "since": wanted.since,
        "since_id": _floor(wanted.since, -SKEW),
        "until": wanted.until,
        "until_id": _floor(wanted.until, SKEW),
    }
    narrowing = {name: value for name, value in given.items() if value is not None}
    conditions = [f" AND {_NARROWING[name].format(f'${place}')}" for place, name in enumerate(narrowing, 3)]
    rows = await tx.fetch(_LIST.format(narrowed="".join(conditions)), tenant, limit, *narrowing.values())
    return [row_of(row) for row in rows]


async def find(tx: Tx, tenant: TenantId, row: UUID) -> Row | None:
    """One row with its payload."""
    found = await tx.fetchrow(FIND, tenant, row)
    return row_of(found) if found else None


async def stretch(tx: Tx, tenant: TenantId, after: int, last: int, limit: int, *, payloads: bool) -> list[Row]:
    """Sealed rows in order: with their payloads, or only with the digests of these."""
    statement = STRETCH_WITH_PAYLOADS if payloads else STRETCH
    rows = await tx.fetch(statement, tenant, after, last, limit)
    return [row_of(row) for row in rows]


async def seals(tx: Tx, tenant: TenantId, after: int, last: int) -> list[Head]:
    """The signed heads of a stretch, in order."""
    return [
        Head(str(tenant), row["position"], row["hash"], row["at"], row["signer"], row["signature"])
        for row in await tx.fetch(SEALS, tenant, after, last)
    ]


async def chain(tx: Tx, tenant: TenantId) -> Chain:
    """Where a tenant's chain stands."""
    row, waits = await tx.fetchrow(CHAIN, tenant), await tx.fetchrow(UNSEALED, tenant)
    assert row is not None, "an aggregate answers a row"
    assert waits is not None, "an aggregate answers a row"
    head = floor = None
    if row["signature"] is not None:
        head = Head(str(tenant), row["position"], row["hash"], row["at"], row["signer"], row["signature"])
    if row["floor_signature"] is not None:
        signed = row["floor_at"], row["floor_signer"], row["floor_signature"]
        floor = Head(str(tenant), row["floor"], row["floor_hash"], *signed, Mark.FLOOR)
    return Chain(head, floor, row["last"], waits["n"], waits["oldest"])


def _floor(at: datetime | None, leeway: timedelta) -> UUID | None:
    return None if at is None else uuid7_floor(int((at + leeway).timestamp() * 1000))
