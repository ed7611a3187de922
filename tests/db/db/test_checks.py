"""Start-up refusals on a real server: the roles as they could be misconfigured."""

import secrets

import asyncpg
import pytest

from quarterdeck.core.settings import Settings
from quarterdeck.db.checks import refuse_unsafe
from quarterdeck.db.faults import NotDurable, RoleTooPowerful
from quarterdeck.db.pool import Database
from quarterdeck.db.urls import as_role, urls_of
from tests.marks import on_every_postgres

# Roles are the whole server's, and other workers of this test run are on it.
ROLE = f"misconfigured_{secrets.token_hex(4)}"


@pytest.fixture
async def owner(owner_url):
    """The superuser; afterwards the role that a test has made is gone again."""
    connection = await asyncpg.connect(owner_url)
    yield connection
    await connection.execute(f"REASSIGN OWNED BY {ROLE} TO CURRENT_USER; DROP OWNED BY {ROLE}; DROP ROLE {ROLE}")
    await connection.close()


async def refusal(settings: Settings, owner: asyncpg.Connection, attributes: str, *more: str, side: str = "app_url"):
    """What starting with another role, made like this, raises."""
    await owner.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD 'x' IN ROLE qd_app {attributes}")
    for statement in more:
        await owner.execute(statement)
    url = as_role(settings.database_url, ROLE, "x")
    database = await Database.open(urls_of(settings.model_copy(update={side: url})))
    try:
        await refuse_unsafe(database)
    except (RoleTooPowerful, NotDurable) as objection:
        return objection
    finally:
        await database.close()
    return None


@on_every_postgres
async def test_the_roles_that_migrate_makes_are_accepted(database):
    await refuse_unsafe(database)


async def test_a_plain_role_that_belongs_to_qd_app_is_accepted(settings, owner):
    assert await refusal(settings, owner, "") is None


@on_every_postgres
@pytest.mark.parametrize("side", ["app_url", "system_url"])
@pytest.mark.parametrize("attribute", ["SUPERUSER", "BYPASSRLS", "CREATEROLE"])
async def test_a_role_with_too_much_power_is_refused_on_either_side(settings, owner, attribute, side):
    assert isinstance(await refusal(settings, owner, attribute, side=side), RoleTooPowerful)


async def test_a_role_that_owns_a_table_is_refused(settings, owner):
    objection = await refusal(settings, owner, "", f"ALTER TABLE qd.blobs OWNER TO {ROLE}")
    assert isinstance(objection, RoleTooPowerful)
    assert "owns tables" in objection.detail


async def test_a_role_that_may_become_the_owner_is_refused(settings, owner):
    objection = await refusal(settings, owner, "", f"GRANT qd_owner TO {ROLE}")
    assert isinstance(objection, RoleTooPowerful)
    assert "qd_owner" in objection.detail


@on_every_postgres
async def test_synchronous_commit_switched_off_for_a_role_is_found(settings, owner):
    objection = await refusal(settings, owner, "", f"ALTER ROLE {ROLE} SET synchronous_commit = off")
    assert isinstance(objection, NotDurable)
    assert f"ALTER ROLE {ROLE} RESET synchronous_commit" in objection.detail
