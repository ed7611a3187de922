"""SQL of what leaves: from the outbox to deliveries, from there to one attempt each. All of it runs as qd_system."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from quarterdeck.core.ids import RunId, TenantId
from quarterdeck.db.records import Row, Tx
from quarterdeck.webhooks.records import DeliveryId, Due, EndpointId, State, Verdict

# The oldest events of all tenants, taken out of the outbox. Another worker's are skipped, not waited for.
TAKE = """
WITH oldest AS (SELECT tenant, id FROM qd.outbox ORDER BY at LIMIT $1 FOR UPDATE SKIP LOCKED)
DELETE FROM qd.outbox o USING oldest WHERE o.tenant = oldest.tenant AND o.id = oldest.id
RETURNING o.tenant, o.id, o.kind, o.run, o.data, o.at
"""

# The enabled endpoints of some tenants, held so that none is removed before the deliveries for it are written.
ENDPOINTS = """
SELECT tenant, id, kinds FROM qd.webhook_endpoints WHERE tenant = ANY($1::uuid[]) AND disabled_at IS NULL
ORDER BY tenant, id FOR KEY SHARE
"""

# One message for one endpoint.
QUEUE = """
INSERT INTO qd.webhook_deliveries (tenant, id, endpoint, kind, run, body) VALUES ($1, $2, $3, $4, $5, $6)
"""

# Claim due messages for one attempt each: a few of each endpoint, so that a slow one holds up nobody else, and none of
# the endpoints in $3. A claim is a lease: whatever becomes of the worker, the message is due again after $5.
CLAIM = """
WITH oldest AS MATERIALIZED (
    SELECT tenant, id, endpoint, next_at FROM qd.webhook_deliveries
    WHERE state = 'pending' AND next_at <= now() AND endpoint <> ALL($3::uuid[]) ORDER BY next_at LIMIT $4),
fair AS (
    SELECT tenant, id, row_number() OVER (PARTITION BY tenant, endpoint ORDER BY next_at) AS place FROM oldest),
mine AS (
    SELECT d.tenant, d.id FROM qd.webhook_deliveries d JOIN fair f ON f.tenant = d.tenant AND f.id = d.id
    WHERE f.place <= $2 AND d.state = 'pending' AND d.next_at <= now()
    ORDER BY d.next_at LIMIT $1 FOR UPDATE OF d SKIP LOCKED)
UPDATE qd.webhook_deliveries d SET tries = d.tries + 1, next_at = now() + $5::interval
FROM mine JOIN qd.webhook_endpoints e ON e.tenant = mine.tenant
WHERE d.tenant = mine.tenant AND d.id = mine.id AND e.id = d.endpoint
RETURNING d.tenant, d.id, d.endpoint, d.kind, d.body, d.tries, e.url, e.sealed_secrets,
    now() - e.failing_since AS failing_for
"""

# What became of an attempt. Only the latest attempt decides, except that a delivery is one whoever made it.
FINISH = """
UPDATE qd.webhook_deliveries SET state = $4, next_at = coalesce(now() + $5::interval, next_at), last_status = $6,
    last_error = $7, delivered_at = CASE WHEN $4 = 'delivered' THEN now() END
WHERE tenant = $1 AND id = $2 AND ((tries = $3 AND state = 'pending') OR ($4 = 'delivered' AND state <> 'delivered'))
"""

# An endpoint that was reached is well.
WELL = """
UPDATE qd.webhook_endpoints SET failing_since = NULL WHERE tenant = $1 AND id = $2 AND failing_since IS NOT NULL
"""

# An endpoint that was not reached has been failing since the first time.
FAILING = """
UPDATE qd.webhook_endpoints SET failing_since = now() WHERE tenant = $1 AND id = $2 AND failing_since IS NULL
"""

# Leave an endpoint alone, and say why.
DISABLE = """
UPDATE qd.webhook_endpoints SET disabled_at = now(), disabled_reason = $3
WHERE tenant = $1 AND id = $2 AND disabled_at IS NULL RETURNING id
"""

# Give up what was still on its way to an endpoint that was disabled.
GIVE_UP = """
UPDATE qd.webhook_deliveries SET state = 'dead', last_error = coalesce(last_error, $3)
WHERE tenant = $1 AND endpoint = $2 AND state = 'pending'
"""

# Forget old messages, a page at a time. Ids are in the order of time, so each tenant's log is read from its old end.
PRUNE = """
WITH old AS (
    SELECT d.tenant, d.id FROM (SELECT DISTINCT tenant FROM qd.webhook_endpoints) t
    CROSS JOIN LATERAL (
        SELECT tenant, id FROM qd.webhook_deliveries
        WHERE tenant = t.tenant AND id < $1 AND state <> 'pending' LIMIT $2) d
    LIMIT $2)
DELETE FROM qd.webhook_deliveries d USING old WHERE d.tenant = old.tenant AND d.id = old.id RETURNING 1
"""


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the outbox."""

    tenant: TenantId
    id: UUID
    kind: str
    run: RunId | None
    data: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Listener:
    """An endpoint and what it wants to be told."""

    tenant: TenantId
    id: EndpointId
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be delivered to one endpoint."""

    tenant: TenantId
    id: DeliveryId
    endpoint: EndpointId
    kind: str
    run: RunId | None
    body: bytes


async def take(tx: Tx, most: int) -> list[Event]:
    """Take the oldest events out of the outbox; they are back when the transaction fails."""
    return sorted((Event(**row) for row in await tx.fetch(TAKE, most)), key=lambda event: event.at)


async def listeners(tx: Tx, tenants: Sequence[TenantId]) -> list[Listener]:
    """The enabled endpoints of these tenants; none of them can be removed until the transaction ends."""
    return [Listener(row["tenant"], row["id"], tuple(row["kinds"])) for row in await tx.fetch(ENDPOINTS, tenants)]


async def queue(tx: Tx, messages: Sequence[Message]) -> None:
    """Messages due now."""
    rows = [(each.tenant, each.id, each.endpoint, each.kind, each.run, each.body) for each in messages]
    await tx.executemany(QUEUE, rows)


async def claim(
    tx: Tx, most: int, most_each: int, busy: Sequence[EndpointId], lease: timedelta, *, look_at: int = 500
) -> list[Due]:
    """Up to `most` due messages, `most_each` of one endpoint, none of the `busy` ones."""
    return [_due(row) for row in await tx.fetch(CLAIM, most, most_each, list(busy), look_at, lease)]


async def finish(tx: Tx, due: Due, verdict: Verdict, status: int | None) -> bool:
    """Write down what became of an attempt. True when its endpoint was disabled by it.

    The endpoint's row comes before its deliveries' rows, as everywhere: so nobody waits in a circle.
    """
    disabled = False
    if verdict.state is State.DELIVERED:
        await tx.execute(WELL, due.tenant, due.endpoint)
    else:
        await tx.execute(FAILING, due.tenant, due.endpoint)
    if verdict.disable is not None:
        disabled = await tx.fetchval(DISABLE, due.tenant, due.endpoint, verdict.disable) is not None
    await tx.execute(FINISH, due.tenant, due.id, due.tries, verdict.state, verdict.wait, status, verdict.error)
    if disabled:
        await tx.execute(GIVE_UP, due.tenant, due.endpoint, verdict.disable)
    return disabled


async def prune(tx: Tx, before: UUID, most: int) -> int:
    """Forget up to `most` messages made before an id; the number forgotten."""
    return len(await tx.fetch(PRUNE, before, most))


def _due(row: Row) -> Due:
    return replace(Due(**row), sealed_secrets=tuple(row["sealed_secrets"]))
