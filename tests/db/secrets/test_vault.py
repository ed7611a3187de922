"""The vault: values sealed twice, versions, rotation of both kinds of keys, due dates, and other back ends."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import SecretStr

from quarterdeck.core.ids import RunId, TenantId, uuid7
from quarterdeck.core.settings import Settings
from quarterdeck.db.pool import Database
from quarterdeck.secrets import service as service_module
from quarterdeck.secrets import store
from quarterdeck.secrets.records import (
    DEPLOYMENT,
    KEPT,
    BadSecret,
    NoSuchSecret,
    Secret,
    SecretMissing,
    SecretUnreadable,
    Wanted,
)
from quarterdeck.secrets.service import Vault, tell_due

ONE, TWO = "canary-value-one", "canary-value-two"


async def put(vault: Vault, tenant: TenantId, name: str = "API", value: str | None = ONE, **wanted: object) -> Secret:
    async with vault.database.tenant(tenant) as tx:
        return await vault.put(tx, tenant, Wanted(name, value, **wanted), "key:k1")  # pyright: ignore[reportArgumentType]  # a test's shorthand


async def fresh(vault: Vault, settings: Settings) -> Vault:
    """The vault of another process."""
    return Vault.of(vault.database, settings)


async def test_a_value_comes_back_and_stands_nowhere_in_the_database(vault: Vault, tenant: TenantId):
    kept = await put(vault, tenant, description="for the API")
    assert (kept.name, kept.version, kept.set_by, kept.leaks) == ("API", 1, "key:k1", 0)
    assert await vault.resolve(tenant, ["API"]) == {"API": ONE}
    async with vault.database.system.transaction() as tx:
        for table in ("secrets", "secret_versions", "secret_keys"):
            rows = await tx.fetch(f"SELECT t::text FROM qd.{table} t")
            assert rows
            assert not [row for row in rows if ONE in row[0] or ONE.encode().hex() in row[0]]


async def test_another_tenant_has_no_such_secret(vault: Vault, tenant: TenantId):
    await put(vault, tenant)
    with pytest.raises(SecretMissing, match="no secret `API`"):
        await vault.resolve(TenantId(uuid7()), ["API"])


async def test_a_sealed_value_opens_nowhere_but_in_its_place(vault: Vault, tenant: TenantId, settings: Settings):
    await put(vault, tenant, "ONE", ONE)
    await put(vault, tenant, "TWO", TWO)
    async with vault.database.tenant(tenant) as tx:
        one, two = await store.values(tx, tenant, ["ONE"]), await store.values(tx, tenant, ["TWO"])
        await tx.execute(store.RESEAL, tenant, "ONE", 1, two[0].key, two[0].sealed)
    assert one[0].key == two[0].key, "one data key a tenant"
    with pytest.raises(SecretUnreadable):
        await (await fresh(vault, settings)).resolve(tenant, ["ONE"])


async def test_a_new_value_counts_at_once_here_and_within_seconds_elsewhere(
    vault: Vault, tenant: TenantId, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    other = await fresh(vault, settings)
    await put(vault, tenant)
    assert (await other.resolve(tenant, ["API"]))["API"] == ONE
    assert (await put(vault, tenant, value=TWO)).version == 2
    assert (await vault.resolve(tenant, ["API"]))["API"] == TWO
    assert (await other.resolve(tenant, ["API"]))["API"] == ONE, "not asked again before five seconds are over"
    now = service_module.time.monotonic()
    monkeypatch.setattr(service_module.time, "monotonic", lambda: now + service_module.LIVES + 0.1)
    assert (await other.resolve(tenant, ["API"]))["API"] == TWO


async def test_values_before_are_known_for_a_while_and_then_forgotten(vault: Vault, tenant: TenantId):
    for at in range(5):
        await put(vault, tenant, value=f"value-number-{at}")
    known = (await vault.known(tenant, ["API"]))["API"]
    assert known == ("value-number-4", "value-number-3", "value-number-2")
    assert len(known) == KEPT


async def test_a_new_data_key_changes_no_value_and_leaves_no_old_key(
    vault: Vault, tenant: TenantId, settings: Settings
):
    await put(vault, tenant, value=ONE)
    await put(vault, tenant, value=TWO)
    async with vault.database.tenant(tenant) as tx:
        before = {key.id for key in await store.keys(tx, tenant)}
        assert await vault.rotate_key(tx, tenant) == 2
        after = {key.id for key in await store.keys(tx, tenant)}
    assert len(after) == 1
    assert not before & after
    assert (await (await fresh(vault, settings)).known(tenant, ["API"]))["API"] == (TWO, ONE)


async def test_a_new_master_key_takes_over_and_the_old_one_can_go(
    database: Database, vault: Vault, tenant: TenantId, settings: Settings
):
    await put(vault, tenant)
    await put(vault, DEPLOYMENT, "PROVIDER", TWO)
    changing = settings.model_copy(update=secret(vault_key="a-new-master-secret"))
    moved = Vault.of(database, changing)
    assert (await moved.resolve(tenant, ["API"]))["API"] == ONE, "the deployment's secret is still accepted"
    assert await moved.rewrap("key:admin") == 2
    assert await moved.rewrap("key:admin") == 0
    with pytest.raises(SecretUnreadable):
        await (await fresh(vault, settings)).resolve(tenant, ["API"])
    unknown = settings.model_copy(
        update=secret(vault_key="a-third-master-secret", vault_keys_before="long-ago-and-lost")
    )
    with pytest.raises(SecretUnreadable):
        await Vault.of(database, unknown).rewrap("key:admin")


def secret(**values: str) -> dict[str, object]:
    return {name: SecretStr(value) for name, value in values.items()}


async def test_keys_before_are_accepted_until_all_is_wrapped_anew(
    database: Database, tenant: TenantId, settings: Settings
):
    first = Vault.of(database, settings.model_copy(update=secret(vault_key="first-master-secret-1")))
    await put(first, tenant)
    both = secret(vault_key="second-master-secret-2", vault_keys_before="first-master-secret-1")
    second = Vault.of(database, settings.model_copy(update=both))
    assert (await second.resolve(tenant, ["API"]))["API"] == ONE
    assert await second.rewrap("key:admin") == 1
    alone = Vault.of(database, settings.model_copy(update=secret(vault_key="second-master-secret-2")))
    assert (await alone.resolve(tenant, ["API"]))["API"] == ONE


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("1API", ONE, "begins with a letter"),
        ("a/b", ONE, "begins with a letter"),
        ("rotate-key", ONE, "another meaning"),
        ("API", "short", "fewer than 8 bytes"),
        ("API", "x" * 20_000, "more than 16,384 bytes"),
        ("API", "NUL\x00 in it", "NUL"),
    ],
)
async def test_what_can_not_be_kept_is_refused_without_repeating_it(
    vault: Vault, tenant: TenantId, name: str, value: str, says: str
):
    with pytest.raises(BadSecret) as refused:
        await put(vault, tenant, name, value)
    assert says in refused.value.detail
    assert value not in str(refused.value.facts)


async def test_a_due_date_goes_on_at_the_same_distance_after_a_rotation(vault: Vault, tenant: TenantId):
    due_at = datetime.now(UTC) + timedelta(days=90)
    assert (await put(vault, tenant, due_at=due_at)).due_at == due_at
    rotated = await put(vault, tenant, value=TWO)
    assert rotated.due_at is not None
    assert abs(rotated.due_at - rotated.set_at - timedelta(days=90)) < timedelta(minutes=1)
    assert (await put(vault, tenant, value=None, description="kept")).due_at == rotated.due_at
    assert (await put(vault, tenant, value=None, clear_due=True)).due_at is None
    with pytest.raises(NoSuchSecret):
        await put(vault, tenant, "OTHER", None, due_at=due_at)


async def test_a_due_secret_is_told_of_once_for_each_date(vault: Vault, tenant: TenantId):
    await listening(vault.database, tenant)
    await put(vault, tenant, due_at=datetime.now(UTC) - timedelta(hours=1))
    await put(vault, tenant, "LATER", due_at=datetime.now(UTC) + timedelta(hours=1))
    assert await tell_due(vault.database) == 1
    assert await tell_due(vault.database) == 0
    assert [(kind, '"API"' in data) for kind, data in await outbox(vault.database, tenant)] == [("secret.due", True)]
    async with vault.database.tenant(tenant) as tx:
        assert [one.name for one in await store.page(tx, tenant, "", 10, due=True)] == ["API"]
    await put(vault, tenant, value=None, due_at=datetime.now(UTC) - timedelta(minutes=1))
    assert await tell_due(vault.database) == 1


async def test_a_leak_is_counted_and_told(vault: Vault, tenant: TenantId):
    await listening(vault.database, tenant)
    await put(vault, tenant)
    await vault.tell_leak(tenant, RunId(uuid7()), "tool:look", {"API": 2, "provider/openai": 1})
    async with vault.database.tenant(tenant) as tx:
        found = await store.find(tx, tenant, "API")
    assert found is not None
    assert found.leaks == 2
    told = await outbox(vault.database, tenant)
    assert [kind for kind, _ in told] == ["secret.leaked"]
    assert "tool:look" in told[0][1]


async def test_what_is_done_with_secrets_stands_in_the_audit_without_their_values(vault: Vault, tenant: TenantId):
    await put(vault, tenant)
    await put(vault, DEPLOYMENT, "PROVIDER", TWO)
    async with vault.database.tenant(tenant) as tx:
        await vault.remove(tx, tenant, "API", "key:k1")
    async with vault.database.system.transaction() as tx:
        rows = await tx.fetch("SELECT tenant, kind, actor, target, to_jsonb(a)::text AS whole FROM qd.audit_waiting a")
    assert {(row["tenant"], row["kind"], row["target"], row["actor"]) for row in rows} == {
        (tenant, "secret.set", "secret:API", "key:k1"),
        (DEPLOYMENT, "secret.set", "secret:PROVIDER", "key:k1"),
        (tenant, "secret.removed", "secret:API", "key:k1"),
    }
    assert not [row for row in rows if ONE in row["whole"] or TWO in row["whole"]]


async def test_what_can_not_be_opened_is_left_out_where_only_texts_are_cleaned(
    vault: Vault, tenant: TenantId, settings: Settings
):
    await put(vault, tenant)
    other = Vault.of(vault.database, settings.model_copy(update=secret(secret_key="another-secret-of-all")))
    assert await other.known(tenant, ["API"], strict=False) == {}
    with pytest.raises(SecretUnreadable):
        await other.resolve(tenant, ["API"])


async def listening(database: Database, tenant: TenantId) -> None:
    async with database.tenant(tenant) as tx:
        await tx.execute(
            "INSERT INTO qd.webhook_endpoints (tenant, id, url, kinds, sealed_secrets, created_by) "
            "VALUES ($1, $2, 'https://example.com', '{*}', '{}', 'a test')",
            tenant,
            uuid7(),
        )


async def outbox(database: Database, tenant: TenantId) -> list[tuple[str, str]]:
    async with database.system.transaction() as tx:
        rows = await tx.fetch("SELECT kind, data::text FROM qd.outbox WHERE tenant = $1 ORDER BY at", tenant)
    return [(row[0], row[1]) for row in rows]


async def found_tenant(database: Database, slug: str) -> TenantId:
    tenant = TenantId(uuid7())
    async with database.system.transaction() as tx:
        await tx.execute("INSERT INTO qd.tenants (tenant, slug, name, blob_key) VALUES ($1, $2, $2, '')", tenant, slug)
    return tenant


async def test_the_environment_is_open_to_the_named_tenants_only(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("QUARTERDECK_SECRET_TOKEN", ONE)
    monkeypatch.setenv("QUARTERDECK_SECRET_KEY", "the deployment's own master secret")
    acme, other = await found_tenant(database, "acme"), await found_tenant(database, "other")
    vault = Vault.of(database, settings.model_copy(update={"vault_env_tenants": "acme, beta"}))
    assert await vault.resolve(acme, ["env/TOKEN"]) == {"env/TOKEN": ONE}
    assert await vault.resolve(DEPLOYMENT, ["env/TOKEN"]) == {"env/TOKEN": ONE}
    with pytest.raises(SecretMissing, match="may not use"):
        await vault.resolve(other, ["env/TOKEN"])
    for name in ("KEY", "key"):
        with pytest.raises(SecretMissing, match="setting of the deployment"):
            await vault.resolve(acme, [f"env/{name}"])
    with pytest.raises(SecretMissing, match="no back end `aws`"):
        await vault.resolve(acme, ["aws/TOKEN"])


async def test_a_file_that_others_may_read_is_not_used(database: Database, settings: Settings, tmp_path: Path):
    folder = tmp_path / "secrets"
    folder.mkdir()
    good, open_, outside = folder / "GOOD", folder / "OPEN", tmp_path / "OUTSIDE"
    for file, mode in ((good, 0o400), (open_, 0o644), (outside, 0o400)):
        file.write_text(ONE + "\n")
        file.chmod(mode)
    (folder / "LINK").symlink_to(outside)
    (folder / "MOUNTED").symlink_to("GOOD")
    allowed = settings.model_copy(update={"vault_folder": folder, "vault_file_tenants": "*"})
    vault, tenant = Vault.of(database, allowed), await found_tenant(database, "acme")
    assert await vault.resolve(tenant, ["file/GOOD", "file/MOUNTED"]) == {"file/GOOD": ONE, "file/MOUNTED": ONE}
    for name, says in (("OPEN", "mode 644"), ("LINK", "leads out"), ("NONE", "none of that name")):
        with pytest.raises(SecretMissing, match=says):
            await vault.resolve(tenant, [f"file/{name}"])


async def test_what_can_not_be_had_is_left_out_where_that_does_no_harm(vault: Vault, tenant: TenantId):
    await put(vault, tenant)
    assert list(await vault.known(tenant, ["API", "NONE", "env/NONE"], strict=False)) == ["API"]


async def test_two_who_set_a_secret_at_once_make_two_versions(vault: Vault, tenant: TenantId):
    kept = await asyncio.gather(*(put(vault, tenant, value=f"value-number-{at}") for at in range(4)))
    assert sorted(one.version for one in kept) == [1, 2, 3, 4]


async def test_no_tenant_has_the_deployments_id(database: Database):
    async with database.system.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM qd.tenants WHERE tenant = $1", UUID(int=0)) == 0
    assert os.environ.get("QUARTERDECK_SECRET_KEY") is None
