"""Tenants can't reach each other: tried as qd_app on every table, found in the catalog and not in a list."""

from dataclasses import dataclass

import asyncpg
import pytest

from quarterdeck.core.ids import TenantId, uuid7
from quarterdeck.db import driver
from quarterdeck.db.pool import Database
from quarterdeck.engine import store as engine
from tests.marks import on_every_postgres

OURS, THEIRS = TenantId(uuid7()), TenantId(uuid7())

TABLES = """
SELECT c.relname AS name, c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced, c.relispartition AS partition,
       pg_get_userbyid(c.relowner) AS owner,
       EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant') AS of_tenants
FROM pg_class c WHERE c.relnamespace = 'qd'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY c.relname
"""
COLUMNS = """
SELECT attname AS name, format_type(atttypid, NULL) AS type FROM pg_attribute
WHERE attrelid = ('qd.' || quote_ident($1))::regclass AND attnum > 0 AND NOT attisdropped AND attidentity = ''
"""
VALUES = {
    "uuid": "'{tenant}'",
    "text": "'{column} of {tenant}'",
    "bytea": "'{column} of {tenant}'",
    "jsonb": "'{{}}'",
    "boolean": "true",
    "timestamp with time zone": "now()",
}
NOT_OF_A_TENANT = {"alert_sightings", "deployment", "pace_lanes", "providers", "schema_migrations", "workers"}
"""Tables without a tenant column: each was looked at and holds nothing of a tenant's."""


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    columns: tuple[tuple[str, str], ...]
    partition: bool

    def insert(self, tenant: TenantId) -> str:
        """A row of this tenant, whatever the table is for."""
        values = [VALUES.get(type_, "'{{}}'" if type_.endswith("[]") else "1") for _, type_ in self.columns]
        filled = [
            value.format(tenant=tenant, column=name) for (name, _), value in zip(self.columns, values, strict=True)
        ]
        names = ", ".join(name for name, _ in self.columns)
        return f"INSERT INTO qd.{self.name} ({names}) VALUES ({', '.join(filled)})"


async def tables_of_tenants(owner: asyncpg.Connection) -> list[Table]:
    return [
        Table(
            row["name"],
            tuple((c["name"], c["type"]) for c in await owner.fetch(COLUMNS, row["name"])),
            row["partition"],
        )
        for row in await owner.fetch(TABLES)
        if row["of_tenants"]
    ]


@pytest.fixture
async def owner(owner_url):
    connection = await asyncpg.connect(owner_url)
    yield connection
    await connection.close()


@pytest.fixture(params=["with the grants it has", "even with every grant"])
async def filled(request, owner) -> list[Table]:
    """Every table with one row of ours and one of theirs. Constraints are dropped: any value will do."""
    found = await tables_of_tenants(owner)
    constraints = await owner.fetch(
        "SELECT conrelid::regclass::text AS t, conname AS c FROM pg_constraint"
        " WHERE connamespace = 'qd'::regnamespace AND contype IN ('c', 'f') AND coninhcount = 0"
    )
    for row in constraints:
        await owner.execute(f'ALTER TABLE {row["t"]} DROP CONSTRAINT IF EXISTS "{row["c"]}"')
    for table in found:
        if not table.partition:
            await owner.execute(table.insert(OURS))
            await owner.execute(table.insert(THEIRS))
    if request.param == "even with every grant":
        await owner.execute("GRANT ALL ON ALL TABLES IN SCHEMA qd TO qd_app")
    return found


async def outcome(database: Database, statement: str, *args: object, tenant: TenantId | None = OURS) -> str:
    """What qd_app gets for a statement: the command's tag, or `refused`."""
    transaction = database.app.transaction() if tenant is None else database.tenant(tenant)
    try:
        async with transaction as tx:
            return await tx.execute(statement, *args)
    except asyncpg.InsufficientPrivilegeError:
        return "refused"


