"""Payloads on a real database: once a tenant, sealed, seen through what refers to them, swept when nothing does."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest

from quarterdeck.blobs import service as blobs_service
from quarterdeck.blobs.records import SWEEP_START, BlobKey, BlobMissing, BlobsErased, BlobTooLarge
from quarterdeck.blobs.rules import LARGEST, new_tenant_key
from quarterdeck.blobs.service import Blobs, sweep
from quarterdeck.core.ids import TenantId, uuid7
from quarterdeck.core.seal import SealBroken
from quarterdeck.core.settings import Settings
from quarterdeck.db.pool import Database
from quarterdeck.db.records import Tx
from quarterdeck.db.urls import urls_of
from quarterdeck.db.wakes import Wakes
from quarterdeck.worker.chores import Chores

NOW = timedelta(0)


@dataclass
class Scene:
    database: Database
    settings: Settings
    blobs: Blobs

    async def tenant(self) -> TenantId:
        tenant = TenantId(uuid7())
        async with self.database.system.transaction() as tx:
            await tx.execute(
                "INSERT INTO qd.tenants (tenant, slug, name, blob_key) VALUES ($1, $2, 'x', $3)",
                tenant,
                f"t-{tenant.hex[-12:]}",
                new_tenant_key(self.settings.derive("blobs"), tenant),
            )
        return tenant

    async def put(self, tenant: TenantId, content: bytes, holder: str = "one") -> BlobKey:
        async with self.database.tenant(tenant) as tx:
            return await self.blobs.put(tx, tenant, content, holder)

    async def get(self, tenant: TenantId, key: BlobKey, holder: str = "one") -> bytes:
        async with self.database.tenant(tenant) as tx:
            return await self.blobs.get(tx, tenant, key, holder)

    async def let_go(self, tenant: TenantId, holder: str = "one") -> None:
        async with self.database.tenant(tenant) as tx:
            await self.blobs.let_go(tx, tenant, holder)

    async def sweep(self, older_than: timedelta = NOW) -> int:
        """Sweep to the end; how many were removed."""
        removed, page = 0, SWEEP_START
        while True:
            async with self.database.system.transaction() as tx:
                page = await sweep(tx, page, older_than=older_than, size=2)
            removed += page.removed
            if page.looked_at < 2:
                return removed

    @asynccontextmanager
    async def stored(self) -> AsyncIterator[list]:
        async with self.database.system.transaction() as tx:
            yield await tx.fetch("SELECT * FROM qd.blobs")


@pytest.fixture
def scene(database: Database, settings: Settings) -> Scene:
    return Scene(database, settings, Blobs.of(settings))


@pytest.mark.parametrize("content", [b"", b"x", b"\x00\xff", b"words " * 50_000, os.urandom(200_000)], ids=len)
async def test_what_is_put_away_comes_back(scene: Scene, content: bytes):
    tenant = await scene.tenant()
    assert await scene.get(tenant, await scene.put(tenant, content)) == content


async def test_equal_bytes_are_stored_once_a_tenant_and_have_another_name_in_each(scene: Scene):
    one, other = await scene.tenant(), await scene.tenant()
    keys = [await scene.put(one, b"same", holder) for holder in ("a", "b", "a")]
    assert len(set(keys)) == 1
    assert await scene.put(other, b"same") != keys[0]
    async with scene.stored() as rows:
        assert len(rows) == 2


async def test_nothing_readable_lies_in_the_database(scene: Scene):
    tenant = await scene.tenant()
    await scene.put(tenant, b"a secret sentence " * 100)
    async with scene.stored() as rows:
        assert b"secret" not in bytes(rows[0]["bytes"])
        assert rows[0]["size"] == 1800
        assert len(rows[0]["bytes"]) < 200


async def test_a_payload_is_read_only_through_what_refers_to_it(scene: Scene):
    tenant, stranger = await scene.tenant(), await scene.tenant()
    key = await scene.put(tenant, b"x", "run-1")
    with pytest.raises(BlobMissing):
        await scene.get(tenant, key, "run-2")
    with pytest.raises(BlobMissing):
        await scene.get(stranger, key, "run-1")
    async with scene.database.tenant(stranger) as tx:
        with pytest.raises(BlobMissing):
            await scene.blobs.get(tx, tenant, key, "run-1")


async def test_many_are_read_at_once_or_none(scene: Scene):
    tenant = await scene.tenant()
    keys = [await scene.put(tenant, bytes([at])) for at in range(3)]
    async with scene.database.tenant(tenant) as tx:
        found = await scene.blobs.get_many(tx, tenant, [*keys, keys[0]], "one")
        assert [found[key] for key in keys] == [b"\x00", b"\x01", b"\x02"]
        with pytest.raises(BlobMissing):
            await scene.blobs.get_many(tx, tenant, [*keys, BlobKey(b"other")], "one")


async def test_a_sweep_removes_what_nobody_refers_to_and_nothing_else(scene: Scene):
    tenant, other = await scene.tenant(), await scene.tenant()
    shared = await scene.put(tenant, b"shared", "a")
    await scene.put(tenant, b"shared", "b")
    for at in range(5):
        await scene.put(tenant, b"alone %d" % at, "a")
    kept = await scene.put(other, b"alone 1", "a")
    assert await scene.sweep() == 0
    await scene.let_go(tenant, "a")
    assert await scene.sweep(timedelta(hours=1)) == 0
    assert await scene.sweep() == 5
    assert await scene.get(tenant, shared, "b") == b"shared"
    assert await scene.get(other, kept, "a") == b"alone 1"


async def test_a_payload_that_is_being_put_again_is_not_swept_away(scene: Scene):
    tenant = await scene.tenant()
    key = await scene.put(tenant, b"again", "a")
    await scene.let_go(tenant, "a")
    async with scene.database.tenant(tenant) as tx:
        await scene.blobs.put(tx, tenant, b"again", "b")
        assert await scene.sweep() == 0
    assert await scene.get(tenant, key, "b") == b"again"


async def test_a_put_that_meets_a_sweep_waits_and_stores_anew(scene: Scene):
    tenant = await scene.tenant()
    key = await scene.put(tenant, b"again", "a")
    await scene.let_go(tenant, "a")
    async with scene.database.system.transaction() as tx:
        assert (await sweep(tx, older_than=NOW)).removed == 1
        putting = asyncio.create_task(scene.put(tenant, b"again", "b"))
        await asyncio.sleep(0.1)
        assert not putting.done()
    assert await putting == key
    assert await scene.get(tenant, key, "b") == b"again"


async def test_putting_and_sweeping_at_once_never_loses_what_is_referred_to(scene: Scene):
    tenant = await scene.tenant()
    over = asyncio.Event()

    async def put_and_read(holder: str) -> None:
        for at in range(40):
            key = await scene.put(tenant, b"%d" % (at % 4), holder)
            assert await scene.get(tenant, key, holder) == b"%d" % (at % 4)
            await scene.let_go(tenant, holder)

    async def sweep_on() -> None:
        while not over.is_set():
            await scene.sweep()

    sweeping = asyncio.create_task(sweep_on())
    await asyncio.gather(*(put_and_read(f"holder-{at}") for at in range(3)))
    over.set()
    await sweeping


async def test_deleting_a_tenants_key_erases_its_payloads(scene: Scene, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(blobs_service, "KEY_LIFETIME", 0.0)
    tenant = await scene.tenant()
    key = await scene.put(tenant, b"personal")
    await erase(scene, tenant)
    with pytest.raises(BlobsErased):
        await scene.get(tenant, key)
    with pytest.raises(BlobsErased):
        await scene.put(tenant, b"more")


async def erase(scene: Scene, tenant: TenantId) -> None:
    async with scene.database.system.transaction() as tx:
        await tx.execute("UPDATE qd.tenants SET blob_key = '' WHERE tenant = $1", tenant)


async def test_a_payload_moved_to_another_name_does_not_open(scene: Scene):
    tenant = await scene.tenant()
    one, other = await scene.put(tenant, b"one"), await scene.put(tenant, b"other")
    async with scene.database.system.transaction() as tx:
        await tx.execute(
            "UPDATE qd.blobs SET bytes = (SELECT bytes FROM qd.blobs WHERE key = $2) WHERE tenant = $3 AND key = $1",
            one,
            other,
            tenant,
        )
    with pytest.raises(SealBroken):
        await scene.get(tenant, one)


async def test_what_is_too_large_is_refused(scene: Scene):
    tenant = await scene.tenant()
    async with scene.database.tenant(tenant) as tx:
        with pytest.raises(BlobTooLarge):
            await scene.blobs.put(tx, tenant, bytes(LARGEST + 1), "one")
        assert await count(tx) == 0


async def count(tx: Tx) -> int:
    return await tx.fetchval("SELECT count(*) FROM qd.blobs")


async def test_a_worker_removes_payloads_that_nobody_refers_to(scene: Scene):
    tenant = await scene.tenant()
    for at in range(3):
        await scene.put(tenant, b"%d" % at, "a")
    await scene.put(tenant, b"kept", "b")
    await scene.let_go(tenant, "a")
    async with scene.database.system.transaction() as tx:
        await tx.execute("UPDATE qd.blobs SET created_at = now() - interval '2 hours'")
    chores = Chores(scene.database, Wakes(urls_of(scene.settings).listen), scene.settings, lambda: None)
    await chores._prune_once()
    async with scene.stored() as rows:
        assert [row["size"] for row in rows] == [4]
