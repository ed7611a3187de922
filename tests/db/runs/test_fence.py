"""One writer a run: numbers without gaps, no doubles, and nothing from whoever is not the holder any more."""

import asyncio

import pytest

from quarterdeck.core.ids import RunId
from quarterdeck.db.records import Tx
from quarterdeck.runs import log, sweep
from quarterdeck.runs.events import MessageAdded, RunFinished, RunReleased
from quarterdeck.runs.log import Departure, FencedOut
from quarterdeck.runs.messages import Text, UserMessage
from quarterdeck.runs.records import Status
from quarterdeck.worker.chores import CLAIM_WITHIN
from tests.db.runs.scene import CLAIMED, Scene, new_tenant

ENDED = Departure(Status.SUCCEEDED, ended=True)


def note(words: str) -> MessageAdded:
    return MessageAdded(message=UserMessage((Text(words),)), cause="test")


async def sweep_now(scene: Scene) -> int:
    async with scene.database.system.transaction() as tx:
        return await sweep.sweep(tx, CLAIM_WITHIN)


async def test_a_late_write_of_a_dead_worker_is_refused(scene: Scene):
    dead, old = await scene.executing()
    await dead.die()
    assert await sweep_now(scene) == 1
    alive = await scene.worker()
    await scene.admit()
    new = await alive.claim(old.run)
    assert new is not None
    before = await scene.kinds(old.run)
    with pytest.raises(FencedOut):
        await dead.append(old, note("I was only frozen"))
    with pytest.raises(FencedOut):
        await dead.leave(old, ENDED, RunFinished(status="succeeded"))
    assert await scene.kinds(old.run) == before == ["run.admitted", "run.claimed", "run.released", "run.claimed"]
    assert (await scene.read(old.run)).attempt == new.attempt == 2


async def test_a_late_write_is_refused_even_before_anybody_else_took_the_run(scene: Scene):
    dead, hold = await scene.executing()
    await dead.die()
    await sweep_now(scene)
    with pytest.raises(FencedOut):
        await dead.append(hold, note("late"))


async def test_nothing_is_appended_to_a_run_that_has_ended(scene: Scene):
    worker, hold = await scene.executing()
    await worker.leave(hold, ENDED, RunFinished(status="succeeded"))
    with pytest.raises(FencedOut):
        await worker.append(hold, note("one more thing"))
    assert (await scene.kinds(hold.run))[-1] == "run.finished"


async def test_a_worker_whose_lease_ran_out_claims_nothing(scene: Scene):
    run, worker = await scene.submit(), await scene.worker()
    await scene.admit()
    await worker.die()
    assert await worker.claim(run.id) is None
    assert (await scene.read(run.id)).status is Status.QUEUED


async def test_a_run_without_a_delivery_is_not_claimed(scene: Scene):
    run, worker = await scene.submit(), await scene.worker()
    assert await worker.claim(run.id) is None


async def test_a_delivered_run_is_claimed_once(scene: Scene):
    run = await scene.submit()
    workers = [await scene.worker() for _ in range(4)]
    await scene.admit()
    holds = await asyncio.gather(*(worker.claim(run.id) for worker in workers for _ in range(2)))
    assert len([hold for hold in holds if hold is not None]) == 1
    assert await scene.kinds(run.id) == ["run.admitted", "run.claimed"]


async def test_the_database_refuses_a_second_event_of_the_same_number(scene: Scene):
    run = await scene.submit()

    async def double(tx: Tx) -> None:
        await tx.execute(
            "INSERT INTO qd.run_events (tenant, run, seq, attempt, kind, data) VALUES ($1, $2, 1, 1, 'x', '{}')",
            scene.tenant,
            run.id,
        )

    with pytest.raises(Exception, match=r"run_events.*pkey"):
        async with scene.database.tenant(scene.tenant) as tx:
            await double(tx)


async def test_parallel_appends_are_numbered_without_gaps(scene: Scene):
    worker, hold = await scene.executing()

    async def outside(number: int) -> None:
        async with scene.database.tenant(scene.tenant) as tx:
            await tx.fetchrow("SELECT 1 FROM qd.runs WHERE id = $1 FOR UPDATE", hold.run)
            await log.append_locked(tx, scene.tenant, hold.run, [note(f"outside {number}")] * (number % 3 + 1))

    inside = [worker.append(hold, *[note(f"inside {number}")] * (number % 4 + 1)) for number in range(20)]
    await asyncio.gather(*inside, *(outside(number) for number in range(20)))
    events = await scene.log(hold.run)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert len(events) == 2 + sum(n % 4 + 1 for n in range(20)) + sum(n % 3 + 1 for n in range(20))
    assert (await scene.read(hold.run)).last_seq == len(events)


async def test_outcomes_of_parallel_calls_go_through_one_appender(scene: Scene):
    worker, hold = await scene.executing()
    recorder = await worker.recorder(hold)

    async def outcome(number: int) -> None:
        recorder.emit(note(str(number)))
        await recorder.flush()

    await asyncio.gather(*(outcome(number) for number in range(50)))
    events = await scene.log(hold.run)
    assert [event.seq for event in events] == list(range(1, 53))
    assert len({event.data for event in events[2:]}) == 50


async def test_a_drained_run_goes_back_and_another_worker_takes_it(scene: Scene):
    worker, hold = await scene.executing()
    await worker.leave(hold, Departure(Status.QUEUED), RunReleased(why="drain"))
    other = await scene.worker()
    await scene.admit()
    taken = await other.claim(hold.run)
    assert taken is not None
    assert taken.attempt == 2


async def test_another_tenants_run_can_not_be_claimed(scene: Scene):
    run, worker = await scene.submit(), await scene.worker()
    await scene.admit()
    other = await new_tenant(scene.database)
    async with scene.database.tenant(other) as tx:
        assert await log.claim(tx, other, RunId(run.id), worker.id, worker.epoch, CLAIMED) is None
        assert await log.claim(tx, scene.tenant, RunId(run.id), worker.id, worker.epoch, CLAIMED) is None
