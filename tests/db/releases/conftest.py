"""A deployment for each test, with two tenants."""

import pytest

from quarterdeck.core.settings import Settings
from tests.api import Deployment, deployed


@pytest.fixture
async def deployment(settings: Settings):
    async with deployed(settings) as found:
        yield found


@pytest.fixture
async def owner(deployment: Deployment):
    """The owner of tenant acme."""
    return await deployment.tenant("acme")


@pytest.fixture
async def other(deployment: Deployment):
    """The owner of tenant umbra."""
    return await deployment.tenant("umbra")


@pytest.fixture
async def admin(deployment: Deployment, owner):
    """A deployment admin who acts in tenant acme."""
    return await deployment.admin(quarterdeck_tenant="acme")
