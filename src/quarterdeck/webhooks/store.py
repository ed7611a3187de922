"""SQL of a tenant's endpoints and of their log of deliveries."""

from collections.abc import Sequence
from dataclasses import replace

from quarterdeck.core.ids import TenantId
from quarterdeck.db.records import Row, Tx
from quarterdeck.webhooks.records import Delivery, DeliveryId, Endpoint, EndpointId, State

_ENDPOINT = """id, url, description, kinds, created_by, created_at, updated_at, failing_since, disabled_at,
    disabled_reason"""
_DELIVERY = """id, endpoint, kind, run, state, tries, next_at, last_status, last_error, created_at, delivered_at"""

# Register an endpoint unless the tenant has as many as it may have. Two at once may both pass: the limit is against
# abuse, not a promise.
REGISTER = f"""
INSERT INTO qd.webhook_endpoints (tenant, id, url, description, kinds, sealed_secrets, created_by)
SELECT $1, $2, $3, $4, $5, $6, $7 WHERE (SELECT count(*) FROM qd.webhook_endpoints WHERE tenant = $1) < $8
RETURNING {_ENDPOINT}
"""

# One endpoint.
FIND = f"SELECT {_ENDPOINT} FROM qd.webhook_endpoints WHERE tenant = $1 AND id = $2"

# One endpoint, held against other changes until the transaction ends.
HOLD = f"{FIND} FOR UPDATE"

# The secrets of an endpoint, held for a rotation.
HOLD_SECRETS = "SELECT sealed_secrets FROM qd.webhook_endpoints WHERE tenant = $1 AND id = $2 FOR UPDATE"

# A page of endpoints in the order they were registered.
PAGE = f"""
SELECT {_ENDPOINT} FROM qd.webhook_endpoints WHERE tenant = $1 AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3
"""

# Change what an author may change. Enabling it forgets how it failed.
CHANGE = f"""
UPDATE qd.webhook_endpoints SET url = $3, description = $4, kinds = $5, updated_at = now(),
    failing_since = CASE WHEN $6 THEN NULL ELSE failing_since END,
    disabled_at = CASE WHEN $6 THEN NULL ELSE coalesce(disabled_at, now()) END,
    disabled_reason = CASE WHEN $6 THEN NULL ELSE coalesce(disabled_reason, $7) END
WHERE tenant = $1 AND id = $2 RETURNING {_ENDPOINT}
"""

# Give up what was still to be delivered to an endpoint that is disabled.
GIVE_UP = """
UPDATE qd.webhook_deliveries SET state = 'dead', last_error = coalesce(last_error, $3)
WHERE tenant = $1 AND endpoint = $2 AND state = 'pending'
"""

# Replace the secrets of an endpoint.
RESEAL = "UPDATE qd.webhook_endpoints SET sealed_secrets = $3, updated_at = now() WHERE tenant = $1 AND id = $2"

# Remove an endpoint. Waits for a fan-out that is just writing deliveries for it.
REMOVE = "DELETE FROM qd.webhook_endpoints WHERE tenant = $1 AND id = $2 RETURNING id"

# Remove the log of an endpoint that was removed.
REMOVE_DELIVERIES = "DELETE FROM qd.webhook_deliveries WHERE tenant = $1 AND endpoint = $2"

# A message to be delivered to one endpoint.
QUEUE = f"""
INSERT INTO qd.webhook_deliveries (tenant, id, endpoint, kind, body) VALUES ($1, $2, $3, $4, $5) RETURNING {_DELIVERY}
"""

# One delivery of an endpoint.
FIND_DELIVERY = f"SELECT {_DELIVERY} FROM qd.webhook_deliveries WHERE tenant = $1 AND endpoint = $2 AND id = $3"

# A page of an endpoint's deliveries, newest first.
DELIVERIES = f"""
SELECT {_DELIVERY} FROM qd.webhook_deliveries
WHERE tenant = $1 AND endpoint = $2 AND ($3::uuid IS NULL OR id < $3) AND ($4::text IS NULL OR state = $4)
ORDER BY id DESC LIMIT $5
"""

