"""A tenant, and budgets as two workers see them."""

import pytest

from quarterdeck.budgets.service import Budgets
from quarterdeck.core.clock import SystemClock
from quarterdeck.core.ids import TenantId, uuid7
from quarterdeck.core.settings import Settings
from quarterdeck.db.pool import Database
from quarterdeck.db.urls import urls_of
from quarterdeck.db.wakes import Wakes


@pytest.fixture
def tenant() -> TenantId:
    """Spending needs no row of the tenant itself."""
    return TenantId(uuid7())


@pytest.fixture
async def wide(settings: Settings):
    """The database with connections for many at once."""
    opened = await Database.open(urls_of(settings), size=16)
    yield opened
    await opened.close()


@pytest.fixture
async def wakes(settings: Settings):
    """A process's wakes."""
    made = Wakes(urls_of(settings).listen)
    await made.start()
    yield made
    await made.close()


@pytest.fixture
async def budgets(wide: Database, wakes: Wakes, settings: Settings):
    """A worker's budgets."""
    made = Budgets(wide, wakes, SystemClock(), settings)
    await made.start()
    yield made
    await made.close()
