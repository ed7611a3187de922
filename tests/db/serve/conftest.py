"""A deployment for each test, and runs whose logs a test writes by hand."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

import msgspec
import pytest

from quarterdeck.core.ids import RunId, TenantId, new_run_id
from quarterdeck.core.settings import Settings
from quarterdeck.db.pool import Database
from quarterdeck.db.wakes import Wakes
from tests.api import Deployment, deployed


@pytest.fixture
async def deployment(settings: Settings):
    """A real application on a fresh database."""
    async with deployed(settings) as found:
        yield found


@dataclass
class Script:
    """A run whose log the test writes, as a worker would: rows first, then a wake."""

    database: Database
    wakes: Wakes
    tenant: TenantId
    run: RunId
    last: int = 0

    async def write(self, *kinds: str, wake: bool = True, end: bool = False, **facts: object) -> None:
        async with self.database.system.transaction() as tx:
            for kind in kinds:
                self.last += 1
                await tx.execute(
                    "INSERT INTO qd.run_events (tenant, run, seq, attempt, kind, data) VALUES ($1, $2, $3, 1, $4, $5)",
                    self.tenant,
                    self.run,
                    self.last,
                    kind,
                    msgspec.json.encode(facts).decode(),
                )
            await tx.execute(
                "UPDATE qd.runs SET last_seq = $3, finished_at = CASE WHEN $4 THEN now() END"
                " WHERE tenant = $1 AND id = $2",
                self.tenant,
                self.run,
                self.last,
                end,
            )
        if wake:
            self.wakes.wake_run(self.run, self.last)


async def script(database: Database, wakes: Wakes, tenant: UUID) -> Script:
    run = new_run_id()
    async with database.system.transaction() as tx:
        await tx.execute(
            "INSERT INTO qd.runs (tenant, id, agent, release, behaviour, user_id, submitted_by)"
            " VALUES ($1, $2, 'desk', repeat('0', 64), 1, 'ann', 'key:k')",
            tenant,
            run,
        )
    return Script(database, wakes, TenantId(tenant), run)


@pytest.fixture
async def tenant(deployment: Deployment) -> TenantId:
    await deployment.tenant("acme")
    async with deployment.parts.database.system.transaction() as tx:
        return TenantId(await tx.fetchval("SELECT tenant FROM qd.tenants"))


@pytest.fixture
async def worker(deployment: Deployment):
    """Wakes of another process."""
    wakes = Wakes(deployment.parts.settings.database_url)
    await wakes.start()
    yield wakes
    await wakes.close()


@pytest.fixture
async def run(deployment: Deployment, worker: Wakes, tenant: TenantId) -> Script:
    return await script(deployment.parts.database, worker, tenant)


async def soon(awaitable, seconds: float = 5.0):
    """The result, or a failure where it does not come."""
    return await asyncio.wait_for(awaitable, seconds)
