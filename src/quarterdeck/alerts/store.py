"""Alerts in the database. Raised and ended as qd_system; read and acknowledged as the tenant's qd_app."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from quarterdeck.alerts.records import Alert, AlertId, Ended, Finding, Kind, Severity
from quarterdeck.alerts.wording import show
from quarterdeck.core.ids import TenantId, uuid7
from quarterdeck.core.json import decode_object, encode_text
from quarterdeck.db.records import Row, Tx

RAISED, RESOLVED = "alert.raised", "alert.resolved"
"""Kinds of what webhooks are told."""

_COLUMNS = """id, tenant, kind, severity, subject, key, agent, words, facts, count, raised_at, last_at, resolved_at,
    resolved_why, acknowledged_at, acknowledged_by"""
_MINE = "tenant IS NOT DISTINCT FROM $1"

# One look at a time, everywhere: two workers that judge the same facts would tell people twice.
_TRY_LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended('quarterdeck alerts ' || $1, 0))"

# What stands, of all tenants: as qd_system.
_STANDING = f"SELECT {_COLUMNS} FROM qd.alerts WHERE resolved_at IS NULL"

# Raise an alert, unless the same was told before.
_RAISE = f"""
INSERT INTO qd.alerts (id, tenant, kind, severity, subject, key, agent, words, facts, count)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb, $10) ON CONFLICT (tenant, key) DO NOTHING RETURNING {_COLUMNS}
"""

# What stands, as it is now.
_RENEW = """
UPDATE qd.alerts SET severity = $2, words = $3, facts = $4::jsonb, count = $5, last_at = clock_timestamp()
WHERE tenant IS NOT DISTINCT FROM $6 AND id = $1 AND resolved_at IS NULL
"""

# It is over.
_END = f"""
UPDATE qd.alerts SET resolved_at = clock_timestamp(), resolved_why = $2
WHERE tenant IS NOT DISTINCT FROM $3 AND id = $1 AND resolved_at IS NULL RETURNING {_COLUMNS}
"""

# What others are told, only where somebody listens.
_ANNOUNCE = """
INSERT INTO qd.outbox (tenant, id, kind, data)
SELECT $1, $2, $3, $4::jsonb
WHERE EXISTS (SELECT FROM qd.webhook_endpoints WHERE tenant = $1 AND disabled_at IS NULL)
"""

# A page of alerts, newest first, each filter off where NULL. For a tenant NULL: the deployment's, as qd_system.
_LIST = f"""
SELECT {_COLUMNS} FROM qd.alerts WHERE {_MINE}
    AND ($2::uuid IS NULL OR id < $2)
    AND ($3::text IS NULL OR ($3 = 'standing' AND resolved_at IS NULL)
        OR $3 = CASE WHEN resolved_at IS NOT NULL THEN 'resolved'
            WHEN acknowledged_at IS NOT NULL THEN 'acknowledged' ELSE 'raised' END)
    AND ($4::text IS NULL OR kind = $4) AND ($5::text IS NULL OR severity = $5)
    AND ($6::text[] IS NULL OR agent IS NULL OR agent = ANY($6))
ORDER BY id DESC LIMIT $7
"""

# How many stand, by how soon somebody should look.
_COUNT = f"""
SELECT severity, count(*)::int AS n FROM qd.alerts
WHERE {_MINE} AND resolved_at IS NULL AND acknowledged_at IS NULL
    AND ($2::text[] IS NULL OR agent IS NULL OR agent = ANY($2))
GROUP BY severity
"""

# One alert of a tenant, or for NULL of the deployment.
_FIND = f"SELECT {_COLUMNS} FROM qd.alerts WHERE {_MINE} AND id = $2"

# Somebody has seen it. Whoever was first stays.
_ACKNOWLEDGE = f"""
UPDATE qd.alerts SET acknowledged_at = coalesce(acknowledged_at, clock_timestamp()),
    acknowledged_by = coalesce(acknowledged_by, $3)
