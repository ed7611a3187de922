"""The first keys of a deployment in a folder: whoever owns the folder owns what runs in it."""

from dataclasses import dataclass

from quarterdeck.cli.local import Access
from quarterdeck.core.clock import SystemClock
from quarterdeck.core.errors import Error
from quarterdeck.core.settings import Settings
from quarterdeck.db.pool import Database
from quarterdeck.db.records import Urls
from quarterdeck.http.actor import Actor, Role
from quarterdeck.tenants import rules, service, store
from quarterdeck.tenants.authenticator import KeyAuthenticator
from quarterdeck.tenants.minting import Peppers
from quarterdeck.tenants.records import Grant, Tenant

KEY_NAME = "dev"


async def open_doors(settings: Settings, urls: Urls, url: str, tenant: str, known: Access | None) -> Access:
    """An admin's key and a key of this tenant that work, those known where they still do. Founds the tenant."""
    database = await Database.open(urls, size=2)
    try:
        door = _Door(settings, database, KeyAuthenticator(database, Peppers.of(settings), SystemClock()))
        admin_key = await door.admin_key(known)
        found = await door.tenant(tenant)
        key = await door.tenant_key(found, admin_key, known)
        await door.authenticator.close()
        return Access(url, tenant, key, admin_key)
    finally:
        await database.close()


@dataclass(frozen=True, slots=True)
class _Door:
    settings: Settings
    database: Database
    authenticator: KeyAuthenticator

    async def admin_key(self, known: Access | None) -> str:
        if known is not None and (actor := await self.actor(known.admin_key)) is not None and actor.admin:
            return known.admin_key
        return (await service.bootstrap(self.database, self.settings, force=True)).secret

    async def tenant(self, slug: str) -> Tenant:
        planned = service.plan_tenant(slug, "", SystemClock().now())
        async with self.database.system.transaction() as tx:
            return await store.find_tenant(tx, slug) or await service.found_tenant(tx, self.settings, planned)

    async def tenant_key(self, tenant: Tenant, admin_key: str, known: Access | None) -> str:
        if known is not None and (actor := await self.actor(known.key)) is not None and actor.tenant == tenant.tenant:
            return known.key
        admin = await self.actor(admin_key)
        assert admin is not None, "a key that was made or proven a moment ago"
        grant = Grant(frozenset({Role.OWNER}), may_assert_user=True)
        async with service.reach(self.database, tenant.tenant) as tx:
            peppers, now = self.authenticator.peppers, SystemClock().now()
            return (await service.issue_key(tx, peppers, admin, tenant.tenant, KEY_NAME, grant, now)).secret

    async def actor(self, key: str) -> Actor | None:
        """Who a key is; None where it does not work."""
        try:
            return rules.actor_of(await self.authenticator.prove(key))
        except Error as fault:
            if fault.status in {401, 403}:
                return None
            raise
