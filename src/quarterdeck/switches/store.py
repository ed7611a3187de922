"""Switches in the database. A tenant's own are reached as qd_app, held to it; the deployment's as qd_system."""

from dataclasses import dataclass
from datetime import datetime

from quarterdeck.core.ids import TenantId
from quarterdeck.core.json import Json, decode, encode_text
from quarterdeck.db.records import Row, Tx
from quarterdeck.switches.records import Action, InFlight, Scope, Switch, SwitchId, Wanted

_COLUMNS = """id, tenant, deployment, scope, target, agent, action, value, in_flight, why, thrown_by, thrown_at, until,
    lifted_at, lifted_by, lifted_why,
    (SELECT slug FROM qd.tenants AS t WHERE t.tenant = switches.tenant) AS tenant_slug"""
_MINE = "($1::uuid IS NULL OR tenant IS NULL OR tenant = $1)"

# What stands now, of all tenants (as qd_system) or of one, with the database's time, by which `until` is measured.
_STANDING = f"""
SELECT {_COLUMNS}, clock_timestamp() AS now FROM qd.switches
WHERE {_MINE} AND lifted_at IS NULL AND (until IS NULL OR until > clock_timestamp()) ORDER BY id
"""

# Everything that was ever thrown and hit a tenant, newest first, from a position on; NULL = any tenant, as qd_system.
_HISTORY = f"""
SELECT {_COLUMNS} FROM qd.switches WHERE {_MINE} AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3
"""

# One switch that hits a tenant; NULL = any, as qd_system.
_FIND = f"SELECT {_COLUMNS} FROM qd.switches WHERE {_MINE} AND id = $2"

# The same, held until the transaction ends: two who lift it take turns.
_LOCK = f"{_FIND} FOR UPDATE"

# How many stand of those that hit this tenant alone, or, for NULL, everybody.
_COUNT = "SELECT count(*) FROM qd.switches WHERE tenant IS NOT DISTINCT FROM $1 AND lifted_at IS NULL"

# Throw a switch.
_THROW = f"""
INSERT INTO qd.switches (id, tenant, deployment, scope, target, agent, action, value, in_flight, why, thrown_by, until)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9, $10, $11, $12) RETURNING {_COLUMNS}
"""

# Lift a switch that stands, now or, where its time has run out, as of then. A tenant reaches its own only.
_LIFT = f"""
UPDATE qd.switches SET lifted_by = $3, lifted_why = $4,
    lifted_at = least(coalesce(until, 'infinity'), clock_timestamp())
WHERE ($1::uuid IS NULL OR tenant = $1) AND id = $2 AND lifted_at IS NULL RETURNING {_COLUMNS}
"""

# Switches whose time has run out and which nobody has lifted: as qd_system. Another worker's are skipped.
_DUE = f"""
SELECT {_COLUMNS} FROM qd.switches WHERE lifted_at IS NULL AND until <= clock_timestamp()
ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED
"""

# Runs that wait because of a switch are looked at again at once. It may be too many: those park again.
_GO_ON = """
UPDATE qd.runs SET available_at = clock_timestamp()
WHERE ($1::uuid IS NULL OR tenant = $1) AND ($2::text IS NULL OR agent = $2)
  AND status IN ('queued', 'waiting_for_retry') AND delivered_at IS NULL AND reason = 'switch'
  AND available_at > clock_timestamp()
"""

# The same for switches lifted a moment ago: a worker that had not heard of it yet may have parked a run since.
_GO_ON_LATE = """
UPDATE qd.runs r SET available_at = clock_timestamp()
FROM (SELECT DISTINCT tenant, CASE WHEN scope = 'agent' THEN target ELSE agent END AS agent FROM qd.switches
      WHERE lifted_at > clock_timestamp() - interval '5 seconds') s
WHERE (s.tenant IS NULL OR r.tenant = s.tenant) AND (s.agent IS NULL OR r.agent = s.agent)
  AND r.status IN ('queued', 'waiting_for_retry') AND r.delivered_at IS NULL AND r.reason = 'switch'
  AND r.available_at > clock_timestamp()
"""

# What others are told, in each tenant that is hit and where somebody listens.
_ANNOUNCE = """
INSERT INTO qd.outbox (tenant, id, kind, data)
SELECT DISTINCT tenant, $2::uuid, $3, $4::jsonb FROM qd.webhook_endpoints
WHERE ($1::uuid IS NULL OR tenant = $1) AND disabled_at IS NULL
"""

# The kind of a provider connection that a tenant (NULL = every tenant) may use.
_KIND_OF_PROVIDER = """
SELECT kind FROM qd.providers WHERE name = $2 AND (tenants IS NULL OR $1::uuid = ANY (tenants))
"""

