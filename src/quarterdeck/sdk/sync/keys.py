# Made by `python -m scripts.sdk` from sdk/aio; change that instead.
"""Keys, tenants, and who one is: what owners and deployment admins see to."""

from collections.abc import Sequence

from quarterdeck.sdk import calls
from quarterdeck.sdk.calls import at
from quarterdeck.sdk.holdings import Key, Tenant
from quarterdeck.sdk.records import Page
from quarterdeck.sdk.sync.listing import Listing
from quarterdeck.sdk.sync.transport import Transport


class Keys:
    """`client.keys`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
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
        return self._transport.send(calls.create(Key, at("keys"), body))

    def list(self, *, limit: int | None = None) -> Listing[Key]:
        """The tenant's keys, or the deployment's for an admin who named no tenant."""
        return Listing(self._transport, Page[Key], at("keys"), {}, limit)

    def get(self, key_id: str) -> Key:
        """One key, without its secret."""
        return self._transport.send(calls.get(Key, at("keys", key_id)))

    def rotate(self, key_id: str, overlap_s: int = 0) -> Key:
        """A new key with the same grant; the old one still works for `overlap_s` seconds."""
        return self._transport.send(calls.create(Key, at("keys", key_id, "rotate"), {"overlap_s": overlap_s}))

    def revoke(self, key_id: str) -> None:
        """End a key, and the sessions and tokens made from it."""
        self._transport.send(calls.remove(at("keys", key_id)))


class Tenants:
    """`client.tenants`, for deployment admins."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self, slug: str, name: str | None = None, *, max_running: int | None = None, queue_limit: int | None = None
    ) -> Tenant:
        """Found a tenant."""
        body = {"slug": slug, "name": name, "max_running": max_running, "queue_limit": queue_limit}
        return self._transport.send(calls.create(Tenant, at("tenants"), body))

    def list(self, *, limit: int | None = None) -> Listing[Tenant]:
        """All tenants, by slug."""
        return Listing(self._transport, Page[Tenant], at("tenants"), {}, limit)

    def get(self, slug: str) -> Tenant:
        """One tenant."""
        return self._transport.send(calls.get(Tenant, at("tenants", slug)))

    def disable(self, slug: str) -> Tenant:
        """Refuse a tenant's keys from now on."""
        return self._transport.send(calls.change(Tenant, at("tenants", slug), {"disabled": True}))

    def enable(self, slug: str) -> Tenant:
        """Let it in again."""
        return self._transport.send(calls.change(Tenant, at("tenants", slug), {"disabled": False}))

    def limit(self, slug: str, *, max_running: int | None = None, queue_limit: int | None = None) -> Tenant:
        """Set a tenant's own limits; None is the deployment's."""
        body = {"max_running": max_running, "queue_limit": queue_limit}
        nulls = [name for name, value in body.items() if value is None]
        return self._transport.send(calls.change(Tenant, at("tenants", slug), body, nulls=nulls))
