"""The verbs of a run from outside its worker."""

import asyncio
from datetime import timedelta

import pytest

from quarterdeck.core.json import decode_object
from quarterdeck.runs import events as e
from quarterdeck.runs.log import Departure, Hold
from quarterdeck.runs.messages import Call, Text, Usage
from quarterdeck.runs.records import Status
from quarterdeck.runs.rules import AlreadyEnded, NoSuchDoubt, NotRetryable, TooEarlyToSay
from quarterdeck.runs.service import KeyReused, NoSuchRun, QueueFull
from tests.db.runs.scene import Scene, Worker, new_tenant
from tests.db.runs.test_fence import sweep_now

ALLOW = e.Decision("allow", "default")


def asked(*calls: Call, step: int = 1) -> tuple[e.Event, ...]:
    """A model's turn that asks for these calls."""
    return (
        e.ModelCalled(step=step, call=f"m{step}", provider="p", model="m", decision=ALLOW),
        e.ModelAnswered(
            step=step, call=f"m{step}", content=calls, finish="tool_calls", served_model="m", usage=Usage(10, 5), cost=7
        ),
    )


def sent(scene: Scene, call: str, *, tool: str = "refund", effect: str = "payment") -> e.ToolCalled:
    """An intent that may still begin for ten seconds, and then takes five at most."""
    now = int(scene.clock.now().timestamp() * 1000)
    return e.ToolCalled(
        step=1,
        call=call,
        tool=tool,
        arguments={"order": 1001},
        effect=effect,
        repeat="never",
        decision=ALLOW,
        key=f"key-{call}",
        not_after=now + 10_000,
        timeout_ms=5_000,
    )


def doubt(intent: e.ToolCalled) -> e.ToolUnknown:
    return e.ToolUnknown(
        call=intent.call, tool=intent.tool, why="cut off", ask_after=intent.not_after + intent.timeout_ms
    )


async def parked_in_doubt(scene: Scene, *calls: str) -> tuple[Worker, Hold]:
    """A run that waits because nobody knows whether these calls took effect."""
    worker, hold = await scene.executing()
    recorder = await worker.recorder(hold)
    intents = [sent(scene, call) for call in calls]
    recorder.emit(*asked(*(Call(call, "refund", {"order": 1001}) for call in calls)), *intents)
    await recorder.flush()
    recorder.emit(*(doubt(intent) for intent in intents))
    parked = e.RunParked(status=Status.WAITING_FOR_OUTCOME, why="nobody knows whether refund took effect")
    await recorder.leave(Departure(Status.WAITING_FOR_OUTCOME, why="in doubt", parked=True), parked)
    return worker, hold


async def test_the_same_key_and_request_give_the_run_that_they_made(scene: Scene):
    first = scene.submission(dedup_key="k", dedup_digest=b"d")
    again = scene.submission(dedup_key="k", dedup_digest=b"d")
    run, is_new = await scene.runs.submit(first, [])
    same, is_new_again = await scene.runs.submit(again, [])
    assert (is_new, is_new_again) == (True, False)
    assert same.id == run.id


async def test_one_key_makes_one_run_however_many_requests_come_at_once(scene: Scene):
    wanted = [scene.submission(dedup_key="k", dedup_digest=b"d") for _ in range(8)]
    made = await asyncio.gather(*(scene.runs.submit(one, []) for one in wanted))
    assert len({run.id for run, _ in made}) == 1
    assert sum(is_new for _, is_new in made) == 1


async def test_a_key_that_came_with_another_request_is_refused(scene: Scene):
    await scene.runs.submit(scene.submission(dedup_key="k", dedup_digest=b"d"), [])
    with pytest.raises(KeyReused):
        await scene.runs.submit(scene.submission(dedup_key="k", dedup_digest=b"other"), [])


async def test_two_tenants_may_use_the_same_key(scene: Scene):
    other = Scene(scene.database, await new_tenant(scene.database))
    run = await scene.submit(dedup_key="k", dedup_digest=b"d")
    stranger = await other.submit(dedup_key="k", dedup_digest=b"x")
    assert run.id != stranger.id
    with pytest.raises(NoSuchRun):
        await other.read(run.id)


async def test_a_full_queue_refuses_and_says_when_to_come_back(scene: Scene):
    small = Scene(scene.database, await new_tenant(scene.database, queue_limit=2))
    await small.submit()
    await small.submit()
    with pytest.raises(QueueFull) as full:
        await small.submit()
    assert full.value.facts == {"queued": 2, "limit": 2, "retry_after": 5}
    await scene.submit()


