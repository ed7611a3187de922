"""Put payloads away, read them back, sweep what nobody refers to any more."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta

from quarterdeck.blobs import rules, store
from quarterdeck.blobs.records import SWEEP_START, BlobKey, BlobMissing, BlobsErased, BlobTooLarge, Sweep
from quarterdeck.core.ids import TenantId
from quarterdeck.core.settings import Settings
from quarterdeck.db.records import Tx

KEY_LIFETIME = 60.0
"""Seconds for which a process keeps a tenant's key: after an erasure payloads stay readable that long at most."""
PAGE = 500
"""Payloads that a sweep looks at in one transaction."""
_OFF_LOOP = 64 * 1024


class Blobs:
    """The payloads of all tenants, as one process reaches them.

    Every verb works in the caller's transaction: a payload is there exactly when what refers to it is. `holder` is who
    refers to it: a run's id or a release's id, as text.
    """

    def __init__(self, deployment_key: bytes) -> None:
        self._deployment_key = deployment_key
        self._keys: dict[TenantId, tuple[bytes, float]] = {}

    @classmethod
    def of(cls, settings: Settings) -> "Blobs":
        """The blobs of a deployment."""
        return cls(settings.derive("blobs"))

    async def put(self, tx: Tx, tenant: TenantId, content: bytes, holder: str) -> BlobKey:
        """Store `content` for `holder` and answer its key. Idempotent: equal bytes are stored once a tenant."""
        if len(content) > rules.LARGEST:
            raise BlobTooLarge(size=len(content), limit=rules.LARGEST)
        tenant_key = await self._key(tx, tenant)
        key = rules.key_of(tenant_key, content)
        if len(content) > _OFF_LOOP:
            stored = await asyncio.to_thread(rules.close, tenant_key, tenant, key, content)
        else:
            stored = rules.close(tenant_key, tenant, key, content)
        await store.put(tx, tenant, key, stored, len(content), holder)
        return key

    async def key_of(self, tx: Tx, tenant: TenantId, content: bytes) -> BlobKey:
        """The key that `content` has or would have in this tenant; stores nothing."""
        return rules.key_of(await self._key(tx, tenant), content)

    async def get(self, tx: Tx, tenant: TenantId, key: BlobKey, holder: str) -> bytes:
        """The payload. Raises BlobMissing unless `holder` refers to it."""
        stored = await store.get(tx, tenant, key, holder)
        if stored is None:
            raise BlobMissing
        return await self._reopen(await self._key(tx, tenant), tenant, key, stored)

    async def get_many(self, tx: Tx, tenant: TenantId, keys: Sequence[BlobKey], holder: str) -> Mapping[BlobKey, bytes]:
        """Several payloads at once. Raises BlobMissing unless `holder` refers to all of them."""
        found = await store.get_many(tx, tenant, keys, holder)
        if len(found) < len(set(keys)):
            raise BlobMissing
        tenant_key = await self._key(tx, tenant)
        return {key: await self._reopen(tenant_key, tenant, key, stored) for key, stored in found.items()}

    async def let_go(self, tx: Tx, tenant: TenantId, holder: str) -> None:
        """Drop all references of a holder that is being deleted. What nobody else refers to goes with a later sweep."""
        await store.let_go(tx, tenant, holder)

    async def _reopen(self, tenant_key: bytes, tenant: TenantId, key: BlobKey, stored: bytes) -> bytes:
        if len(stored) > _OFF_LOOP:
            return await asyncio.to_thread(rules.reopen, tenant_key, tenant, key, stored)
        return rules.reopen(tenant_key, tenant, key, stored)

    async def _key(self, tx: Tx, tenant: TenantId) -> bytes:
        known = self._keys.get(tenant)
        now = time.monotonic()
        if known is not None and known[1] > now:
            return known[0]
        sealed = await store.sealed_key(tx, tenant)
        if not sealed:
            self._keys.pop(tenant, None)
            raise BlobsErased
        opened = rules.open_tenant_key(self._deployment_key, tenant, sealed)
        self._keys[tenant] = (opened, now + KEY_LIFETIME)
        return opened


async def sweep(
    tx: Tx, after: Sweep = SWEEP_START, *, older_than: timedelta = timedelta(hours=1), size: int = PAGE
) -> Sweep:
    """Remove unreferenced payloads among the next `size` of all, in a transaction of qd_system.

    Give the answer back to go on; fewer than `size` looked at means that the end was reached. A payload that is being
    put again meanwhile is left alone. Needs no tenant's key: what is removed is not opened.
    """
    return await store.sweep_page(tx, after, older_than, size)
