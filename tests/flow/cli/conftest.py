"""A shell in which a fresh tenant's owner works."""

from pathlib import Path

import pytest

from tests.flow.cli.shell import Shell
from tests.flow.stage import Stage, Tenant


@pytest.fixture
def qd(tenant: Tenant, tmp_path: Path) -> Shell:
    """The owner of a fresh tenant."""
    return Shell(tmp_path, {"QUARTERDECK_URL": tenant.stage.fleet.url, "QUARTERDECK_KEY": tenant.key})


@pytest.fixture
def admin(tenant: Tenant, stage: Stage, tmp_path: Path) -> Shell:
    """A deployment admin who acts in that tenant."""
    variables = {"QUARTERDECK_URL": stage.fleet.url, "QUARTERDECK_KEY": stage.admin_key}
    return Shell(tmp_path, {**variables, "QUARTERDECK_TENANT": tenant.slug})
