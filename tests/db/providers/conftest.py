"""A deployment for each test."""

import pytest

from quarterdeck.core.settings import Settings
from tests.api import Deployment, deployed


@pytest.fixture
async def deployment(settings: Settings):
    """A real application on a fresh database."""
    async with deployed(settings) as found:
        yield found


@pytest.fixture
async def admin(deployment: Deployment):
    """A deployment admin's client."""
    return await deployment.admin()
