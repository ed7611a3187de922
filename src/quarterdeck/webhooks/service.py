"""What a tenant does with its webhooks."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from quarterdeck.core.clock import Clock, SystemClock
from quarterdeck.core.ids import TenantId
from quarterdeck.core.json import encode_text
from quarterdeck.core.settings import Settings
from quarterdeck.core.signature import new_secret
from quarterdeck.db.records import Tx
from quarterdeck.net.client import Outbound
from quarterdeck.net.errors import OutboundFailed, OutboundTimeout
from quarterdeck.webhooks import rules, store
from quarterdeck.webhooks.records import (
    TEST_KIND,
    Delivery,
    DeliveryId,
    DeliveryMissing,
    Endpoint,
    EndpointDisabled,
    EndpointId,
    EndpointMissing,
    HostUnknown,
    Secret,
    TooManyEndpoints,
    new_delivery_id,
    new_endpoint_id,
)

MOST_ENDPOINTS = 50
_BY_HAND = "Disabled by hand."


@dataclass(frozen=True, slots=True)
class Wish:
    """What an author asks of an endpoint; None leaves as it is."""

    url: str | None = None
    description: str | None = None
    kinds: tuple[str, ...] | None = None
    enabled: bool | None = None


class Webhooks:
    """The webhooks of all tenants, as one process reaches them. `key` is `settings.derive("webhooks")`.

    Verbs work in the caller's transaction, which has to be the tenant's. URLs are examined before one is opened.
    """

    def __init__(self, outbound: Outbound, key: bytes, clock: Clock | None = None) -> None:
        self._outbound = outbound
        self._key = key
        self._clock = clock or SystemClock()

    @classmethod
    def of(cls, outbound: Outbound, settings: Settings) -> "Webhooks":
        """The webhooks of a deployment."""
        return cls(outbound, settings.derive("webhooks"))

    async def examine(self, url: str) -> str:
        """The URL in its canonical spelling. Raises TargetRefused, and HostUnknown when its host can't be found."""
        try:
            return (await self._outbound.examine(url)).url
        except (OutboundFailed, OutboundTimeout):
            raise HostUnknown from None

    async def register(
        self, tx: Tx, tenant: TenantId, url: str, kinds: tuple[str, ...], description: str, by: str
    ) -> tuple[Endpoint, str]:
        """A new endpoint and its secret, which is shown this once. `url` has been examined. Raises TooManyEndpoints."""
        secret, now = new_secret(), datetime.now(UTC)
        wanted = Endpoint(new_endpoint_id(), url, description, kinds, by, now, now, None, None, None)
        sealed = rules.close(self._key, tenant, wanted.id, Secret(secret))
        endpoint = await store.register(tx, tenant, wanted, [sealed], MOST_ENDPOINTS)
        if endpoint is None:
            raise TooManyEndpoints(limit=MOST_ENDPOINTS)
        return endpoint, secret

    async def change(self, tx: Tx, tenant: TenantId, present: Endpoint, wish: Wish) -> Endpoint:
        """Change an endpoint that this transaction holds. Disabling it gives up what was still to be delivered."""
        changed = replace(
            present,
            url=present.url if wish.url is None else wish.url,
            description=present.description if wish.description is None else wish.description,
            kinds=present.kinds if wish.kinds is None else wish.kinds,
        )
        enabled = present.disabled_at is None if wish.enabled is None else wish.enabled
        written = await store.change(tx, tenant, changed, enabled=enabled, reason=_BY_HAND)
        if written is None:
            raise EndpointMissing
        return written

    async def find(self, tx: Tx, tenant: TenantId, endpoint: EndpointId, *, hold: bool = False) -> Endpoint:
        """One endpoint; with `hold` nobody else changes it until the transaction ends. Raises EndpointMissing."""
        found = await store.find(tx, tenant, endpoint, hold=hold)
        if found is None:
            raise EndpointMissing
        return found

    async def remove(self, tx: Tx, tenant: TenantId, endpoint: EndpointId) -> None:
        """Remove an endpoint with its secrets and its log; what was under way to it may still arrive."""
        if not await store.remove(tx, tenant, endpoint):
            raise EndpointMissing

    async def rotate(
        self, tx: Tx, tenant: TenantId, endpoint: EndpointId, overlap: timedelta = rules.ROTATION_OVERLAP
    ) -> tuple[str, datetime]:
        """A fresh secret, shown this once, and until when the ones before sign along with it."""
        sealed = await store.hold_secrets(tx, tenant, endpoint)
        if sealed is None:
            raise EndpointMissing
        now = self._clock.now()
        present = [rules.reopen(self._key, tenant, endpoint, each) for each in sealed]
        secrets = rules.rotated(present, now, overlap)
        await store.reseal(
            tx, tenant, endpoint, [rules.close(self._key, tenant, endpoint, secret) for secret in secrets]
        )
        return secrets[0].text, now + overlap

    async def test(self, tx: Tx, tenant: TenantId, endpoint: EndpointId) -> Delivery:
        """Send a test message, whatever kinds the endpoint asked for. Raises EndpointDisabled."""
        await self._enabled(tx, tenant, endpoint)
        record = encode_text({"message": "If you can read this, the webhook works."})
        body = rules.envelope(TEST_KIND, self._clock.now(), record)
        return await store.queue(tx, tenant, new_delivery_id(), endpoint, TEST_KIND, body)

    async def find_delivery(self, tx: Tx, tenant: TenantId, endpoint: EndpointId, delivery: DeliveryId) -> Delivery:
        """One delivery. Raises DeliveryMissing."""
        found = await store.find_delivery(tx, tenant, endpoint, delivery)
        if found is None:
            raise DeliveryMissing
        return found

    async def redeliver(self, tx: Tx, tenant: TenantId, endpoint: EndpointId, delivery: DeliveryId) -> Delivery:
        """Send a message again, delivered or dead, under its own id. Raises EndpointDisabled, DeliveryMissing."""
        await self._enabled(tx, tenant, endpoint)
        again = await store.redeliver(tx, tenant, endpoint, delivery)
        if again is None:
            raise DeliveryMissing
        return again

    async def _enabled(self, tx: Tx, tenant: TenantId, endpoint: EndpointId) -> None:
        found = await self.find(tx, tenant, endpoint, hold=True)
        if found.disabled_at is not None:
            raise EndpointDisabled(reason=found.disabled_reason)
