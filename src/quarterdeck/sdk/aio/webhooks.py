"""Webhooks: endpoints that are told what happens, and what became of each message."""

from collections.abc import Sequence

from quarterdeck.sdk import calls
from quarterdeck.sdk.aio.listing import AsyncListing
from quarterdeck.sdk.aio.transport import AsyncTransport
from quarterdeck.sdk.calls import at
from quarterdeck.sdk.holdings import Delivery, Rotated, Webhook
from quarterdeck.sdk.records import Page


class AsyncWebhooks:
    """`client.webhooks`."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def create(self, url: str, kinds: Sequence[str] = ("*",), description: str = "") -> Webhook:
        """Register an endpoint. The `secret` that signs its messages is in this answer only."""
        body = {"url": url, "kinds": list(kinds), "description": description}
        return await self._transport.send(calls.create(Webhook, at("webhooks"), body))

    def list(self, *, limit: int | None = None) -> AsyncListing[Webhook]:
        """Endpoints in the order they were registered."""
        return AsyncListing(self._transport, Page[Webhook], at("webhooks"), {}, limit)

    async def get(self, webhook_id: str) -> Webhook:
        """One endpoint."""
        return await self._transport.send(calls.get(Webhook, at("webhooks", webhook_id)))

    async def update(
        self,
        webhook_id: str,
        *,
        url: str | None = None,
        kinds: Sequence[str] | None = None,
        description: str | None = None,
        enabled: bool | None = None,
    ) -> Webhook:
        """Change an endpoint; what is None stays. Enabling forgets how it failed."""
        body = {"url": url, "kinds": kinds, "description": description, "enabled": enabled}
        return await self._transport.send(calls.change(Webhook, at("webhooks", webhook_id), body))

    async def remove(self, webhook_id: str) -> None:
        """Remove an endpoint with its secrets and its log."""
        await self._transport.send(calls.remove(at("webhooks", webhook_id)))

    async def rotate(self, webhook_id: str, overlap_seconds: int = 24 * 3600) -> Rotated:
        """A fresh secret; the ones before sign along until the overlap is over."""
        body = {"overlap_seconds": overlap_seconds}
        return await self._transport.send(calls.create(Rotated, at("webhooks", webhook_id, "rotate"), body))

    async def test(self, webhook_id: str) -> Delivery:
        """Send a `webhook.test` message."""
        return await self._transport.send(calls.create(Delivery, at("webhooks", webhook_id, "test")))

    def deliveries(
        self, webhook_id: str, *, state: str | None = None, limit: int | None = None
    ) -> AsyncListing[Delivery]:
        """What was sent in the last 30 days, newest first."""
        path = at("webhooks", webhook_id, "deliveries")
        return AsyncListing(self._transport, Page[Delivery], path, {"state": state}, limit)

    async def redeliver(self, webhook_id: str, delivery_id: str) -> Delivery:
        """Send a message again under the same id, whatever became of it before."""
        path = at("webhooks", webhook_id, "deliveries", delivery_id, "redeliver")
        return await self._transport.send(calls.create(Delivery, path))
