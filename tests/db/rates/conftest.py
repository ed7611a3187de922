"""A tenant, and rates as two workers see them."""

import pytest

from quarterdeck.core.ids import TenantId, uuid7
from quarterdeck.core.settings import Settings
from quarterdeck.db.pool import Database
from quarterdeck.db.urls import urls_of
from quarterdeck.rates.service import Rates
from tests.api import Deployment, deployed


@pytest.fixture
def tenant() -> TenantId:
    """Counting needs no row of the tenant itself."""
    return TenantId(uuid7())


@pytest.fixture
async def rates(database: Database):
    """A worker's."""
    made = Rates(database)
    await made.start()
    yield made
    await made.close()


@pytest.fixture
async def others(settings: Settings):
    """Another worker's, on connections of its own."""
    opened = await Database.open(urls_of(settings), size=4)
    made = Rates(opened)
    await made.start()
    yield made
    await made.close()
    await opened.close()


@pytest.fixture
async def deployment(settings: Settings):
    """A real application on a fresh database."""
    async with deployed(settings) as found:
        yield found


@pytest.fixture
async def acme(deployment: Deployment):
    """The owner of tenant acme."""
    return await deployment.tenant("acme")
