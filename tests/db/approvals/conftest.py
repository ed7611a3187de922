"""A tenant with a run that asks, and people who answer."""

import pytest

from quarterdeck.core.settings import Settings
from quarterdeck.db.pool import Database
from tests.api import Deployment, deployed
from tests.db.approvals.scene import AskingScene
from tests.db.runs.api import Stage, staged
from tests.db.runs.scene import new_tenant


@pytest.fixture
async def scene(database: Database) -> AskingScene:
    """A tenant without runs."""
    return AskingScene(database, await new_tenant(database))


@pytest.fixture
async def deployment(settings: Settings):
    """A real application on a fresh database."""
    async with deployed(settings) as found:
        yield found


@pytest.fixture
async def stage(deployment: Deployment) -> Stage:
    """A tenant with the agent `desk`."""
    return await staged(deployment)
