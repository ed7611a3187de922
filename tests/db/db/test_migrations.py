"""Migrations on a real server: as superuser, as an ordinary owner, twice at once, half done, and changed afterwards."""

import asyncio
import secrets
import shutil
from pathlib import Path

import asyncpg
import pytest

from quarterdeck.core.settings import Settings
from quarterdeck.db import migrations
from quarterdeck.db.checks import refuse_unmigrated, refuse_unsafe
from quarterdeck.db.faults import (
    CodeTooOld,
    Contended,
    MigrationChanged,
    MigrationFailed,
    MigrationsPending,
    NotPermitted,
)
from quarterdeck.db.migrations import FOLDER, migrate, read_migrations, readiness
from quarterdeck.db.pool import Database
from quarterdeck.db.urls import as_role, urls_of
from tests.marks import on_every_postgres
from tests.servers import SECRET

NAMES = tuple(migration.name for migration in read_migrations())


@pytest.fixture
def empty(empty_url) -> Settings:
    return Settings.model_validate({"database_url": empty_url, "secret_key": SECRET})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small history of its own on top of the real bootstrap."""
    shutil.copy(FOLDER / "0000_roles.sql", tmp_path)
    (tmp_path / "0001_first.sql").write_text("CREATE TABLE qd.first (a int);")
    return tmp_path


async def applied(settings: Settings) -> list[str]:
    owner = await asyncpg.connect(settings.database_url)
    try:
        return [row["name"] for row in await owner.fetch("SELECT name FROM qd.schema_migrations ORDER BY version")]
    finally:
        await owner.close()


@on_every_postgres
async def test_an_empty_database_becomes_ready_and_a_second_time_changes_nothing(empty):
    assert await migrate(empty) == NAMES[1:]
    assert await migrate(empty) == ()
    assert await applied(empty) == list(NAMES)
    database = await Database.open(urls_of(empty))
    assert (await readiness(database)).ready
    await refuse_unmigrated(database)
    await refuse_unsafe(database)
    await database.close()


@on_every_postgres
async def test_an_owner_who_is_no_superuser_can_migrate(postgres, empty_url):
    """What managed databases give: CREATEROLE, and the database itself."""
    admin = await asyncpg.connect(empty_url)
    name, password = f"owner_{secrets.token_hex(4)}", secrets.token_hex(8)
    await admin.execute(f"CREATE ROLE {name} LOGIN CREATEROLE PASSWORD '{password}'")
    database_name = await admin.fetchval("SELECT current_database()")
    await admin.execute(f"ALTER DATABASE {database_name} OWNER TO {name}")
    # This server's roles were made by its superuser, whereas there the owner would have made them.
    await admin.execute(f"GRANT qd_owner TO {name} WITH ADMIN OPTION")
    if await admin.fetchval("SELECT current_setting('server_version_num')::int >= 160000"):
        await admin.execute(f"GRANT qd_app, qd_system TO {name} WITH ADMIN OPTION")
    settings = Settings.model_validate({"database_url": as_role(empty_url, name, password), "secret_key": SECRET})
    try:
        assert await migrate(settings) == NAMES[1:]
        assert await migrate(settings) == ()
        database = await Database.open(urls_of(settings))
        assert (await readiness(database)).ready
        await database.close()
    finally:
        await admin.execute(f"ALTER DATABASE {database_name} OWNER TO CURRENT_USER")
        await admin.execute(f"DROP OWNED BY {name}; REASSIGN OWNED BY {name} TO CURRENT_USER; DROP ROLE {name}")
        await admin.close()


async def test_a_user_without_the_rights_is_told_which_it_lacks(empty_url, settings):
    as_app = Settings.model_validate({"database_url": urls_of(settings).app, "secret_key": SECRET})
    with pytest.raises(NotPermitted, match="0000_roles"):
        await migrate(as_app)


async def test_several_at_once_apply_everything_once(empty):
    done = await asyncio.gather(*(migrate(empty) for _ in range(5)))
    assert sorted(done, key=len) == [(), (), (), (), NAMES[1:]]
    assert await applied(empty) == list(NAMES)


async def test_two_databases_of_one_server_can_be_migrated_at_once(postgres):
    async with postgres.fresh_database(migrated=False) as one, postgres.fresh_database(migrated=False) as two:
        all_settings = [Settings.model_validate({"database_url": url, "secret_key": SECRET}) for url in (one, two)]
        done = await asyncio.gather(*(migrate(settings) for settings in all_settings))
    assert done == [NAMES[1:], NAMES[1:]]


async def test_a_failing_file_leaves_nothing_of_itself_and_what_came_before_stays(empty, folder):
    (folder / "0002_broken.sql").write_text("CREATE TABLE qd.half (a int);\nSELECT nonsense;")
    with pytest.raises(MigrationFailed, match=r"0002_broken\.sql.*nonsense"):
        await migrate(empty, folder=folder)
    assert await applied(empty) == ["0000_roles.sql", "0001_first.sql"]
    (folder / "0002_broken.sql").write_text("CREATE TABLE qd.half (a int);")
    assert await migrate(empty, folder=folder) == ("0002_broken.sql",)


async def test_a_changed_file_is_refused_by_name(empty, folder):
    await migrate(empty, folder=folder)
    (folder / "0001_first.sql").write_text("CREATE TABLE qd.first (a int, b int);")
    with pytest.raises(MigrationChanged, match=r"0001_first\.sql"):
        await migrate(empty, folder=folder)


async def test_a_database_ahead_of_the_code_is_accepted_until_it_contracts(empty, folder):
    await migrate(empty, folder=folder)
    old_code = folder / "old"
    shutil.copytree(folder, old_code)
    (folder / "0002_expand.sql").write_text("ALTER TABLE qd.first ADD b int;")
    await migrate(empty, folder=folder)
    database = await Database.open(urls_of(empty))
    verdict = await readiness(database, old_code)
    assert verdict.ready
    assert verdict.ahead == ("0002_expand.sql",)
    assert await migrate(empty, folder=old_code) == ()

    (folder / "0003_contract.sql").write_text("-- oldest code: 0002\nALTER TABLE qd.first DROP a;")
    await migrate(empty, folder=folder)
    assert (await readiness(database, old_code)).too_old
    assert (await readiness(database, folder)).ready
    await database.close()


async def test_starting_on_an_old_or_a_far_newer_database_is_refused(empty, folder, monkeypatch):
    await migrate(empty, folder=folder)
    database = await Database.open(urls_of(empty))
    with pytest.raises(MigrationChanged):
        await refuse_unmigrated(database)
    owner = await asyncpg.connect(empty.database_url)
    await owner.execute("DELETE FROM qd.schema_migrations")
    with pytest.raises(MigrationsPending) as caught:
        await refuse_unmigrated(database)
    assert caught.value.facts["pending"] == list(NAMES)
    await owner.execute("INSERT INTO qd.schema_migrations VALUES (9000, '9000_later.sql', '', 8999)")
    with pytest.raises(CodeTooOld):
        await refuse_unmigrated(database)
    await owner.close()
    await database.close()


async def test_a_database_without_a_list_is_pending_and_not_an_error(empty, settings):
    """The roles are there, the schema is not: a new database on a server that has another one."""
    database = await Database.open(urls_of(empty))
    assert (await readiness(database)).pending == NAMES
    await database.close()


async def test_a_file_that_has_to_wait_for_a_table_tries_again(empty, folder, monkeypatch):
    await migrate(empty, folder=folder)
    (folder / "0002_alter.sql").write_text("SET LOCAL lock_timeout = '50ms'; ALTER TABLE qd.first ADD b int;")
    holder = await asyncpg.connect(empty.database_url)
    transaction = holder.transaction()
    await transaction.start()
    await holder.execute("LOCK qd.first IN ACCESS SHARE MODE")
    waiting = asyncio.create_task(migrate(empty, folder=folder))
    await asyncio.sleep(0.4)
    assert not waiting.done()
    await transaction.rollback()
    assert await waiting == ("0002_alter.sql",)

    (folder / "0003_alter.sql").write_text("SET LOCAL lock_timeout = '10ms'; ALTER TABLE qd.first ADD c int;")
    monkeypatch.setattr(migrations, "_ATTEMPTS", 2)
    async with holder.transaction():
        await holder.execute("LOCK qd.first IN ACCESS SHARE MODE")
        with pytest.raises(Contended, match=r"0003_alter\.sql"):
            await migrate(empty, folder=folder)
    await holder.close()


async def test_everything_belongs_to_qd_owner_and_no_role_bypasses_row_level_security(owner_url):
    owner = await asyncpg.connect(owner_url)
    owners = await owner.fetch(
        "SELECT DISTINCT pg_get_userbyid(relowner) AS name FROM pg_class"
        " WHERE relnamespace IN ('qd'::regnamespace, 'qd_engine'::regnamespace)"
    )
    assert [row["name"] for row in owners] == ["qd_owner"]
    powers = await owner.fetch(
        "SELECT rolname, rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb, rolcanlogin"
        " FROM pg_roles WHERE rolname ~ '^qd_' ORDER BY 1"
    )
    assert [tuple(row) for row in powers] == [
        ("qd_app", False, True),
        ("qd_owner", False, False),
        ("qd_system", False, True),
    ]
    await owner.close()


async def test_a_password_set_by_verifier_is_stored_as_one_and_no_statement_holds_it(owner_url, settings):
    owner = await asyncpg.connect(owner_url)
    stored = await owner.fetchval("SELECT rolpassword FROM pg_authid WHERE rolname = 'qd_app'")
    assert stored.startswith("SCRAM-SHA-256$4096:")
    await owner.close()
