"""Releases that this worker has executed: loaded and made ready once, kept because they never change."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime

from quarterdeck.blobs.records import BlobKey
from quarterdeck.blobs.service import Blobs
from quarterdeck.core.ids import ReleaseId, RunId, TenantId
from quarterdeck.db.pool import Database
from quarterdeck.models.records import ModelRequest
from quarterdeck.releases.records import Release
from quarterdeck.releases.service import Releases
from quarterdeck.runs import past
from quarterdeck.tools.records import Toolbox

_KEPT = 512


class Stock:
    """What runs need beside their log: releases, their files, and blobs, each in a transaction of its own."""

    def __init__(self, db: Database, releases: Releases, blobs: Blobs) -> None:
        self._db = db
        self._releases = releases
        self._blobs = blobs
        self._ready: OrderedDict[tuple[TenantId, ReleaseId], Release] = OrderedDict()
        self._loading: dict[tuple[TenantId, ReleaseId], asyncio.Lock] = {}

    async def ready(self, tools: Toolbox, tenant: TenantId, release: ReleaseId) -> Release:
        """A release whose tools can be called at once. Raises what loading it or preparing its tools raises."""
        key = (tenant, release)
        if (known := self._ready.get(key)) is not None:
            self._ready.move_to_end(key)
            return known
        async with self._loading.setdefault(key, asyncio.Lock()):
            if key not in self._ready:
                async with self._db.tenant(tenant) as tx:
                    loaded = await self._releases.load(tx, tenant, release)
                await tools.prepare(loaded)
                self._ready[key] = loaded
                if len(self._ready) > _KEPT:
                    self._ready.popitem(last=False)
        self._loading.pop(key, None)
        return self._ready[key]

    async def resolve(self, tenant: TenantId, name: str) -> Release:
        """The release that a new run of `agent` or `agent@version` takes. Raises what `Releases.resolve` raises."""
        async with self._db.tenant(tenant) as tx:
            return await self._releases.resolve(tx, tenant, name)

    async def files(self, release: Release) -> Mapping[str, bytes]:
        """The release's code and its locked dependencies, by path."""
        async with self._db.tenant(release.tenant) as tx:
            return await self._releases.files(tx, release.tenant, release.id)

    async def recordings(self, request: ModelRequest) -> Mapping[str, bytes]:
        """The cassettes that the release of a question carries, by path."""
        async with self._db.tenant(request.tenant) as tx:
            return await self._releases.recordings(tx, request.tenant, ReleaseId(request.release))

    async def keep(self, tenant: TenantId, run: RunId, content: bytes) -> str:
        """Store bytes that a run refers to; their key in hexadecimal."""
        async with self._db.tenant(tenant) as tx:
            return (await self._blobs.put(tx, tenant, content, str(run))).hex()

    async def texts(self, tenant: TenantId, holder: str, keys: list[str]) -> Mapping[str, str]:
        """Stored texts by key, as far as the holder refers to them."""
        wanted = [BlobKey(bytes.fromhex(key)) for key in keys]
        async with self._db.tenant(tenant) as tx:
            found = await self._blobs.get_many(tx, tenant, wanted, holder)
        return {key.hex(): content.decode("utf-8", "replace") for key, content in found.items()}

    async def calls_of_user(self, tenant: TenantId, user: str, tool: str, since: datetime) -> int:
        """How often a user's runs since a time have called a tool."""
        async with self._db.tenant(tenant) as tx:
            return await past.calls_of_user(tx, tenant, user, tool, since)
