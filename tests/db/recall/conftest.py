"""Answers that may be given again, as two workers see them, and tools at a gate that give them."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from quarterdeck.blobs.rules import new_tenant_key
from quarterdeck.blobs.service import Blobs
from quarterdeck.core.clock import SystemClock
from quarterdeck.core.ids import TenantId, new_run_id, uuid7
from quarterdeck.core.settings import Settings
from quarterdeck.db.pool import Database
from quarterdeck.gates.intents import Intent, ToolFacts
from quarterdeck.gates.outcomes import Outcome
from quarterdeck.gates.recalling import Recalling
from quarterdeck.gates.sending import Sending
from quarterdeck.rates.circuits import Circuits
from quarterdeck.recall.service import Recall
from quarterdeck.releases.records import Release, ToolServer
from quarterdeck.runs.events import Decision
from tests.fakes.toolbox import Bench
from tests.toolbox import a_grant, a_release

CRM = ToolServer("crm", "http", url="https://crm.example/mcp", headers={"authorization": "Bearer ${crm}"})
OTHER = ToolServer("other", "http", url="https://other.example/mcp")
LOOK = a_grant("look", "crm", effect="read", cache=300)
PEEK = a_grant("peek", "crm", effect="read")
CHANGE = a_grant("change", "crm")
ELSEWHERE = a_grant("elsewhere", "other")


@dataclass
class Desk:
    """A worker's tools, and calls of them as the gate has allowed them."""

    database: Database
    blobs: Blobs
    tenant: TenantId
    tools: Bench
    sending: Sending
    release: Release

    async def call(self, tool: str, release: Release | None = None, **changes: Any) -> Outcome:
        """Carry an allowed call out."""
        arguments = changes.pop("arguments", {"id": 1})
        user = changes.pop("user", "erika")
        release = release or self.release
        grant = release.tool(tool)
        assert grant is not None
        now, clock = datetime.now(UTC).timestamp(), SystemClock()
        facts = ToolFacts(tenant=self.tenant, run=new_run_id(), user=user, step=1, attempt=1, **changes)
        intent = Intent(
            call=f"c{len(self.tools.requests)}",
            grant=grant,
            arguments=arguments,
            decision=Decision("allow", "default"),
            key="qd_key",
            not_after=int((now + 10) * 1000),
            boot_deadline=clock.boot() + 10,
        )
        return await self.sending.perform(release, intent, facts)

    async def keep(self, tenant: TenantId, run: Any, content: bytes) -> str:
        async with self.database.tenant(tenant) as tx:
            return (await self.blobs.put(tx, tenant, content, str(run))).hex()


@pytest.fixture
async def tenant(database: Database, settings: Settings) -> TenantId:
    made = TenantId(uuid7())
    async with database.system.transaction() as tx:
        await tx.execute(
            "INSERT INTO qd.tenants (tenant, slug, name, blob_key) VALUES ($1, $2, 'x', $3)",
            *(made, f"t-{made.hex[-12:]}", new_tenant_key(settings.derive("blobs"), made)),
        )
    return made


@pytest.fixture
def recall(database: Database, settings: Settings) -> Recall:
    return Recall.of(database, Blobs.of(settings), settings)


@pytest.fixture
def desk(database: Database, settings: Settings, tenant: TenantId, recall: Recall) -> Desk:
    tools, clock, blobs = Bench(), SystemClock(), Blobs.of(settings)
    release = a_release(LOOK, PEEK, CHANGE, ELSEWHERE, servers=(CRM, OTHER), tenant=tenant)
    made = Desk(database, blobs, tenant, tools, Sending(tools, _nowhere, clock, Circuits(clock)), release)
    made.sending = Sending(tools, made.keep, clock, Circuits(clock), recalling=Recalling(recall))
    return made


async def _nowhere(*_: object) -> str:
    raise AssertionError


def another_release(of: Release, **changes: Any) -> Release:
    """A release with another id."""
    return replace(of, id="f" * 64, **changes)
