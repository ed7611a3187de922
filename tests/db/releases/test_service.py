"""Naming, loading and reading back releases, in transactions of a tenant."""

from dataclasses import dataclass

import asyncpg
import pytest

from quarterdeck.blobs.rules import new_tenant_key
from quarterdeck.blobs.service import Blobs
from quarterdeck.core.ids import ReleaseId, TenantId, uuid7
from quarterdeck.core.settings import Settings
from quarterdeck.db.pool import Database
from quarterdeck.releases.errors import AgentDisabled, Ambiguous, NoSuchAgent, NoSuchRelease, ReleaseCorrupt
from quarterdeck.releases.manifest import id_of
from quarterdeck.releases.records import Registered, Submission
from quarterdeck.releases.service import Releases
from tests.unit.releases.builders import FILES, SOUND, raw


@dataclass
class Scene:
    database: Database
    settings: Settings
    releases: Releases

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

    async def register(self, tenant: TenantId, changes: dict | None = None, label: str | None = None, **files: bytes):
        submission = Submission(raw(changes), {**FILES, **files}, label)
        async with self.database.tenant(tenant) as tx:
            return await self.releases.register(tx, tenant, submission, "key:test", may_bring_code=True)

    async def resolve(self, tenant: TenantId, name: str) -> ReleaseId:
        async with self.database.tenant(tenant) as tx:
            return (await self.releases.resolve(tx, tenant, name)).id


@pytest.fixture
def scene(database: Database, settings: Settings) -> Scene:
    return Scene(database, settings, Releases(Blobs.of(settings)))


async def test_an_agent_is_found_by_name_label_and_beginning_of_an_id(scene: Scene):
    tenant = await scene.tenant()
    first = (await scene.register(tenant, label="one")).release.id
    second = (await scene.register(tenant, {"limits.max_steps": 5})).release.id
    assert await scene.resolve(tenant, "support-desk") == second
    assert await scene.resolve(tenant, "support-desk@one") == first
    assert await scene.resolve(tenant, f"support-desk@{first[:8]}") == first
    assert await scene.resolve(tenant, f"support-desk@{first}") == first


NAMES = ["nobody", "", "@one", "support-desk@two", "support-desk@", "support-desk@0000000", "support-desk@one@one"]
ODD = ["support-desk@00000000", "no\x00body", "support-desk@\ud800", "x" * 10_000, "support-desk@" + "f" * 64]


@pytest.mark.parametrize("name", NAMES + ODD)
async def test_what_there_is_not_is_not_found(scene: Scene, name: str):
    tenant = await scene.tenant()
    await scene.register(tenant, label="one")
    with pytest.raises((NoSuchAgent, NoSuchRelease)):
        await scene.resolve(tenant, name)


async def test_the_beginning_of_several_ids_is_refused(scene: Scene):
    tenant = await scene.tenant()
    release = (await scene.register(tenant)).release.id
    twin = release[:20] + ("0" if release[20] != "0" else "1") * 44
    async with scene.database.tenant(tenant) as tx:
        await tx.execute(
            "INSERT INTO qd.releases (tenant, id, agent, manifest, registered_by) "
            "SELECT tenant, $2, agent, manifest, 'x' FROM qd.releases WHERE tenant = $1",
            tenant,
            twin,
        )
    with pytest.raises(Ambiguous):
        await scene.resolve(tenant, f"support-desk@{release[:10]}")
    assert await scene.resolve(tenant, f"support-desk@{release[:21]}") == release


async def test_a_release_that_is_no_longer_what_its_id_says_is_not_executed(scene: Scene):
    tenant = await scene.tenant()
    registered: Registered = await scene.register(tenant)
    async with scene.database.system.transaction() as tx:
        changed = "jsonb_set(manifest, '{prompt,text}', to_jsonb('Obey.'::text))"
        await tx.execute(f"UPDATE qd.releases SET manifest = {changed} WHERE tenant = $1", tenant)
    with pytest.raises(ReleaseCorrupt):
        await scene.resolve(tenant, "support-desk")
    assert registered.created


async def test_a_release_is_read_from_the_database_once(scene: Scene):
    tenant = await scene.tenant()
    await scene.register(tenant)
    async with scene.database.tenant(tenant) as tx:
        one = await scene.releases.load(tx, tenant, id_of(SOUND))
        assert await scene.releases.load(tx, tenant, id_of(SOUND)) is one


async def test_a_release_whose_registration_was_rolled_back_does_not_exist(scene: Scene):
    tenant = await scene.tenant()

    async def register_and_fail() -> None:
        async with scene.database.tenant(tenant) as tx:
            submission = Submission(raw(), FILES)
            await scene.releases.register(tx, tenant, submission, "key:test", may_bring_code=True)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await register_and_fail()
    async with scene.database.tenant(tenant) as tx:
        with pytest.raises(NoSuchRelease):
            await scene.releases.load(tx, tenant, id_of(SOUND))


async def test_code_and_recordings_are_read_back_apart(scene: Scene):
    tenant = await scene.tenant()
    release = (await scene.register(tenant, None, None, **{"cassettes/a.json": b"{}"})).release
    async with scene.database.tenant(tenant) as tx:
        assert await scene.releases.files(tx, tenant, release.id) == FILES
        assert await scene.releases.recordings(tx, tenant, release.id) == {"cassettes/a.json": b"{}"}


async def test_one_tenants_release_is_nothing_to_another(scene: Scene):
    tenant, stranger = await scene.tenant(), await scene.tenant()
    release = (await scene.register(tenant)).release
    async with scene.database.tenant(stranger) as tx:
        with pytest.raises(NoSuchRelease):
            await scene.releases.load(tx, stranger, release.id)
        with pytest.raises(NoSuchRelease):
            await scene.releases.load(tx, tenant, ReleaseId(release.id))
        assert await scene.releases.files(tx, tenant, release.id) == {}


async def test_a_disabled_agent_takes_no_runs(scene: Scene):
    tenant = await scene.tenant()
    await scene.register(tenant)
    async with scene.database.tenant(tenant) as tx:
        assert (await scene.releases.disable(tx, tenant, SOUND["agent"], disabled=True)).disabled_at is not None
    with pytest.raises(AgentDisabled):
        await scene.resolve(tenant, "support-desk")


async def test_the_application_can_not_change_a_release(scene: Scene):
    tenant = await scene.tenant()
    await scene.register(tenant)
    for statement in (
        "UPDATE qd.releases SET label = 'x' WHERE tenant = $1",
        "DELETE FROM qd.releases WHERE tenant = $1",
        "UPDATE qd.release_files SET path = 'x' WHERE tenant = $1",
        "DELETE FROM qd.release_files WHERE tenant = $1",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with scene.database.tenant(tenant) as tx:
                await tx.execute(statement, tenant)
