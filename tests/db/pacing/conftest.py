"""The pace of providers as two workers see it."""

import pytest

from quarterdeck.core.settings import Settings
from quarterdeck.db.pool import Database
from quarterdeck.db.urls import urls_of
from quarterdeck.pacing.service import Pacer


@pytest.fixture
async def pacer(database: Database):
    """A worker's."""
    made = Pacer(database, None)
    await made.start()
    yield made
    await made.close()


@pytest.fixture
async def others(settings: Settings):
    """Another worker's, on connections of its own."""
    opened = await Database.open(urls_of(settings), size=4)
    made = Pacer(opened, None)
    await made.start()
    yield made
    await made.close()
    await opened.close()
