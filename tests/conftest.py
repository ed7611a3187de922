"""What tests of every kind share: a real PostgreSQL, and databases that cost nothing to make."""

import os
from uuid import uuid4

import pytest
import structlog

from quarterdeck.core.settings import Settings
from quarterdeck.db.pool import Database
from quarterdeck.db.urls import urls_of
from tests import effort
from tests.servers import SECRET, Server, Servers

effort.chosen()

# What tests log is read where one fails. structlog's own way tells every variable of every frame, half a second each.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)

# A developer's own deployment is nothing that a test may see.
for _name in [name for name in os.environ if name.startswith("QUARTERDECK_") and "_TEST_" not in name]:
    del os.environ[_name]


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest):
    """The PostgreSQL servers of this test run."""
    worker = getattr(request.config, "workerinput", {})
    found = Servers(worker.get("testrunuid", uuid4().hex))
    yield found
    found.close()


@pytest.fixture
def postgres(request: pytest.FixtureRequest, servers: Servers) -> Server:
    """The embedded server; with the mark `on_every_postgres` of tests.marks also the system's, as another case."""
    return servers.get(getattr(request, "param", "embedded"))


@pytest.fixture
async def owner_url(postgres: Server):
    """The superuser's URL of a fresh, migrated database."""
    async with postgres.fresh_database() as url:
        yield url


@pytest.fixture
async def empty_url(postgres: Server):
    """The superuser's URL of a fresh database without anything in it."""
    async with postgres.fresh_database(migrated=False) as url:
        yield url


@pytest.fixture
def settings(owner_url: str, tmp_path) -> Settings:
    """Settings of a deployment on a fresh, migrated database."""
    return Settings.model_validate({"database_url": owner_url, "secret_key": SECRET, "data_dir": tmp_path})


@pytest.fixture
async def database(settings: Settings):
    """A fresh, migrated database, as a process sees it."""
    opened = await Database.open(urls_of(settings), size=4)
    yield opened
    await opened.close()
