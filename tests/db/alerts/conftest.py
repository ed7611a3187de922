"""A deployment with the tenant acme, what is spent there, and the looks that workers take at it."""

import pytest

from quarterdeck.alerts.service import Alerts
from quarterdeck.core.settings import Settings
from tests.api import Deployment, deployed
from tests.db.budgets.till import opened
from tests.db.runs.api import Stage, staged


@pytest.fixture
async def deployment(settings: Settings):
    """A real application on a fresh database."""
    async with deployed(settings) as found:
        yield found


@pytest.fixture
async def stage(deployment: Deployment) -> Stage:
    """The tenant `acme` with the agent `desk`."""
    return await staged(deployment)


@pytest.fixture
async def till(deployment: Deployment, stage: Stage):
    """A worker that spends in acme."""
    async with opened(deployment, stage.slug) as made:
        yield made


@pytest.fixture
def alerts(deployment: Deployment) -> Alerts:
    """A worker's looks."""
    return Alerts(deployment.parts.database, deployment.parts.clock)
