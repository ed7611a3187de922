"""What becomes a delivery, seen on the real tables."""

from datetime import UTC, datetime, timedelta

from quarterdeck.core.ids import AgentName, UserId, new_thread_id
from quarterdeck.runs.admission import Limits
from quarterdeck.runs.events import RunFinished, RunParked
from quarterdeck.runs.log import Departure
from quarterdeck.runs.records import Status
from quarterdeck.worker.chores import CLAIM_WITHIN
from tests.db.runs.scene import Scene, new_tenant
from tests.db.runs.test_fence import sweep_now

ENDED = Departure(Status.SUCCEEDED, ended=True)


async def test_without_a_worker_nothing_is_delivered(scene: Scene):
    await scene.submit()
    await scene.admit()
    assert await scene.delivered() == set()


async def test_no_more_is_delivered_than_workers_have_places(scene: Scene):
    await scene.worker(capacity=2)
    await scene.worker(capacity=1)
    for _ in range(5):
        await scene.submit()
    admitted = await scene.admit()
    assert admitted is not None
    assert (admitted.count, admitted.left) == (3, True)
    assert len(await scene.delivered()) == 3


async def test_a_run_waits_for_its_time(scene: Scene):
    await scene.worker()
    later = await scene.submit(available_at=datetime.now(UTC) + timedelta(hours=1))
    now = await scene.submit()
    await scene.admit()
    assert await scene.delivered() == {now.id}
    async with scene.database.system.transaction() as tx:
        await tx.execute("UPDATE qd.runs SET available_at = now() WHERE id = $1", later.id)
    await scene.admit()
    assert await scene.delivered() == {now.id, later.id}


async def test_higher_priority_goes_first(scene: Scene):
    await scene.worker(capacity=2)
    low = await scene.submit(priority=-5)
    plain = await scene.submit()
    high = await scene.submit(priority=5)
    await scene.admit()
    assert await scene.delivered() == {high.id, plain.id}
    assert low.id not in await scene.delivered()


async def test_a_busy_tenant_does_not_starve_a_quiet_one(scene: Scene):
    quiet = Scene(scene.database, await new_tenant(scene.database))
    for _ in range(30):
        await scene.submit()
    await quiet.submit()
    await quiet.submit()
    await scene.worker(capacity=4)
    await scene.admit()
    assert len(await scene.delivered()) == 2
    assert len(await quiet.delivered()) == 2


async def test_limits_of_user_agent_tenant_and_everywhere_hold(scene: Scene):
    await scene.worker()
    ann, bob = UserId("ann"), UserId("bob")
    for _ in range(5):
        await scene.submit(user_id=ann)
        await scene.submit(user_id=bob, agent=AgentName("other"))
    await scene.admit(Limits(user=2))
    assert len(await scene.delivered()) == 4
    await scene.admit(Limits(user=2))
    assert len(await scene.delivered()) == 4
    await scene.admit(Limits(agent=3))
    assert len(await scene.delivered()) == 6
    await scene.admit(Limits(tenant=7))
    assert len(await scene.delivered()) == 7
    await scene.admit(Limits(everywhere=8))
    assert len(await scene.delivered()) == 8


async def test_a_tenants_own_limit_goes_before_the_deployments(scene: Scene):
    own = Scene(scene.database, await new_tenant(scene.database, max_running=1))
    await scene.worker()
    await own.submit()
    await own.submit()
    await own.admit(Limits(tenant=5))
    assert len(await own.delivered()) == 1


async def test_a_disabled_tenants_runs_stay_where_they_are(scene: Scene):
    await scene.worker()
    await scene.submit()
    async with scene.database.system.transaction() as tx:
        await tx.execute("UPDATE qd.tenants SET disabled_at = now() WHERE tenant = $1", scene.tenant)
    await scene.admit()
    assert await scene.delivered() == set()


async def test_a_run_that_no_worker_understands_waits_and_says_why(scene: Scene):
    await scene.worker(behaviours=[1])
    run = await scene.submit(behaviour=2)
    await scene.admit()
    assert await scene.delivered() == set()
    async with scene.database.system.transaction() as tx:
        await tx.execute("UPDATE qd.runs SET available_at = now() - interval '1 minute' WHERE id = $1", run.id)
    await sweep_now(scene)
    assert (await scene.read(run.id)).why == "no running worker executes behaviour version 2"


async def test_a_delivery_that_nobody_claimed_is_made_again(scene: Scene):
    await scene.worker()
    run = await scene.submit()
    await scene.admit()
    async with scene.database.system.transaction() as tx:
        await tx.execute("UPDATE qd.runs SET delivered_at = now() - $1::interval", CLAIM_WITHIN)
    assert await sweep_now(scene) == 1
    assert await scene.delivered() == set()
    await scene.admit()
    assert await scene.delivered() == {run.id}


async def test_a_run_of_a_thread_waits_for_those_before_it(scene: Scene):
    thread = new_thread_id()
    first, second, third = [await scene.enter(thread, position) for position in (1, 2, 3)]
    other = await scene.enter(new_thread_id(), 1)
    worker = await scene.worker()
    await scene.admit()
    assert await scene.delivered() == {first.id, other.id}
    hold = await worker.claim(first.id)
    assert hold is not None
    await scene.admit()
    assert second.id not in await scene.delivered()
    await worker.leave(hold, ENDED, RunFinished(status="succeeded"))
    await scene.admit()
    assert second.id in await scene.delivered()
    assert third.id not in await scene.delivered()


async def test_a_parked_run_holds_its_thread(scene: Scene):
    thread = new_thread_id()
    first, second = [await scene.enter(thread, position) for position in (1, 2)]
    worker = await scene.worker()
    await scene.admit()
    hold = await worker.claim(first.id)
    assert hold is not None
    parked = RunParked(status=Status.WAITING_FOR_OUTCOME, why="in doubt")
    await worker.leave(hold, Departure(Status.WAITING_FOR_OUTCOME, parked=True), parked)
    await scene.admit()
    assert second.id not in await scene.delivered()


async def test_a_run_sent_back_waits_for_a_later_one_that_is_under_way(scene: Scene):
    thread = new_thread_id()
    first, second = [await scene.enter(thread, position) for position in (1, 2)]
    worker = await scene.worker()
    await scene.runs.cancel(scene.tenant, first.id, "key:k", "")
    await scene.admit()
    hold = await worker.claim(second.id)
    assert hold is not None
    await scene.runs.retry(scene.tenant, first.id, "key:k", "")
    await scene.admit()
    assert await scene.delivered() == set()
    await worker.leave(hold, ENDED, RunFinished(status="succeeded"))
    await scene.admit()
    assert await scene.delivered() == {first.id}


async def test_two_runs_of_a_thread_that_both_wait_to_be_tried_again_do_not_block_each_other(scene: Scene):
    thread = new_thread_id()
    first, second = [await scene.enter(thread, position) for position in (1, 2)]
    await scene.worker()
    async with scene.database.system.transaction() as tx:
        await tx.execute("UPDATE qd.runs SET status = 'waiting_for_retry' WHERE id IN ($1, $2)", first.id, second.id)
    await scene.admit()
    assert await scene.delivered() == {first.id}
