"""A tenant and its audit on a fresh database, and a deployment for what is seen over HTTP."""

import asyncpg
import pytest

from quarterdeck.audit.keys import Keys
from quarterdeck.audit.service import Audit
from quarterdeck.core.ids import TenantId, uuid7
from quarterdeck.core.settings import Settings
from quarterdeck.db.pool import Database
from tests.api import deployed
from tests.db.audit.scene import Scene


@pytest.fixture
async def scene(database: Database, settings: Settings, owner_url: str):
    """A tenant's audit."""
    thief = await asyncpg.connect(owner_url)
    keys = Keys.of(settings)
    yield Scene(database, keys, Audit(database, keys), TenantId(uuid7()), thief)
    await thief.close()


@pytest.fixture
async def deployment(settings: Settings):
    """A real application on a fresh database."""
    async with deployed(settings) as found:
        yield found
