"""A station for each test."""

import pytest

from quarterdeck.core.settings import Settings
from quarterdeck.db.pool import Database
from quarterdeck.db.urls import urls_of
from quarterdeck.db.wakes import Wakes
from tests.db.worker.station import Station, make_tenant


@pytest.fixture
async def station(database: Database, settings: Settings):
    """One tenant on a fresh database, without workers."""
    urls = urls_of(settings)
    wakes = Wakes(urls.listen)
    await wakes.start()
    yield Station(database, settings, urls, await make_tenant(database), wakes)
    await wakes.close()
