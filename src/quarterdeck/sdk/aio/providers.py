"""Provider connections and workers: the deployment's own things."""

from collections.abc import Mapping, Sequence

from quarterdeck.core.json import Json
from quarterdeck.sdk import calls
from quarterdeck.sdk.aio.listing import AsyncListing
from quarterdeck.sdk.aio.transport import AsyncTransport
from quarterdeck.sdk.calls import at
from quarterdeck.sdk.holdings import Pace, Provider, Worker
from quarterdeck.sdk.records import Page


class AsyncProviders:
    """`client.providers`, for deployment admins."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def create(
        self,
        name: str,
        kind: str,
        *,
        base_url: str | None = None,
        key: str | None = None,
        options: Mapping[str, Json] | None = None,
        tenants: Sequence[str] | None = None,
        agents: Sequence[str] | None = None,
    ) -> Provider:
        """Connect a provider. Its key is sealed to its address and never shown again. `tenants` are ids."""
        body = {
            "name": name,
            "kind": kind,
            "base_url": base_url,
            "key": key,
            "options": options,
            "tenants": tenants,
            "agents": agents,
        }
        return await self._transport.send(calls.create(Provider, at("providers"), body))

    def list(self) -> AsyncListing[Provider]:
        """Every connection, by name."""
        return AsyncListing(self._transport, Page[Provider], at("providers"), {})

    async def get(self, name: str) -> Provider:
        """One connection."""
        return await self._transport.send(calls.get(Provider, at("providers", name)))

    async def update(
        self,
        name: str,
        *,
        base_url: str | None = None,
        key: str | None = None,
        options: Mapping[str, Json] | None = None,
    ) -> Provider:
        """Change address, key or options; what is None stays. A new origin needs the key again."""
        body = {"base_url": base_url, "key": key, "options": options}
        return await self._transport.send(calls.change(Provider, at("providers", name), body))

    async def remove(self, name: str) -> None:
        """Remove a connection. Runs whose release names it fail their next question to a model."""
        await self._transport.send(calls.remove(at("providers", name)))

    def pace(self, name: str) -> AsyncListing[Pace]:
        """How fast it is asked at the moment, by key and model. Empty while it takes all that it is asked."""
        return AsyncListing(self._transport, Page[Pace], at("providers", name, "pace"), {})


class AsyncWorkers:
    """`client.workers`."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    def list(self) -> AsyncListing[Worker]:
        """The worker processes of the deployment, for its admins."""
        return AsyncListing(self._transport, Page[Worker], at("workers"), {})