WHERE {_MINE} AND id = $2 RETURNING {_COLUMNS}
"""

# Forget what has been over for a long time, a page at a time: as qd_system.
_PRUNE = """
DELETE FROM qd.alerts WHERE id IN (
    SELECT id FROM qd.alerts WHERE resolved_at < clock_timestamp() - $1::interval LIMIT $2)
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is narrowed to; None = not narrowed."""

    state: str | None = None
    kind: Kind | None = None
    severity: Severity | None = None
    agents: Sequence[str] | None = None


async def try_lock(tx: Tx, look: str) -> bool:
    """Whether this transaction alone may do this look until it ends."""
    return bool(await tx.fetchval(_TRY_LOCK, look))


async def standing(tx: Tx) -> list[Alert]:
    """What stands, of all tenants and the deployment."""
    return [alert_of(row) for row in await tx.fetch(_STANDING)]


async def raise_(tx: Tx, finding: Finding) -> Alert | None:
    """Raise an alert, with word to who listens; None where the same was told before."""
    row = await tx.fetchrow(
        _RAISE,
        *(uuid7(), finding.tenant, finding.kind, finding.severity, finding.subject, finding.key, finding.agent),
        *(finding.words, encode_text(finding.facts), finding.count),
    )
    return None if row is None else await _announced(tx, alert_of(row), RAISED)


async def renew(tx: Tx, alert: Alert, finding: Finding) -> None:
    """Write what stands as it is now. Nobody is told anew."""
    facts = encode_text(finding.facts)
    await tx.execute(_RENEW, alert.id, finding.severity, finding.words, facts, finding.count, alert.tenant)


async def end(tx: Tx, ended: Ended) -> Alert | None:
    """End an alert, with word to who listens; None where it was over already."""
    row = await tx.fetchrow(_END, ended.alert.id, ended.why, ended.alert.tenant)
    return None if row is None else await _announced(tx, alert_of(row), RESOLVED)


async def page(tx: Tx, tenant: TenantId | None, wanted: Wanted, before: UUID | None, limit: int) -> list[Alert]:
    """Alerts, newest first."""
    rows = await tx.fetch(
        _LIST, tenant, before, wanted.state, wanted.kind, wanted.severity, _listed(wanted.agents), limit
    )
    return [alert_of(row) for row in rows]


async def count(tx: Tx, tenant: TenantId | None, agents: Sequence[str] | None) -> dict[Severity, int]:
    """How many stand that nobody has acknowledged."""
    rows = await tx.fetch(_COUNT, tenant, _listed(agents))
    found = {Severity(row["severity"]): int(row["n"]) for row in rows}
    return {severity: found.get(severity, 0) for severity in Severity}


async def find(tx: Tx, tenant: TenantId | None, alert: AlertId) -> Alert | None:
    """One alert."""
    row = await tx.fetchrow(_FIND, tenant, alert)
    return None if row is None else alert_of(row)


async def acknowledge(tx: Tx, tenant: TenantId | None, alert: AlertId, by: str) -> Alert | None:
    """Write who has seen it. Doing it again changes nothing."""
    row = await tx.fetchrow(_ACKNOWLEDGE, tenant, alert, by)
    return None if row is None else alert_of(row)


async def prune(tx: Tx, kept_for: timedelta, most: int = 1_000) -> None:
    """Forget what has been over for so long. As qd_system."""
    await tx.execute(_PRUNE, kept_for, most)


async def _announced(tx: Tx, alert: Alert, kind: str) -> Alert:
    # The deployment has no webhooks of its own, and no tenant is told of its affairs.
    if alert.tenant is not None:
        await tx.execute(_ANNOUNCE, alert.tenant, uuid7(), kind, encode_text(show(alert)))
    return alert


def _listed(names: Sequence[str] | None) -> list[str] | None:
    return None if names is None else list(names)


def alert_of(row: Row) -> Alert:
    """A row of `qd.alerts` as a record."""
    return Alert(
        id=AlertId(row["id"]),
        tenant=None if row["tenant"] is None else TenantId(row["tenant"]),
        kind=Kind(row["kind"]),
        severity=Severity(row["severity"]),
        subject=row["subject"],
        key=row["key"],
        words=row["words"],
        facts=decode_object(row["facts"]),
        raised_at=row["raised_at"],
        last_at=row["last_at"],
        count=row["count"],
        agent=row["agent"],
        resolved_at=row["resolved_at"],
        resolved_why=row["resolved_why"],
        acknowledged_at=row["acknowledged_at"],
        acknowledged_by=row["acknowledged_by"],
    )
