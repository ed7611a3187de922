"""From credentials to an actor, at every request.

So what the database said of a key is kept for a few seconds. Only that: the secret itself is proven each time.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from quarterdeck.core import log as logs
from quarterdeck.core.clock import Clock
from quarterdeck.core.errors import Unauthenticated
from quarterdeck.core.ids import KeyId, TenantId
from quarterdeck.db.pool import Database
from quarterdeck.http.credentials import Credentials, Kind
from quarterdeck.http.records import Actor
from quarterdeck.tenants import rules, store, store_sessions
from quarterdeck.tenants.minting import Peppers, hash_key, hash_session, parse_key, same
from quarterdeck.tenants.recent import Recent
from quarterdeck.tenants.records import Change, KnownKey, NoSuchTenant, Part, Session, Tenant
from quarterdeck.tenants.service import reach
from quarterdeck.tenants.tokens import narrow_actor, read_token

_TOUCH_EVERY = 60.0
_log = logs.get("quarterdeck.tenants")


class KeyAuthenticator:
    """Knows keys, sessions and narrow tokens. One a process; `tell` sends a change to the others."""

    def __init__(self, database: Database, peppers: Peppers, clock: Clock) -> None:
        self.peppers = peppers
        self._database = database
        self.tell: Callable[[Change], None] = lambda _: None
        self._clock = clock
        self._keys: Recent[KeyId, KnownKey] = Recent(clock, self._find_key)
        self._sessions: Recent[bytes, Session] = Recent(clock, self._find_session)
        self._tenants: Recent[str, Tenant] = Recent(clock, self._find_tenant)
        self._touched: dict[KeyId, float] = {}
        self._background: set[asyncio.Task[None]] = set()

    async def authenticate(self, credentials: Credentials) -> Actor:
        """The actor behind credentials. Raises Unauthenticated, Forbidden, NoSuchTenant or Invalid (a claim's form)."""
        match credentials.kind:
            case Kind.BEARER:
                actor = await self._by_key(credentials.secret)
            case Kind.SESSION:
                actor = await self._by_session(credentials.secret)
            case Kind.ADDRESS:
                return await self._by_token(credentials.secret)
            case Kind.NONE:
                raise Unauthenticated
        return await self._claim(actor, credentials)

    async def prove(self, text: str) -> KnownKey:
        """The key that a text proves. Raises Unauthenticated, KeyExpired, KeyRevoked or TenantDisabled."""
        key_id = parse_key(text)
        known = await self._keys.get(key_id) if key_id is not None else None
        rules.check_proof(proven=known is not None and same(known.hash, hash_key(self.peppers, text)))
        assert known is not None, "just proven"
        return self._standing(known)

    def changed(self, change: Change) -> None:
        """Stop believing what was changed, here at once and elsewhere as soon as the word gets there."""
        self.heard(change)
        self.tell(change)

    def heard(self, change: Change) -> None:
        """Stop believing what was changed here or in another process."""
        match change.part:
            case Part.KEY:
                self._keys.forget(KeyId(change.id))
            case Part.SESSION:
                self._sessions.forget(bytes.fromhex(change.id))
            case Part.TENANT:
                self._tenants.forget(change.id)
                # Each key remembers whether its tenant is disabled.
                self._keys.clear()

    def forget(self) -> None:
        """Stop believing anything: changes may have been missed."""
        self._keys.clear()
        self._sessions.clear()
        self._tenants.clear()

    async def close(self) -> None:
        """Wait for what is being noted in the background."""
        await asyncio.gather(*self._background, return_exceptions=True)

    async def _by_key(self, text: str) -> Actor:
        if text.startswith("qdt_"):
            return await self._by_token(text)
        return rules.actor_of(await self.prove(text))

    async def _by_session(self, cookie: str) -> Actor:
        found = await self._sessions.get(hash_session(self.peppers, cookie))
        session = rules.check_session(found, self._clock.now())
        known = await self._keys.get(session.key_id)
        rules.check_proof(proven=known is not None)
        assert known is not None, "just proven"
        return rules.actor_of(self._standing(known), session.user_id)

    async def _by_token(self, text: str) -> Actor:
        claims = read_token(self.peppers, self._clock, text)
        known = await self._keys.get(KeyId(claims.key_id))
        rules.check_proof(proven=known is not None)
        assert known is not None, "just proven"
        return narrow_actor(claims, self._standing(known).name)

    async def _claim(self, actor: Actor, credentials: Credentials) -> Actor:
        """The actor with what the headers claim: the tenant to act in, the end user to act for."""
        if credentials.tenant:
            rules.check_tenant_claim(actor, credentials.tenant)
            if actor.admin:
                tenant = await self._tenants.get(credentials.tenant)
                if tenant is None:
                    raise NoSuchTenant(slug=credentials.tenant)
                actor = replace(actor, tenant=tenant.tenant, tenant_slug=tenant.slug)
        if credentials.user:
            actor = replace(actor, user_id=actor.on_behalf_of(rules.read_user_claim(credentials.user)))
        return actor

    def _standing(self, key: KnownKey) -> KnownKey:
        rules.check_standing(key, self._clock.now())
        now = self._clock.boot()
        if now - self._touched.get(key.id, -_TOUCH_EVERY) >= _TOUCH_EVERY:
            self._touched[key.id] = now
            self._touch(key.tenant, key.id)
        return key

    async def _find_key(self, key_id: KeyId) -> KnownKey | None:
        async with self._database.app.transaction() as tx:
            return await store.know_key(tx, key_id)

    async def _find_session(self, digest: bytes) -> Session | None:
        async with self._database.app.transaction() as tx:
            return await store_sessions.know_session(tx, digest)

    async def _find_tenant(self, slug: str) -> Tenant | None:
        async with self._database.system.transaction() as tx:
            return await store.find_tenant(tx, slug)

    def _touch(self, tenant: TenantId | None, key_id: KeyId) -> None:
        """Note the use of a key beside the request, which does not wait for it."""
        task = asyncio.create_task(self._note_use(tenant, key_id))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _note_use(self, tenant: TenantId | None, key_id: KeyId) -> None:
        try:
            async with reach(self._database, tenant) as tx:
                await store.touch_key(tx, tenant, key_id)
        except Exception as fault:
            _log.warning("key.touch_failed", key=key_id, fault=repr(fault))
