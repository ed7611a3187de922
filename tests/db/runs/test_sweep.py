"""Whatever is stranded is queued again, once, and says so in its log."""

import asyncio
from datetime import UTC, datetime, timedelta

from quarterdeck.runs import sweep
from quarterdeck.runs.events import RunFinished
from quarterdeck.runs.log import Departure
from quarterdeck.runs.records import Status
from quarterdeck.runs.waits import Waits
from tests.db.runs.scene import Scene
from tests.db.runs.test_fence import sweep_now


async def test_what_a_dead_worker_held_is_queued_again(scene: Scene):
    worker, hold = await scene.executing()
    other = await scene.submit()
    await worker.die()
    assert await sweep_now(scene) == 1
    run = await scene.read(hold.run)
    assert (run.status, run.worker, run.delivered_at) == (Status.QUEUED, None, None)
    assert (await scene.log(hold.run))[-1].data == '{"why": "lease"}'
    assert (await scene.read(other.id)).status is Status.QUEUED
    assert await sweep_now(scene) == 0


async def test_what_a_living_worker_holds_is_left_alone(scene: Scene):
    _, hold = await scene.executing()
    assert await sweep_now(scene) == 0
    assert (await scene.read(hold.run)).status is Status.RUNNING


async def test_sweeps_at_the_same_time_release_each_run_once(scene: Scene):
    worker, hold = await scene.executing()
    await worker.die()
    await asyncio.gather(*(sweep_now(scene) for _ in range(4)))
    assert (await scene.kinds(hold.run)).count("run.released") == 1


async def test_a_worker_gives_back_what_it_holds_only_in_the_database(scene: Scene):
    worker, stray = await scene.executing()
    async with scene.database.system.transaction() as tx:
        assert await sweep.release_strays(tx, worker.id, []) == 0
        await tx.execute("UPDATE qd.runs SET last_event_at = now() - interval '6 s' WHERE id = $1", stray.run)
        assert await sweep.release_strays(tx, worker.id, [stray.run]) == 0
        assert await sweep.release_strays(tx, worker.id, []) == 1
    assert (await scene.read(stray.run)).status is Status.QUEUED


async def test_a_worker_is_told_of_cancels_even_when_the_wake_was_lost(scene: Scene):
    worker, hold = await scene.executing()
    async with scene.database.system.transaction() as tx:
        assert await sweep.cancelling(tx, worker.id) == []
    await scene.runs.cancel(scene.tenant, hold.run, "key:k", "")
    async with scene.database.system.transaction() as tx:
        assert await sweep.cancelling(tx, worker.id) == [hold.run]


async def test_a_run_that_waits_for_its_provider_is_due_when_it_is_called_and_no_other_is(scene: Scene):
    called, other = await scene.submit(), await scene.submit()
    async with scene.database.system.transaction() as tx:
        parked = "UPDATE qd.runs SET status = 'waiting_for_retry', reason = $2, available_at = $3 WHERE id = $1"
        far_off = datetime.now(UTC) + timedelta(hours=1)
        await tx.execute(parked, called.id, "pace", far_off)
        await tx.execute(parked, other.id, "switch", far_off)
        both = [(scene.tenant, called.id), (scene.tenant, other.id)]
        assert await sweep.hasten(tx, both) == 1
        assert await sweep.hasten(tx, both) == 0
        due = await tx.fetch("SELECT id FROM qd.runs WHERE available_at <= clock_timestamp()")
        assert [row["id"] for row in due] == [called.id]


class Deaf:
    """Wakes that never come."""

    def listen(self, channel: str, listener: object):
        return lambda: None


async def test_waiting_needs_no_wake(scene: Scene):
    worker, hold = await scene.executing()
    waits = Waits(scene.runs, Deaf(), asyncio.Event())
    waiting = asyncio.create_task(waits.until_settled(scene.tenant, hold.run, 10))
    await asyncio.sleep(0.05)
    await worker.leave(hold, Departure(Status.SUCCEEDED, ended=True), RunFinished(status="succeeded"))
    assert (await asyncio.wait_for(waiting, 3)).status is Status.SUCCEEDED


async def test_who_waits_is_let_go_when_the_process_closes(scene: Scene):
    _, hold = await scene.executing()
    closing = asyncio.Event()
    waits = Waits(scene.runs, Deaf(), closing)
    waiting = asyncio.create_task(waits.until_settled(scene.tenant, hold.run, 30))
    await asyncio.sleep(0.05)
    closing.set()
    assert (await asyncio.wait_for(waiting, 2)).status is Status.RUNNING
