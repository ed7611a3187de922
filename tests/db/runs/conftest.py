"""A scene for each test."""

import pytest

from quarterdeck.db.pool import Database
from tests.db.runs.scene import Scene, new_tenant


@pytest.fixture
async def scene(database: Database) -> Scene:
    """A tenant without runs."""
    return Scene(database, await new_tenant(database))