async def test_a_queued_run_is_cancelled_at_once(scene: Scene):
    run = await scene.submit()
    cancelled = await scene.runs.cancel(scene.tenant, run.id, "key:k", "not needed")
    assert cancelled.status is Status.CANCELLED
    assert cancelled.finished_at is not None
    assert await scene.kinds(run.id) == ["run.admitted", "run.cancel_requested", "run.finished"]
    finished = decode_object((await scene.log(run.id))[-1].data)
    assert finished["handoff"] == {"left": ["the whole task"], "why": "cancelled by key:k: not needed"}
    with pytest.raises(AlreadyEnded):
        await scene.runs.cancel(scene.tenant, run.id, "key:k", "")


async def test_a_running_run_is_told_and_ends_when_its_worker_says_so(scene: Scene):
    worker, hold = await scene.executing()
    asked_for = await scene.runs.cancel(scene.tenant, hold.run, "key:k", "")
    assert asked_for.status is Status.CANCELLING
    assert ("qd_control", ["cancel", hold.run.hex]) in scene.heard.sent
    again = await scene.runs.cancel(scene.tenant, hold.run, "key:k", "")
    assert again.last_seq == asked_for.last_seq
    await worker.leave(hold, Departure(Status.CANCELLED, ended=True), e.RunFinished(status="cancelled"))
    assert (await scene.read(hold.run)).status is Status.CANCELLED


async def test_a_run_that_was_being_cancelled_when_its_worker_died_stays_so(scene: Scene):
    worker, hold = await scene.executing()
    await scene.runs.cancel(scene.tenant, hold.run, "key:k", "")
    await worker.die()
    await sweep_now(scene)
    run = await scene.read(hold.run)
    assert run.status is Status.QUEUED
    assert run.cancel_requested_at is not None
    ended = await scene.runs.cancel(scene.tenant, hold.run, "key:k", "")
    assert ended.status is Status.CANCELLED


async def test_cancelling_a_run_whose_worker_died_in_mid_call_leaves_the_doubt_on_record(scene: Scene):
    worker, hold = await scene.executing()
    recorder = await worker.recorder(hold)
    recorder.emit(*asked(Call("c1", "refund", {"order": 1001})), sent(scene, "c1"))
    await recorder.flush()
    await worker.die()
    await sweep_now(scene)
    await scene.runs.cancel(scene.tenant, hold.run, "key:k", "")
    assert await scene.ledger(hold.run) == {"1/c1": "unknown"}
    finished = decode_object((await scene.log(hold.run))[-1].data)
    assert finished["handoff"] == {
        "done": ["refund"],
        "left": ["find out whether refund took effect"],
        "why": "cancelled by key:k",
    }
    scene.clock.advance(timedelta(minutes=1))
    await scene.runs.resolve(scene.tenant, hold.run, "c1", happened=True, by="key:op", words="", why="")
    assert await scene.ledger(hold.run) == {"1/c1": "happened"}
    assert (await scene.read(hold.run)).status is Status.CANCELLED


async def test_a_parked_run_is_cancelled_at_once_and_its_doubt_is_handed_over(scene: Scene):
    _, hold = await parked_in_doubt(scene, "c1")
    cancelled = await scene.runs.cancel(scene.tenant, hold.run, "key:k", "")
    assert cancelled.status is Status.CANCELLED
    assert '"left": ["find out whether refund took effect"]' in (await scene.log(hold.run))[-1].data


async def test_a_cancelled_run_that_is_sent_back_is_not_cancelled_again(scene: Scene):
    run = await scene.submit()
    await scene.runs.cancel(scene.tenant, run.id, "key:k", "")
    retried = await scene.runs.retry(scene.tenant, run.id, "key:op", "a mistake")
    assert retried.status is Status.QUEUED
    assert retried.cancel_requested_at is None
    assert retried.finished_at is None
    worker = await scene.worker()
    await scene.admit()
    assert await worker.claim(run.id) is not None
    assert (await scene.kinds(run.id))[-2:] == ["run.retried", "run.claimed"]


async def test_only_what_ended_badly_can_be_sent_back(scene: Scene):
    worker, hold = await scene.executing()
    with pytest.raises(NotRetryable):
        await scene.runs.retry(scene.tenant, hold.run, "key:k", "")
    await worker.leave(hold, Departure(Status.SUCCEEDED, ended=True), e.RunFinished(status="succeeded"))
    with pytest.raises(NotRetryable):
        await scene.runs.retry(scene.tenant, hold.run, "key:k", "")


