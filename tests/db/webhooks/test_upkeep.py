"""Secrets are replaced, endpoints removed and old messages forgotten while deliveries go on."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from quarterdeck.core.signature import SignatureInvalid, verify
from quarterdeck.db.pool import Database
from tests.db.net.servers import http
from tests.db.webhooks.scene import Scene, receiving


@pytest.fixture
async def scene(database: Database) -> AsyncIterator[Scene]:
    scene = Scene(database)
    yield scene
    await scene.outbound.close()


async def test_a_rotated_secret_signs_along_with_its_successor(scene: Scene, database: Database) -> None:
    tenant = await scene.tenant()
    async with receiving() as receiver:
        endpoint = await scene.register(tenant, receiver)
        (old,) = receiver.secrets
        async with database.tenant(tenant) as tx:
            new, _ = await scene.webhooks.rotate(tx, tenant, endpoint.id, timedelta(hours=1))
        await scene.tell(tenant)
        async with scene.working():
            await scene.settled(tenant, endpoint.id, 1)
            async with database.tenant(tenant) as tx:
                newest, _ = await scene.webhooks.rotate(tx, tenant, endpoint.id, timedelta())
            await scene.tell(tenant)
            await scene.settled(tenant, endpoint.id, 2)
        first, second = receiver.server.requests
        for secret in (old, new):
            verify([secret], first.headers, first.body)
            with pytest.raises(SignatureInvalid):
                verify([secret], second.headers, second.body)
        verify([newest], second.headers, second.body)


async def test_a_replaced_secret_signs_no_more_once_its_time_is_over(scene: Scene, database: Database) -> None:
    tenant = await scene.tenant()
    async with receiving() as receiver:
        endpoint = await scene.register(tenant, receiver)
        async with database.tenant(tenant) as tx:
            new, _ = await scene.webhooks.rotate(tx, tenant, endpoint.id, timedelta(milliseconds=1))
        await asyncio.sleep(0.01)
        await scene.tell(tenant)
        async with scene.working():
            await scene.settled(tenant, endpoint.id, 1)
        (request,) = receiver.server.requests
        assert request.headers["webhook-signature"].count("v1,") == 1
        verify([new], request.headers, request.body)


async def test_with_another_deployment_secret_nothing_is_sent_unsigned(scene: Scene) -> None:
    tenant = await scene.tenant()
    async with receiving() as receiver:
        endpoint = await scene.register(tenant, receiver)
        await scene.tell(tenant)
        async with scene.working(key=bytes(32)):
            (delivery,) = await scene.settled(tenant, endpoint.id, 1)
        assert receiver.server.requests == []
    assert "QUARTERDECK_SECRET_KEY" in (delivery.last_error or "")


async def test_an_endpoint_removed_in_the_middle_leaves_nothing_behind(scene: Scene, database: Database) -> None:
    tenant = await scene.tenant()
    async with receiving(http(500)) as receiver:
        endpoint = await scene.register(tenant, receiver)
        await scene.tell(tenant)
        async with scene.working():
            await scene.settled(tenant, endpoint.id, 1)
            async with database.tenant(tenant) as tx:
                await scene.webhooks.remove(tx, tenant, endpoint.id)
            await scene.tell(tenant)
            await asyncio.sleep(0.3)
    async with database.system.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM qd.webhook_deliveries") == 0
        assert await tx.fetchval("SELECT count(*) FROM qd.outbox") == 0


async def test_old_messages_are_forgotten_and_pending_ones_are_not(scene: Scene, database: Database) -> None:
    tenant = await scene.tenant()
    async with receiving() as receiver:
        endpoint = await scene.register(tenant, receiver)
        async with database.system.transaction() as tx:
            insert = """INSERT INTO qd.webhook_deliveries (tenant, id, endpoint, kind, body, state, next_at)
                SELECT $1, ('01900000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, $2, 'run.finished', '', state,
                now() + interval '1 hour' FROM generate_series(1, 1500) n, (VALUES ($3)) AS s (state)"""
            await tx.execute(insert, tenant, endpoint.id, "dead")
            await tx.execute(insert.replace("'01900000", "'01800000"), tenant, endpoint.id, "pending")
        await scene.tell(tenant)
        async with scene.working():
            await scene.settled(tenant, endpoint.id, 1)
            await asyncio.sleep(0.5)
    async with database.system.transaction() as tx:
        rows = await tx.fetch("SELECT state, count(*) AS n FROM qd.webhook_deliveries GROUP BY 1")
    assert {row["state"]: row["n"] for row in rows} == {"pending": 1500, "delivered": 1}
