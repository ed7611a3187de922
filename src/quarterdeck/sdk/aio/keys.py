"""Keys, tenants, and who one is: what owners and deployment admins see to."""

from collections.abc import Sequence

from quarterdeck.sdk import calls
from quarterdeck.sdk.aio.listing import AsyncListing
from quarterdeck.sdk.aio.transport import AsyncTransport
from quarterdeck.sdk.calls import at
from quarterdeck.sdk.holdings import Key, Tenant
from quarterdeck.sdk.records import Page


class AsyncKeys:
    """`client.keys`."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def create(
        self,
        name: str,
        roles: Sequence[str] = (),
        *,
        agents: Sequence[str] | None = None,
        expires_in_s: int | None = None,
        may_assert_user: bool = False,
        deployment: bool = False,
    ) -> Key:
        """Make a key. Its `secret` is in this answer only."""
        body = {
            "name": name,
            "roles": list(roles),
            "agents": None if agents is None else list(agents),
            "expires_in_s": expires_in_s,
            "may_assert_user": may_assert_user,
            "deployment": deployment,
        }
        return await self._transport.send(calls.create(Key, at("keys"), body))

    def list(self, *, limit: int | None = None) -> AsyncListing[Key]:
        """The tenant's keys, or the deployment's for an admin who named no tenant."""
        return AsyncListing(self._transport, Page[Key], at("keys"), {}, limit)

    async def get(self, key_id: str) -> Key:
        """One key, without its secret."""
        return await self._transport.send(calls.get(Key, at("keys", key_id)))

    async def rotate(self, key_id: str, overlap_s: int = 0) -> Key:
        """A new key with the same grant; the old one still works for `overlap_s` seconds."""
        return await self._transport.send(calls.create(Key, at("keys", key_id, "rotate"), {"overlap_s": overlap_s}))

    async def revoke(self, key_id: str) -> None:
        """End a key, and the sessions and tokens made from it."""
        await self._transport.send(calls.remove(at("keys", key_id)))


class AsyncTenants:
    """`client.tenants`, for deployment admins."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def create(
        self, slug: str, name: str | None = None, *, max_running: int | None = None, queue_limit: int | None = None
    ) -> Tenant:
        """Found a tenant."""
        body = {"slug": slug, "name": name, "max_running": max_running, "queue_limit": queue_limit}
        return await self._transport.send(calls.create(Tenant, at("tenants"), body))

    def list(self, *, limit: int | None = None) -> AsyncListing[Tenant]:
        """All tenants, by slug."""
        return AsyncListing(self._transport, Page[Tenant], at("tenants"), {}, limit)

    async def get(self, slug: str) -> Tenant:
        """One tenant."""
        return await self._transport.send(calls.get(Tenant, at("tenants", slug)))

    async def disable(self, slug: str) -> Tenant:
        """Refuse a tenant's keys from now on."""
        return await self._transport.send(calls.change(Tenant, at("tenants", slug), {"disabled": True}))

    async def enable(self, slug: str) -> Tenant:
        """Let it in again."""
        return await self._transport.send(calls.change(Tenant, at("tenants", slug), {"disabled": False}))

    async def limit(self, slug: str, *, max_running: int | None = None, queue_limit: int | None = None) -> Tenant:
        """Set a tenant's own limits; None is the deployment's."""
        body = {"max_running": max_running, "queue_limit": queue_limit}
        nulls = [name for name, value in body.items() if value is None]
        return await self._transport.send(calls.change(Tenant, at("tenants", slug), body, nulls=nulls))