@on_every_postgres
async def test_row_level_security_is_forced_on_every_table_with_a_tenant(owner):
    rows = await owner.fetch(TABLES)
    assert {row["name"] for row in rows if not row["of_tenants"]} == NOT_OF_A_TENANT
    unprotected = [row["name"] for row in rows if row["of_tenants"] and not (row["enabled"] and row["forced"])]
    assert unprotected == []
    assert {row["owner"] for row in rows} == {"qd_owner"}


@on_every_postgres
async def test_another_tenants_rows_can_be_neither_read_nor_written_in_any_table(database, owner, filled):
    assert len(filled) > 15
    for table in filled:
        name = f"qd.{table.name}"
        nothing_read = {"refused", "SELECT 0"}
        assert await outcome(database, f"SELECT * FROM {name} WHERE tenant = $1", THEIRS) in nothing_read, name
        assert await outcome(database, f"SELECT * FROM {name}", tenant=None) in nothing_read, name
        assert await outcome(database, table.insert(THEIRS)) == "refused", name
        changed = await outcome(database, f"UPDATE {name} SET tenant = tenant WHERE tenant = $1", THEIRS)
        assert changed in {"refused", "UPDATE 0"}, name
        given_away = await outcome(database, f"UPDATE {name} SET tenant = $1", THEIRS)
        assert given_away in {"refused", "UPDATE 0"}, name
        assert await outcome(database, f"DELETE FROM {name} WHERE tenant = $1", THEIRS) in {"refused", "DELETE 0"}, name
        assert await outcome(database, f"DELETE FROM {name}", tenant=None) in {"refused", "DELETE 0"}, name
        if not table.partition:
            assert await owner.fetchval(f"SELECT count(*) FROM {name} WHERE tenant = $1", THEIRS) == 1, name


async def test_a_tenant_does_read_its_own_rows(database, filled):
    """Otherwise the test above would pass on a database that shows nothing at all."""
    seen = {table.name: await outcome(database, f"SELECT * FROM qd.{table.name}") for table in filled}
    assert seen["runs"] == seen["run_events"] == seen["agents"] == "SELECT 1"


async def test_the_logs_partitions_show_nothing_when_read_directly(database, owner, filled):
    partitions = [table for table in filled if table.partition and table.name != "run_events_default"]
    assert len(partitions) == 4
    for table in partitions:
        await owner.execute(f"GRANT ALL ON qd.{table.name} TO qd_app")
        assert await outcome(database, f"SELECT * FROM qd.{table.name}") == "SELECT 0"


async def test_qd_app_can_not_truncate_alter_or_drop_anything(database):
    for statement in ("TRUNCATE qd.runs", "ALTER TABLE qd.runs DISABLE ROW LEVEL SECURITY", "DROP TABLE qd.blobs"):
        assert await outcome(database, statement) == "refused"
    assert await outcome(database, "CREATE TABLE qd.mine ()") == "refused"
    assert await outcome(database, "SET ROLE qd_system") == "refused"
    assert await outcome(database, "SELECT qd.make_partitions(1)") == "refused"


async def test_the_queue_which_names_runs_of_every_tenant_is_closed_to_qd_app(database, owner_url):
    connection = await driver.connect(owner_url)
    await engine.install(connection)
    await connection.close()
    assert await outcome(database, "SELECT * FROM qd_engine.pgqueuer") == "refused"
    assert await outcome(database, "SELECT * FROM qd_engine.pgqueuer_log") == "refused"
    async with database.system.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM qd_engine.pgqueuer") == 0


@on_every_postgres
async def test_every_function_with_its_owners_rights_is_known_and_pins_its_search_path(owner):
    rows = await owner.fetch(
        "SELECT proname AS name, proconfig AS config FROM pg_proc WHERE pronamespace = 'qd'::regnamespace AND prosecdef"
    )
    assert {row["name"] for row in rows} == {"find_key", "find_session", "make_partitions"}
    assert all(any(item.startswith("search_path=") for item in row["config"] or ()) for row in rows)


async def test_there_is_no_view_through_which_an_owner_would_see(owner):
    assert (
        await owner.fetch("SELECT FROM pg_class WHERE relnamespace = 'qd'::regnamespace AND relkind IN ('v', 'm')")
        == []
    )
