"""A tenant whose deeds are audited, a sealer, and a thief who can write to the tables as their owner does."""

from dataclasses import dataclass

import asyncpg

from quarterdeck.audit.job import seal_round
from quarterdeck.audit.keys import Keys
from quarterdeck.audit.records import Entry, Report, Row
from quarterdeck.audit.service import Audit
from quarterdeck.audit.store import write
from quarterdeck.audit.store_reading import stretch
from quarterdeck.core.ids import RunId, TenantId, new_run_id
from quarterdeck.core.json import Json, encode_text
from quarterdeck.db.pool import Database

ADD_EVENT = "INSERT INTO qd.run_events (tenant, run, seq, attempt, kind, v, data) VALUES ($1, $2, $3, 1, $4, 1, $5)"


@dataclass(frozen=True, slots=True)
class Scene:
    """A tenant, and everybody who has to do with its audit."""

    database: Database
    keys: Keys
    audit: Audit
    tenant: TenantId
    thief: asyncpg.Connection

    async def did(self, action: str, inputs: Json = None, outputs: Json = None) -> None:
        """Somebody did something."""
        entry = Entry(
            tenant=self.tenant, kind="thing.done", actor="key:k", action=action, inputs=inputs, outputs=outputs
        )
        async with self.database.tenant(self.tenant) as tx:
            await write(tx, [entry])

    async def called(self, data: dict[str, Json]) -> RunId:
        """An agent called a tool: the call stands in its run's log."""
        run = new_run_id()
        entry = Entry(tenant=self.tenant, kind="tool.called", actor="agent:desk", action="refund", run=run, seq=1)
        async with self.database.tenant(self.tenant) as tx:
            await tx.execute(ADD_EVENT, self.tenant, run, 1, "tool.called", encode_text(data))
            await write(tx, [entry])
        return run

    async def seal(self) -> int:
        return await seal_round(self.database, self.keys)

    async def verify(self) -> Report:
        return await self.audit.verify(self.tenant)

    async def rows(self) -> list[Row]:
        async with self.database.tenant(self.tenant) as tx:
            return await stretch(tx, self.tenant, 0, 2**62, 10_000, payloads=True)

    async def found(self) -> list[tuple[str, int, int]]:
        """What verifying finds wrong."""
        return [(str(f.fault), f.first, f.last) for f in (await self.verify()).findings]