async def test_nobody_may_answer_for_a_call_that_could_still_begin(scene: Scene):
    _, hold = await parked_in_doubt(scene, "c1")
    with pytest.raises(TooEarlyToSay) as early:
        await scene.runs.resolve(scene.tenant, hold.run, "c1", happened=False, by="key:op", words="", why="")
    assert early.value.facts["retry_after"] == 15 or early.value.facts["retry_after"] == 16
    scene.clock.advance(timedelta(seconds=14))
    with pytest.raises(TooEarlyToSay):
        await scene.runs.resolve(scene.tenant, hold.run, "c1", happened=False, by="key:op", words="", why="")
    scene.clock.advance(timedelta(seconds=2))
    resolved = await scene.runs.resolve(scene.tenant, hold.run, "c1", happened=False, by="key:op", words="", why="")
    assert resolved.status is Status.QUEUED


async def test_naming_the_last_unknown_outcome_queues_the_run_again(scene: Scene):
    _, hold = await parked_in_doubt(scene, "c1", "c2")
    scene.clock.advance(timedelta(minutes=1))
    still = await scene.runs.resolve(
        scene.tenant, hold.run, "c1", happened=True, by="key:op", words="Refund 77 was made.", why=""
    )
    assert still.status is Status.WAITING_FOR_OUTCOME
    on = await scene.runs.resolve(scene.tenant, hold.run, "c2", happened=False, by="key:op", words="", why="looked")
    assert on.status is Status.QUEUED
    assert await scene.ledger(hold.run) == {"1/c1": "happened", "1/c2": "did_not_happen"}
    assert (await scene.kinds(hold.run))[-3:] == ["tool.resolved", "tool.resolved", "run.resumed"]
    worker = await scene.worker()
    await scene.admit()
    assert await worker.claim(hold.run) is not None


async def test_an_outcome_that_nobody_doubts_can_not_be_named(scene: Scene):
    _, hold = await parked_in_doubt(scene, "c1")
    scene.clock.advance(timedelta(minutes=1))
    with pytest.raises(NoSuchDoubt) as none:
        await scene.runs.resolve(scene.tenant, hold.run, "c9", happened=True, by="key:op", words="", why="")
    assert none.value.facts == {"call": "c9", "unknown": ["c1"]}
    await scene.runs.resolve(scene.tenant, hold.run, "c1", happened=True, by="key:op", words="", why="")
    with pytest.raises(NoSuchDoubt):
        await scene.runs.resolve(scene.tenant, hold.run, "c1", happened=False, by="key:op", words="", why="")


async def test_nobody_answers_behind_the_back_of_a_worker_that_has_the_run(scene: Scene):
    worker, hold = await scene.executing()
    intent = sent(scene, "c1")
    await worker.append(hold, *asked(Call("c1", "refund", {})), intent, doubt(intent))
    scene.clock.advance(timedelta(minutes=1))
    with pytest.raises(TooEarlyToSay):
        await scene.runs.resolve(scene.tenant, hold.run, "c1", happened=True, by="key:op", words="", why="")


async def test_time_parked_for_people_is_counted(scene: Scene):
    _, hold = await parked_in_doubt(scene, "c1")
    async with scene.database.system.transaction() as tx:
        await tx.execute("UPDATE qd.runs SET parked_at = now() - interval '90 s' WHERE id = $1", hold.run)
    scene.clock.advance(timedelta(minutes=1))
    run = await scene.runs.resolve(scene.tenant, hold.run, "c1", happened=True, by="key:op", words="", why="")
    assert 90_000 <= run.waited_ms < 100_000
    assert run.parked_at is None


async def test_totals_stand_on_the_row_as_the_log_grows(scene: Scene):
    worker, hold = await scene.executing()
    recorder = await worker.recorder(hold)
    recorder.emit(*asked(Call("c1", "refund", {})), sent(scene, "c1"))
    await recorder.flush()
    recorder.emit(e.ToolFailed(call="c1", code="timeout", content=(Text("no"),)))
    await recorder.flush()
    run = await scene.read(hold.run)
    assert (run.steps_used, run.tool_calls, run.failed_calls) == (1, 1, 1)
    assert (run.input_tokens, run.output_tokens, run.cost) == (10, 5, 7)
    assert run.risk_level == "money"
