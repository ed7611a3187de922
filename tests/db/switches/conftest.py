"""A deployment with a tenant, and switches thrown in it."""

import pytest

from quarterdeck.core.settings import Settings
from quarterdeck.db.pool import Database
from tests.api import Deployment, deployed
from tests.db.runs.api import Stage, staged
from tests.db.runs.scene import Scene, new_tenant


@pytest.fixture
async def scene(database: Database) -> Scene:
    """A tenant without runs."""
    return Scene(database, await new_tenant(database))


@pytest.fixture
async def deployment(settings: Settings):
    """A real application on a fresh database."""
    async with deployed(settings) as found:
        yield found


@pytest.fixture
async def stage(deployment: Deployment) -> Stage:
    """The tenant `acme` with the agent `desk`."""
    return await staged(deployment)
