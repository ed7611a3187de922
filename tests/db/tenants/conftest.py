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
async def acme(deployment: Deployment):
    """The owner of tenant acme."""
    return await deployment.tenant("acme")


@pytest.fixture
async def umbra(deployment: Deployment):
    """The owner of tenant umbra."""
    return await deployment.tenant("umbra")
