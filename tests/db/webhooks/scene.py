"""A tenant with webhooks, events to tell, and a worker's courier to tell them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from quarterdeck.core.clock import SystemClock
from quarterdeck.core.ids import RunId, TenantId, new_run_id, uuid7
from quarterdeck.core.json import encode_text
from quarterdeck.core.signature import verify
from quarterdeck.db.pool import Database
from quarterdeck.net.client import Outbound
from quarterdeck.net.records import Reach
from quarterdeck.webhooks import store
from quarterdeck.webhooks.job import Courier, Pace
from quarterdeck.webhooks.records import Delivery, DeliveryId, Due, Endpoint, EndpointId
from quarterdeck.webhooks.service import Webhooks
from tests.db.net.servers import Request, Server, http, serving

KEY = bytes(range(32))
PACE = Pace(poll=0.05, attempt=2.0, grace=1.0)


@dataclass
class Receiver:
    """Somebody else's server: answers with the statuses it is told, the last one for ever, and checks signatures."""

    server: Server
    answers: list[bytes]
    secrets: list[str] = field(default_factory=list)
    delay: float = 0.0
    at_once: int = 0
    most_at_once: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return self.server.origin + "/hooks"

    @property
    def ids(self) -> list[str]:
        """The webhook-ids of the genuine messages that came."""
        return [verify(self.secrets, request.headers, request.body) for request in self.server.requests]


@asynccontextmanager
async def receiving(*answers: bytes, host: str = "127.0.0.1") -> AsyncIterator[Receiver]:
    receiver = Receiver(Server(host), list(answers) or [http(204, b"")])

    async def answer(_: Request, writer: asyncio.StreamWriter) -> None:
        receiver.asked.set()
        receiver.at_once += 1
        receiver.most_at_once = max(receiver.most_at_once, receiver.at_once)
        await asyncio.sleep(receiver.delay)
        receiver.at_once -= 1
        writer.write(receiver.answers.pop(0) if len(receiver.answers) > 1 else receiver.answers[0])

    async with serving(answer, host) as server:
        receiver.server = server
        yield receiver


class Scene:
    def __init__(self, database: Database, reach: Reach | None = None) -> None:
        self.database = database
        self.outbound = Outbound(reach or Reach(allow_private=True))
        self.webhooks = Webhooks(self.outbound, KEY)
        self.ended: list[tuple[DeliveryId, int]] = []

    async def tenant(self) -> TenantId:
        tenant = TenantId(uuid7())
        async with self.database.system.transaction() as tx:
            await tx.execute(
                "INSERT INTO qd.tenants (tenant, slug, name, blob_key) VALUES ($1, $2, $2, '')", tenant, f"t-{tenant}"
            )
        return tenant

    async def register(self, tenant: TenantId, receiver: Receiver, *kinds: str) -> Endpoint:
        async with self.database.tenant(tenant) as tx:
            endpoint, secret = await self.webhooks.register(tx, tenant, receiver.url, kinds or ("*",), "", "key:test")
        receiver.secrets.append(secret)
        return endpoint

    async def tell(self, tenant: TenantId, kind: str = "run.finished", **record: str) -> RunId:
        """What a run does in its own transaction, as qd_app."""
        run = new_run_id()
        async with self.database.tenant(tenant) as tx:
            await tx.execute(
                "INSERT INTO qd.outbox (tenant, id, kind, run, data) VALUES ($1, $2, $3, $4, $5::jsonb)",
                *(tenant, uuid7(), kind, run, encode_text({"id": str(run), **record})),
            )
        return run

    async def deliveries(self, tenant: TenantId, endpoint: EndpointId | UUID) -> list[Delivery]:
        async with self.database.tenant(tenant) as tx:
            return await store.deliveries(tx, tenant, EndpointId(endpoint), None, None, 1000)

    async def endpoint(self, tenant: TenantId, endpoint: EndpointId) -> Endpoint:
        async with self.database.tenant(tenant) as tx:
            return await self.webhooks.find(tx, tenant, endpoint)

    async def bring_forward(self) -> None:
        """Let all waits be over."""
        async with self.database.system.transaction() as tx:
            await tx.execute("UPDATE qd.webhook_deliveries SET next_at = now() WHERE state = 'pending'")

    async def failing_for(self, endpoint: EndpointId, time: timedelta) -> None:
        async with self.database.system.transaction() as tx:
            statement = "UPDATE qd.webhook_endpoints SET failing_since = now() - $2::interval WHERE id = $1"
            await tx.execute(statement, endpoint, time)

    def courier(self, pace: Pace = PACE, key: bytes = KEY) -> Courier:
        courier = Watched(self.database, self.outbound, SystemClock(), key, pace)
        courier.ended = self.ended
        return courier

    @asynccontextmanager
    async def working(self, pace: Pace = PACE, couriers: int = 1, key: bytes = KEY) -> AsyncIterator[None]:
        """Workers that deliver meanwhile."""
        stop = asyncio.Event()
        tasks = [asyncio.create_task(self.courier(pace, key).run(stop)) for _ in range(couriers)]
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(*tasks)

    async def settled(self, tenant: TenantId, endpoint: EndpointId, count: int, *, tries: int = 1) -> list[Delivery]:
        """The deliveries of an endpoint, once `count` of them were tried that often and no attempt is under way."""
        async with asyncio.timeout(15):
            while True:
                ended = set(self.ended)  # before the rows are read, so that these show at least as much
                found = await self.deliveries(tenant, endpoint)
                done = [
                    each for each in found if each.tries >= tries and (not each.tries or (each.id, each.tries) in ended)
                ]
                if len(done) >= count:
                    return found
                await asyncio.sleep(0.02)


class Watched(Courier):
    """A courier that tells when the outcome of an attempt is written down."""

    ended: list[tuple[DeliveryId, int]]

    async def _attempt(self, due: Due) -> None:
        await super()._attempt(due)
        self.ended.append((due.id, due.tries))
