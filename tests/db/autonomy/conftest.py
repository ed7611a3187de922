"""A tenant with an agent whose tools are granted at several levels."""

import pytest

from quarterdeck.core.settings import Settings
from tests.api import Deployment, deployed
from tests.db.runs.api import Stage, staged


@pytest.fixture
async def deployment(settings: Settings):
    """A real application on a fresh database."""
    async with deployed(settings) as found:
        yield found


@pytest.fixture
async def stage(deployment: Deployment) -> Stage:
    """A tenant with the agent `desk`."""
    return await staged(deployment)