# Whether a tenant has an agent.
_HAS_AGENT = "SELECT EXISTS (SELECT FROM qd.agents WHERE tenant = $1 AND name = $2)"

# A tenant's name in URLs and records.
_SLUG = "SELECT slug FROM qd.tenants WHERE tenant = $1"


@dataclass(frozen=True, slots=True)
class Look:
    """What stands, as of a time on the database's clock; the time is None where nothing stands."""

    switches: tuple[Switch, ...]
    at: datetime | None


async def read_standing(tx: Tx, tenant: TenantId | None) -> Look:
    """What stands now: everybody's for None (as qd_system), else what hits one tenant."""
    rows = await tx.fetch(_STANDING, tenant)
    return Look(tuple(switch_of(row) for row in rows), rows[0]["now"] if rows else None)


async def history(tx: Tx, tenant: TenantId | None, before: SwitchId | None, limit: int) -> list[Switch]:
    """What was ever thrown, newest first, lifted or not."""
    return [switch_of(row) for row in await tx.fetch(_HISTORY, tenant, before, limit)]


async def find(tx: Tx, tenant: TenantId | None, switch: SwitchId, *, lock: bool = False) -> Switch | None:
    """One switch that hits a tenant. Held until the transaction ends if so wanted: then only one that it may lift."""
    row = await tx.fetchrow(_LOCK if lock else _FIND, tenant, switch)
    return switch_of(row) if row else None


async def count(tx: Tx, tenant: TenantId | None) -> int:
    """How many switches stand that hit this tenant alone; for None, those that hit everybody."""
    return int(await tx.fetchval(_COUNT, tenant))


async def throw(tx: Tx, switch: SwitchId, wanted: Wanted, by: str) -> Switch:
    """Write a switch that was judged."""
    row = await tx.fetchrow(
        _THROW,
        switch,
        wanted.tenant,
        wanted.deployment,
        wanted.scope,
        wanted.target,
        wanted.agent,
        wanted.action,
        None if wanted.value is None else encode_text(wanted.value),
        wanted.in_flight,
        wanted.why,
        by,
        wanted.until,
    )
    assert row is not None
    return switch_of(row)


async def lift(tx: Tx, tenant: TenantId | None, switch: SwitchId, by: str, why: str) -> Switch | None:
    """Lift a switch; None where it does not stand any more, or is none that this transaction may lift."""
    row = await tx.fetchrow(_LIFT, tenant, switch, by, why)
    return switch_of(row) if row else None


async def due(tx: Tx) -> list[Switch]:
    """Up to 100 switches whose time has run out, held until the transaction ends. As qd_system."""
    return [switch_of(row) for row in await tx.fetch(_DUE)]


async def let_go_on(tx: Tx, tenant: TenantId | None, agent: str | None) -> None:
    """Make the runs available that were parked because of a switch: a tenant's, or everybody's as qd_system."""
    await tx.execute(_GO_ON, tenant, agent)


async def let_late_ones_go_on(tx: Tx) -> None:
    """Make the runs available that were parked although the switch had just been lifted. As qd_system."""
    await tx.execute(_GO_ON_LATE)


async def announce(tx: Tx, tenant: TenantId | None, event: SwitchId, kind: str, record: Json) -> None:
    """Tell those who listen: of a tenant, or of every tenant as qd_system."""
    await tx.execute(_ANNOUNCE, tenant, event, kind, encode_text(record))


async def kind_of_provider(tx: Tx, tenant: TenantId | None, name: str) -> str | None:
    """The kind of a provider connection, or None where there is none that the tenant may use."""
    return await tx.fetchval(_KIND_OF_PROVIDER, tenant, name)


async def has_agent(tx: Tx, tenant: TenantId, name: str) -> bool:
    """Whether a tenant has an agent of this name."""
    return bool(await tx.fetchval(_HAS_AGENT, tenant, name))


async def slug_of(tx: Tx, tenant: TenantId) -> str:
    """How people name a tenant."""
    return str(await tx.fetchval(_SLUG, tenant))


def switch_of(row: Row) -> Switch:
    """A row of `qd.switches` as a record."""
    return Switch(
        id=SwitchId(row["id"]),
        tenant=None if row["tenant"] is None else TenantId(row["tenant"]),
        deployment=row["deployment"],
        scope=Scope(row["scope"]),
        target=row["target"],
        agent=row["agent"],
        action=Action(row["action"]),
        value=None if row["value"] is None else decode(row["value"]),
        in_flight=InFlight(row["in_flight"]),
        why=row["why"],
        thrown_by=row["thrown_by"],
        thrown_at=row["thrown_at"],
        until=row["until"],
        lifted_at=row["lifted_at"],
        lifted_by=row["lifted_by"],
        lifted_why=row["lifted_why"],
        tenant_slug=row["tenant_slug"],
    )