# Deliver a message once more, from the first attempt on, whatever became of it. One that is pending is brought forward
# but keeps its count, so that an attempt under way still finds its message.
REDELIVER = f"""
UPDATE qd.webhook_deliveries
SET state = 'pending', next_at = now(), tries = CASE WHEN state = 'pending' THEN tries ELSE 0 END
WHERE tenant = $1 AND endpoint = $2 AND id = $3 RETURNING {_DELIVERY}
"""


async def register(
    tx: Tx, tenant: TenantId, new: Endpoint, sealed_secrets: Sequence[bytes], most: int
) -> Endpoint | None:
    """Store an endpoint; None when the tenant has `most` already."""
    kinds, secrets = list(new.kinds), list(sealed_secrets)
    row = await tx.fetchrow(REGISTER, tenant, new.id, new.url, new.description, kinds, secrets, new.created_by, most)
    return _endpoint(row) if row else None


async def find(tx: Tx, tenant: TenantId, endpoint: EndpointId, *, hold: bool = False) -> Endpoint | None:
    """One endpoint; with `hold` nobody else changes it until the transaction ends."""
    row = await tx.fetchrow(HOLD if hold else FIND, tenant, endpoint)
    return _endpoint(row) if row else None


async def page(tx: Tx, tenant: TenantId, after: EndpointId | None, limit: int) -> list[Endpoint]:
    """Endpoints in the order they were registered."""
    return [_endpoint(row) for row in await tx.fetch(PAGE, tenant, after, limit)]


async def change(tx: Tx, tenant: TenantId, changed: Endpoint, *, enabled: bool, reason: str) -> Endpoint | None:
    """Write URL, description, kinds and whether it is enabled."""
    kinds = list(changed.kinds)
    row = await tx.fetchrow(CHANGE, tenant, changed.id, changed.url, changed.description, kinds, enabled, reason)
    if row and not enabled:
        await tx.execute(GIVE_UP, tenant, changed.id, reason)
    return _endpoint(row) if row else None


async def hold_secrets(tx: Tx, tenant: TenantId, endpoint: EndpointId) -> Sequence[bytes] | None:
    """The sealed secrets, held until the transaction ends."""
    return await tx.fetchval(HOLD_SECRETS, tenant, endpoint)


async def reseal(tx: Tx, tenant: TenantId, endpoint: EndpointId, sealed_secrets: Sequence[bytes]) -> None:
    """Write the sealed secrets anew."""
    await tx.execute(RESEAL, tenant, endpoint, list(sealed_secrets))


async def remove(tx: Tx, tenant: TenantId, endpoint: EndpointId) -> bool:
    """Remove an endpoint with its log. False when there is none."""
    removed = await tx.fetchval(REMOVE, tenant, endpoint) is not None
    if removed:
        await tx.execute(REMOVE_DELIVERIES, tenant, endpoint)
    return removed


async def queue(
    tx: Tx, tenant: TenantId, delivery: DeliveryId, endpoint: EndpointId, kind: str, body: bytes
) -> Delivery:
    """A message to one endpoint, due now."""
    row = await tx.fetchrow(QUEUE, tenant, delivery, endpoint, kind, body)
    assert row is not None
    return _delivery(row)


async def find_delivery(tx: Tx, tenant: TenantId, endpoint: EndpointId, delivery: DeliveryId) -> Delivery | None:
    """One delivery of an endpoint."""
    row = await tx.fetchrow(FIND_DELIVERY, tenant, endpoint, delivery)
    return _delivery(row) if row else None


async def deliveries(
    tx: Tx, tenant: TenantId, endpoint: EndpointId, before: DeliveryId | None, state: State | None, limit: int
) -> list[Delivery]:
    """An endpoint's deliveries, newest first."""
    return [_delivery(row) for row in await tx.fetch(DELIVERIES, tenant, endpoint, before, state, limit)]


async def redeliver(tx: Tx, tenant: TenantId, endpoint: EndpointId, delivery: DeliveryId) -> Delivery | None:
    """Make a message due now."""
    row = await tx.fetchrow(REDELIVER, tenant, endpoint, delivery)
    return _delivery(row) if row else None


def _endpoint(row: Row) -> Endpoint:
    return replace(Endpoint(**row), kinds=tuple(row["kinds"]))


def _delivery(row: Row) -> Delivery:
    return replace(Delivery(**row), state=State(row["state"]))
