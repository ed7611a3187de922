"""A vault and a deployment on a fresh database."""

import pytest

from quarterdeck.core.ids import TenantId, uuid7
from quarterdeck.core.settings import Settings
from quarterdeck.db.pool import Database
from quarterdeck.secrets.service import Vault
from tests.api import Deployment, deployed


@pytest.fixture
def tenant() -> TenantId:
    """A tenant's id."""
    return TenantId(uuid7())


@pytest.fixture
def vault(database: Database, settings: Settings) -> Vault:
    """A vault as a process has it."""
    return Vault.of(database, settings)


@pytest.fixture
async def deployment(settings: Settings):
    """A real application on a fresh database."""
    async with deployed(settings) as found:
        yield found


@pytest.fixture
async def admin(deployment: Deployment):
    """A deployment admin's client."""
    return await deployment.admin()
