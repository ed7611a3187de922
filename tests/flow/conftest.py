"""One deployment of real processes for all flow tests of a test process: embedded database, api, two workers."""

import pytest

from tests.flow.outside import Outside
from tests.flow.stage import Stage, Tenant, a_folder, staged


@pytest.fixture(scope="session")
def outside():
    """A model provider, a tool server and a letterbox that belong to nobody's deployment."""
    world = Outside()
    world.open()
    yield world
    world.close()


@pytest.fixture(scope="session")
def the_stage(outside: Outside):
    """The deployment. Tests ask for `stage`."""
    with a_folder() as folder, staged(outside, folder) as made:
        yield made


@pytest.fixture
def stage(the_stage: Stage):
    """The deployment, with everything that the test before has killed at work again."""
    the_stage.recover()
    return the_stage


@pytest.fixture
def tenant(stage: Stage) -> Tenant:
    """A fresh tenant."""
    return stage.tenant()
