"""A tenant, and rows of its ledger made short."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

import pytest

from quarterdeck.core.ids import AgentName, ReleaseId, RunId, TenantId, UserId, uuid7
from quarterdeck.core.settings import Settings
from quarterdeck.usage.records import UsageRow
from tests.api import Deployment, deployed

AT = datetime(2026, 11, 3, 12, tzinfo=UTC)


class MakeRow(Protocol):
    """Makes a row of the tenant's; what is not said does not matter."""

    def __call__(self, **said: object) -> UsageRow: ...


@pytest.fixture
def tenant() -> TenantId:
    """The ledger needs no row of the tenant itself."""
    return TenantId(uuid7())


@pytest.fixture
def row(tenant: TenantId) -> MakeRow:
    """Each row is of a run of its own unless told."""

    def make(**said: object) -> UsageRow:
        run = RunId(uuid7())
        plain = UsageRow(
            tenant=tenant,
            run=run,
            call="m1",
            attempt=1,
            step=1,
            at=AT,
            agent=AgentName("desk"),
            release=ReleaseId("a" * 64),
            user=UserId("ann"),
            thread=None,
            root_run=run,
            provider="openai",
            model="gpt-4.1-2025-04-14",
            input=1000,
            output=100,
            cost=2800,
        )
        return replace(plain, **said)

    return make


@pytest.fixture
async def deployment(settings: Settings):
    """A real application on a fresh database."""
    async with deployed(settings) as found:
        yield found


@pytest.fixture
async def acme(deployment: Deployment):
    """The owner of tenant acme."""
    return await deployment.tenant("acme")
