"""From an event in the outbox to a signed message at its endpoint: at least once or visibly dead, and logged."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from quarterdeck.core.json import decode_object
from quarterdeck.db.pool import Database
from quarterdeck.net.records import Reach
from quarterdeck.webhooks import rules, store_outgoing
from quarterdeck.webhooks.records import State
from tests.db.net.servers import http
from tests.db.webhooks.scene import PACE, Scene, receiving


@pytest.fixture
async def scene(database: Database) -> AsyncIterator[Scene]:
    scene = Scene(database)
    yield scene
    await scene.outbound.close()


async def test_an_event_arrives_signed_with_the_record_of_the_run(scene: Scene) -> None:
    tenant = await scene.tenant()
    async with receiving() as receiver:
        endpoint = await scene.register(tenant, receiver)
        run = await scene.tell(tenant, title="Größe \u2028")
        async with scene.working():
            (delivery,) = await scene.settled(tenant, endpoint.id, 1)
    assert (delivery.state, delivery.last_status, delivery.tries) == (State.DELIVERED, 204, 1)
    assert (delivery.kind, delivery.run) == ("run.finished", run)
    assert delivery.delivered_at is not None
    assert receiver.ids == [str(delivery.id)]
    body = decode_object(receiver.server.requests[0].body)
    assert body["type"] == "run.finished"
    assert body["data"] == {"id": str(run), "title": "Größe \u2028"}
    age = datetime.now(UTC) - datetime.fromisoformat(str(body["timestamp"]))
    assert timedelta() <= age < timedelta(minutes=1)
    assert receiver.server.requests[0].headers["content-type"] == "application/json"


async def test_an_endpoint_is_told_what_it_asked_for_and_nothing_of_other_tenants(scene: Scene) -> None:
    tenant, other = await scene.tenant(), await scene.tenant()
    async with receiving() as finished, receiving() as parked, receiving() as foreign:
        wanted = await scene.register(tenant, finished, "run.finished")
        await scene.register(tenant, parked, "run.parked")
        await scene.register(other, foreign, "*")
        await scene.tell(tenant, "run.finished")
        await scene.tell(tenant, "run.other")
        async with scene.working():
            await scene.settled(tenant, wanted.id, 1)
            await asyncio.sleep(0.2)
    assert [len(each.server.requests) for each in (finished, parked, foreign)] == [1, 0, 0]


async def test_two_tenants_events_in_one_batch_stay_apart(scene: Scene, database: Database) -> None:
    first, second = await scene.tenant(), await scene.tenant()
    async with receiving() as receiver, receiving() as other:
        endpoints = {first: await scene.register(first, receiver), second: await scene.register(second, other)}
        runs = {first: await scene.tell(first), second: await scene.tell(second)}
        assert await scene.courier().fan_out() == 2
        async with scene.working():
            for tenant, endpoint in endpoints.items():
                (delivery,) = await scene.settled(tenant, endpoint.id, 1)
                assert delivery.run == runs[tenant]
    async with database.system.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM qd.webhook_deliveries") == 2


async def test_an_event_that_nobody_asked_for_leaves_the_outbox_all_the_same(scene: Scene, database: Database) -> None:
    await scene.tell(await scene.tenant())
    assert await scene.courier().fan_out() == 1
    async with database.system.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM qd.outbox") == 0


async def test_every_event_reaches_its_endpoint_exactly_once_with_four_workers(scene: Scene) -> None:
    tenant = await scene.tenant()
    async with receiving() as receiver:
        endpoint = await scene.register(tenant, receiver)
        await asyncio.gather(*(scene.tell(tenant) for _ in range(60)))
        async with scene.working(couriers=4):
            deliveries = await scene.settled(tenant, endpoint.id, 60)
        assert sorted(receiver.ids) == sorted(str(each.id) for each in deliveries)
    assert all(each.state is State.DELIVERED and each.tries == 1 for each in deliveries)


async def test_a_failed_attempt_is_logged_and_repeated_later_under_the_same_id(scene: Scene) -> None:
    tenant = await scene.tenant()
    async with receiving(http(500), http(200)) as receiver:
        endpoint = await scene.register(tenant, receiver)
        await scene.tell(tenant)
        async with scene.working():
            (failed,) = await scene.settled(tenant, endpoint.id, 1)
            assert (failed.state, failed.last_status, failed.delivered_at) == (State.PENDING, 500, None)
            assert timedelta(seconds=2) < failed.next_at - datetime.now(UTC) < timedelta(seconds=7)
            assert (await scene.endpoint(tenant, endpoint.id)).failing_since is not None
            await scene.bring_forward()
            (delivery,) = await scene.settled(tenant, endpoint.id, 1, tries=2)
        assert (delivery.state, delivery.tries, delivery.last_status) == (State.DELIVERED, 2, 200)
        assert delivery.last_error is None
        assert receiver.ids == [str(delivery.id)] * 2
    assert (await scene.endpoint(tenant, endpoint.id)).failing_since is None


async def test_after_the_last_attempt_a_message_is_dead_and_its_endpoint_is_not(scene: Scene) -> None:
    tenant = await scene.tenant()
    async with receiving(http(503)) as receiver:
        endpoint = await scene.register(tenant, receiver)
        await scene.tell(tenant)
        async with scene.working():
            for tries in range(1, rules.MOST_TRIES + 1):
                (delivery,) = await scene.settled(tenant, endpoint.id, 1, tries=tries)
                assert (delivery.state is State.DEAD) == (tries == rules.MOST_TRIES)
                await scene.bring_forward()
            await asyncio.sleep(0.2)
        assert len(receiver.server.requests) == rules.MOST_TRIES
    assert (await scene.endpoint(tenant, endpoint.id)).disabled_at is None


async def test_an_endpoint_that_failed_for_days_is_disabled_with_the_reason_and_gets_no_more(scene: Scene) -> None:
    tenant = await scene.tenant()
    async with receiving(http(500)) as receiver:
        endpoint = await scene.register(tenant, receiver)
        await scene.tell(tenant)
        await scene.courier().fan_out()
        await scene.failing_for(endpoint.id, timedelta(days=6))
        async with scene.working():
            (delivery,) = await scene.settled(tenant, endpoint.id, 1)
            assert delivery.state is State.DEAD
            await scene.tell(tenant)
            await asyncio.sleep(0.3)
        disabled = await scene.endpoint(tenant, endpoint.id)
        assert disabled.disabled_at is not None
        assert "5 days" in (disabled.disabled_reason or "")
        assert "500" in (disabled.disabled_reason or "")
        assert len(receiver.server.requests) == 1
    assert len(await scene.deliveries(tenant, endpoint.id)) == 1


async def test_410_disables_at_once_and_gives_up_what_was_still_to_come(scene: Scene) -> None:
    tenant = await scene.tenant()
    async with receiving(http(410)) as receiver:
        endpoint = await scene.register(tenant, receiver)
        for _ in range(3):
            await scene.tell(tenant)
        async with scene.working(replace(PACE, at_once_each=1)):
            await scene.settled(tenant, endpoint.id, 3, tries=0)
        assert len(receiver.server.requests) == 1
    deliveries = await scene.deliveries(tenant, endpoint.id)
    assert {each.state for each in deliveries} == {State.DEAD}
    assert (await scene.endpoint(tenant, endpoint.id)).disabled_reason == "The endpoint answered 410 Gone."


async def test_a_redirect_is_a_failure_and_is_not_followed(scene: Scene) -> None:
    tenant = await scene.tenant()
    async with receiving() as elsewhere, receiving(http(307, Location=elsewhere.url)) as receiver:
        endpoint = await scene.register(tenant, receiver)
        await scene.tell(tenant)
        async with scene.working():
            (delivery,) = await scene.settled(tenant, endpoint.id, 1)
    assert (delivery.state, delivery.last_status) == (State.PENDING, 307)
    assert elsewhere.server.connections == 0


async def test_the_receivers_retry_after_is_kept_to(scene: Scene) -> None:
    tenant = await scene.tenant()
    async with receiving(http(429, Retry_After="600")) as receiver:
        endpoint = await scene.register(tenant, receiver)
        await scene.tell(tenant)
        async with scene.working():
            (delivery,) = await scene.settled(tenant, endpoint.id, 1)
    assert delivery.next_at - datetime.now(UTC) > timedelta(minutes=9)


async def test_a_target_that_has_moved_inside_is_refused_at_each_delivery(database: Database) -> None:
    scene = Scene(database, Reach())
    tenant = await scene.tenant()
    async with receiving() as receiver:
        endpoint = await scene.register(tenant, receiver)
        await scene.tell(tenant)
        async with scene.working():
            (delivery,) = await scene.settled(tenant, endpoint.id, 1)
        assert receiver.server.connections == 0
    assert (delivery.state, delivery.last_status) == (State.PENDING, None)
    assert "net.target_refused" in (delivery.last_error or "")
    await scene.outbound.close()


async def test_a_receiver_that_hangs_floods_or_talks_nonsense_only_fails(scene: Scene) -> None:
    tenant = await scene.tenant()
    async with receiving() as hanging, receiving(http(body=bytes(30_000_000))) as flooding, receiving(b"?") as nonsense:
        hanging.delay = 30
        endpoints = [await scene.register(tenant, each) for each in (hanging, flooding, nonsense)]
        await scene.tell(tenant)
        async with scene.working(replace(PACE, attempt=0.5)):
            found = [(await scene.settled(tenant, each.id, 1))[0] for each in endpoints]
    # Only the status of an answer counts, so the flood is a delivery, and nobody read it.
    assert [each.state for each in found] == [State.PENDING, State.DELIVERED, State.PENDING]
    assert "net.timeout" in (found[0].last_error or "")
    assert "net.failed" in (found[2].last_error or "")


async def test_a_slow_endpoint_holds_up_nobody_else(scene: Scene) -> None:
    slow_tenant, quick_tenant = await scene.tenant(), await scene.tenant()
    async with receiving() as slow, receiving() as quick:
        slow.delay = 1.5
        await scene.register(slow_tenant, slow)
        endpoint = await scene.register(quick_tenant, quick)
        for _ in range(40):
            await scene.tell(slow_tenant)
        await scene.courier().fan_out()
        await scene.tell(quick_tenant)
        async with scene.working(replace(PACE, at_once=10, at_once_each=4)):
            started = asyncio.get_running_loop().time()
            await scene.settled(quick_tenant, endpoint.id, 1)
            assert asyncio.get_running_loop().time() - started < 1
            assert slow.most_at_once <= 4


async def test_a_worker_that_dies_in_an_attempt_leaves_the_message_to_another(scene: Scene, database: Database) -> None:
    tenant = await scene.tenant()
    async with receiving() as receiver:
        endpoint = await scene.register(tenant, receiver)
        await scene.tell(tenant)
        await scene.courier().fan_out()
        async with database.system.transaction() as tx:
            (lost,) = await store_outgoing.claim(tx, 10, 10, [], timedelta(seconds=0.3))
        async with scene.working():
            delivery = (await scene.settled(tenant, endpoint.id, 1, tries=2))[0]
        assert receiver.ids == [str(lost.id)]
    assert (delivery.state, delivery.tries) == (State.DELIVERED, 2)


async def test_a_late_failure_of_a_lost_worker_does_not_undo_a_delivery(scene: Scene, database: Database) -> None:
    tenant = await scene.tenant()
    async with receiving() as receiver:
        endpoint = await scene.register(tenant, receiver)
        await scene.tell(tenant)
        await scene.courier().fan_out()
        async with database.system.transaction() as tx:
            (lost,) = await store_outgoing.claim(tx, 10, 10, [], timedelta())
        async with scene.working():
            await scene.settled(tenant, endpoint.id, 1, tries=2)
        async with database.system.transaction() as tx:
            late = rules.judge(rules.Outcome(500), lost.tries, None, 0.5)
            await store_outgoing.finish(tx, lost, late, 500)
    (delivery,) = await scene.deliveries(tenant, endpoint.id)
    assert (delivery.state, delivery.last_status, delivery.tries) == (State.DELIVERED, 204, 2)


async def test_a_message_whose_every_attempt_killed_its_worker_is_given_up_unsent(
    scene: Scene, database: Database
) -> None:
    tenant = await scene.tenant()
    async with receiving() as receiver:
        endpoint = await scene.register(tenant, receiver)
        await scene.tell(tenant)
        await scene.courier().fan_out()
        async with database.system.transaction() as tx:
            await tx.execute("UPDATE qd.webhook_deliveries SET tries = $1", rules.MOST_TRIES)
        async with scene.working():
            (delivery,) = await scene.settled(tenant, endpoint.id, 1, tries=rules.MOST_TRIES + 1)
        assert receiver.server.requests == []
    assert delivery.state is State.DEAD


async def test_a_worker_that_is_stopped_finishes_the_attempts_under_way(scene: Scene) -> None:
    tenant = await scene.tenant()
    async with receiving() as receiver:
        receiver.delay = 0.4
        endpoint = await scene.register(tenant, receiver)
        await scene.tell(tenant)
        async with scene.working():
            await receiver.asked.wait()
        (delivery,) = await scene.deliveries(tenant, endpoint.id)
    assert delivery.state is State.DELIVERED


async def test_deliveries_go_on_after_the_databases_connections_were_cut(scene: Scene, database: Database) -> None:
    tenant = await scene.tenant()
    async with receiving() as receiver:
        endpoint = await scene.register(tenant, receiver)
        async with scene.working():
            for count in range(1, 4):
                async with database.system.transaction() as tx:
                    cut = """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                        WHERE usename = 'qd_system' AND datname = current_database() AND pid <> pg_backend_pid()"""
                    await tx.execute(cut)
                await scene.tell(tenant)
                await scene.settled(tenant, endpoint.id, count)
        assert len(set(receiver.ids)) == 3
