"""Whole runs through a real worker: what the log holds, what is repeated and what never is."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from quarterdeck.core.clock import FakeClock
from quarterdeck.core.ids import RunId, new_thread_id
from quarterdeck.core.json import Json
from quarterdeck.releases.records import Limits
from quarterdeck.runs import events as e
from quarterdeck.runs.fold import fold
from quarterdeck.runs.messages import ToolMessage, UserMessage
from quarterdeck.runs.records import Run, Status
from quarterdeck.runs.rules import TooEarlyToSay
from quarterdeck.tools.errors import ToolsUnprepared
from quarterdeck.tools.records import Answered, Failed, ToolRequest, Unknown
from tests.db.worker.station import Station
from tests.fakes.toolbox import answered

LOOK_TWICE = {"steps": [{"call": "look", "arguments": {"n": "{n}"}, "times": 2}, {"text": "done"}]}
PAY = {"steps": [{"call": "pay", "arguments": {"amount": 5}}, {"text": "paid"}]}


async def test_a_run_is_written_down_step_by_step_and_without_gaps(station: Station) -> None:
    run = await station.submit()
    async with station.worker(LOOK_TWICE):
        ended = await station.until(run)
    assert ended.status is Status.SUCCEEDED
    turn = ["model.called", "model.answered", "tool.called", "tool.answered"]
    assert await station.kinds(run) == [
        "run.admitted",
        "run.claimed",
        "guardrail.judged",
        *turn,
        *turn,
        "model.called",
        "model.answered",
        "run.finished",
    ]
    assert (ended.steps_used, ended.tool_calls, ended.input_tokens, ended.attempt) == (3, 2, 300, 1)
    assert ended.worker is None


async def test_calls_of_one_turn_are_made_side_by_side(station: Station) -> None:
    both = asyncio.Barrier(2)

    async def meet(request: ToolRequest, cancel: asyncio.Event | None) -> Answered:
        del request, cancel
        await asyncio.wait_for(both.wait(), 5)
        return answered()

    station.tools.tools["look"] = meet
    calls = [{"call": "look", "arguments": {"n": n}} for n in (1, 2)]
    run = await station.submit()
    async with station.worker({"steps": [{"calls": calls}, {"text": "done"}]}):
        assert (await station.until(run)).status is Status.SUCCEEDED


async def test_an_effect_is_committed_when_it_arrives_and_not_with_its_slower_neighbour(station: Station) -> None:
    slow = asyncio.Event()

    async def wait(request: ToolRequest, cancel: asyncio.Event | None) -> Answered:
        del request, cancel
        await slow.wait()
        return answered()

    station.tools.tools["look"] = wait
    run = await station.submit()
    async with station.worker({"steps": [{"calls": [{"call": "look"}, {"call": "pay"}]}, {"text": "done"}]}):
        async with asyncio.timeout(10):
            while "tool.answered" not in await station.kinds(run):
                await asyncio.sleep(0.01)
        assert await station.ledger(run) == {"pay": "happened"}
        slow.set()
        assert (await station.until(run)).status is Status.SUCCEEDED


async def _die_between_intent_and_outcome(station: Station, script: Mapping[str, Json], tool: str) -> RunId:
    """A run whose first worker loses its lease while the tool is at work, and never hears of the outcome."""
    begun, never = asyncio.Event(), asyncio.Event()

    async def hang(request: ToolRequest, cancel: asyncio.Event | None) -> Answered:
        del request, cancel
        begun.set()
        await never.wait()
        return answered()

    station.tools.tools[tool] = hang
    run = await station.submit()
    async with station.worker(script) as shift:
        await asyncio.wait_for(begun.wait(), 10)
        await station.expire_leases()
        async with asyncio.timeout(15):
            while not shift.post_is_over():
                await asyncio.sleep(0.05)
    del station.tools.tools[tool]
    return run


async def test_a_payment_that_may_not_be_repeated_waits_for_a_person_after_a_crash(station: Station) -> None:
    run = await _die_between_intent_and_outcome(station, PAY, "pay")
    async with station.worker(PAY):
        parked = await station.until(run, Status.WAITING_FOR_OUTCOME)
        assert station.tools.calls_of("pay") == 1
        assert await station.ledger(run) == {"pay": "unknown"}
        assert "pay" in parked.why
        doubt = next(event for event in await station.events(run) if isinstance(event, e.ToolUnknown))
        with pytest.raises(TooEarlyToSay):
            await station.runs.resolve(station.tenant, run, doubt.call, happened=True, by="ann", words="", why="")


@pytest.mark.parametrize("tool", ["pay_keyed", "touch", "look"])
async def test_a_call_that_may_be_repeated_is_repeated_with_the_same_key(station: Station, tool: str) -> None:
    script = {"steps": [{"call": tool}, {"text": "done"}]}
    run = await _die_between_intent_and_outcome(station, script, tool)
    async with station.worker(script):
        assert (await station.until(run)).status is Status.SUCCEEDED
    assert station.tools.calls_of(tool) == 2
    assert len(station.tools.keys) == 1


@pytest.mark.parametrize("ending", ["poison", "cancel"])
async def test_a_run_that_ends_after_its_worker_died_within_an_effect_says_that_nobody_knows(
    station: Station, ending: str
) -> None:
    script = {"steps": [{"call": "pay_keyed", "arguments": {"n": 1}}, {"text": "done"}]}
    run = await _die_between_intent_and_outcome(station, script, "pay_keyed")
    if ending == "cancel":
        await station.runs.cancel(station.tenant, run, "ann", "")
    else:
        async with station.database.system.transaction() as tx:
            await tx.execute("UPDATE qd.runs SET fruitless = 10 WHERE id = $1", run)
    async with station.worker(script):
        ended = await station.until(run)
    assert ended.status is (Status.CANCELLED if ending == "cancel" else Status.FAILED)
    assert await station.ledger(run) == {"pay_keyed": "unknown"}
    finished = (await station.events(run))[-1]
    assert isinstance(finished, e.RunFinished)
    assert finished.handoff is not None
    assert len(finished.handoff.left) == 1
    assert finished.handoff.left[0].startswith("find out whether pay keyed")


async def _until_it_fails(station: Station, run: RunId) -> Run:
    """The run once it has failed, each later try of it made due at once."""
    while (found := await station.until(run, Status.WAITING_FOR_RETRY, Status.FAILED)).status is not Status.FAILED:
        async with station.database.system.transaction() as tx:
            await tx.execute("UPDATE qd.runs SET available_at = clock_timestamp() WHERE id = $1", run)
        await asyncio.sleep(0.05)
    return found


async def test_a_release_that_can_not_be_made_ready_fails_its_run_with_the_reason_after_some_tries(
    station: Station,
) -> None:
    station.unready = [ToolsUnprepared("the mirror of packages is away") for _ in range(10)]
    run = await station.submit()
    async with station.worker(LOOK_TWICE):
        waiting = await station.until(run, Status.WAITING_FOR_RETRY)
        assert "the mirror of packages is away" in waiting.why
        ended = await _until_it_fails(station, run)
    assert (ended.error_code, ended.attempt) == ("tools.unprepared", 3)
    assert ended.why == "the mirror of packages is away"


async def test_a_release_that_is_ready_at_the_second_look_costs_its_run_a_wait_only(station: Station) -> None:
    station.unready = [ToolsUnprepared("the mirror of packages is away")]
    run = await station.submit()
    async with station.worker(LOOK_TWICE):
        assert (await station.until(run)).status is Status.SUCCEEDED


async def test_a_step_that_crashes_each_time_fails_its_run_with_the_evidence(station: Station) -> None:
    station.unready = [ValueError("nobody foresaw this") for _ in range(10)]
    run = await station.submit()
    async with station.worker(LOOK_TWICE):
        ended = await _until_it_fails(station, run)
    assert (ended.error_code, ended.attempt) == ("run.crashed", 3)
    assert "ValueError: nobody foresaw this" in ended.why


async def test_a_run_that_is_drained_again_and_again_is_not_taken_for_poison(station: Station) -> None:
    run = await station.submit()
    for _ in range(5):
        async with station.worker({"steps": [{"text": "done", "latency_ms": 60_000}]}, grace=0.1):
            await station.until(run, Status.RUNNING)
    async with station.worker({"steps": [{"text": "done"}]}):
        assert (await station.until(run)).status is Status.SUCCEEDED


async def test_a_person_who_says_what_happened_sends_the_run_on(station: Station) -> None:
    async def vanish(request: ToolRequest, cancel: asyncio.Event | None) -> Unknown:
        del request, cancel
        return Unknown("the connection broke", 1)

    station.tools.tools["pay"] = vanish
    run = await station.submit()
    async with station.worker(PAY):
        await station.until(run, Status.WAITING_FOR_OUTCOME)
        doubt = next(event for event in await station.events(run) if isinstance(event, e.ToolUnknown))
        station.runs._clock = _later(doubt.ask_after)
        await station.runs.resolve(station.tenant, run, doubt.call, happened=True, by="ann", words="seen it", why="")
        assert (await station.until(run)).status is Status.SUCCEEDED
    assert await station.ledger(run) == {"pay": "happened"}
    assert station.tools.calls_of("pay") == 1


def _later(milliseconds: int) -> FakeClock:
    return FakeClock(datetime.fromtimestamp(milliseconds / 1000 + 1, UTC))


async def test_a_cancel_request_interrupts_a_model_call_and_is_confirmed(station: Station) -> None:
    run = await station.submit()
    async with station.worker({"steps": [{"text": "too late", "latency_ms": 60_000}]}):
        await station.until(run, Status.RUNNING)
        async with asyncio.timeout(5):
            while "model.called" not in await station.kinds(run):
                await asyncio.sleep(0.01)
        assert (await station.runs.cancel(station.tenant, run, "ann", "changed my mind")).status is Status.CANCELLING
        ended = await station.until(run, within=3)
    assert ended.status is Status.CANCELLED
    assert (await station.kinds(run))[-3:] == ["run.cancel_requested", "model.failed", "run.finished"]
    finished = (await station.events(run))[-1]
    assert isinstance(finished, e.RunFinished)
    assert finished.handoff is not None
    assert "ann" in finished.handoff.why


async def test_a_cancel_request_in_mid_call_accounts_for_the_effect(station: Station) -> None:
    async def until_told(request: ToolRequest, cancel: asyncio.Event | None) -> Unknown:
        del request
        assert cancel is not None
        await cancel.wait()
        return Unknown("interrupted on request", 1)

    station.tools.tools["pay"] = until_told
    run = await station.submit()
    async with station.worker(PAY):
        async with asyncio.timeout(5):
            while not station.tools.calls_of("pay"):
                await asyncio.sleep(0.01)
        await station.runs.cancel(station.tenant, run, "ann", "")
        ended = await station.until(run, within=5)
    assert ended.status is Status.CANCELLED
    assert await station.ledger(run) == {"pay": "unknown"}
    finished = (await station.events(run))[-1]
    assert isinstance(finished, e.RunFinished)
    assert finished.handoff is not None
    assert finished.handoff.left == ("find out whether pay (amount: 5) took effect",)


async def test_a_worker_that_drains_hands_its_run_over_and_nothing_is_done_twice(station: Station) -> None:
    script = {"steps": [{"call": "pay", "arguments": {"n": "{n}"}, "times": 6}, {"text": "done"}]}

    async def slowly(request: ToolRequest, cancel: asyncio.Event | None) -> Answered:
        del request, cancel
        await asyncio.sleep(0.1)
        return answered()

    station.tools.tools["pay"] = slowly
    run = await station.submit()
    async with station.worker(script):
        async with asyncio.timeout(10):
            while station.tools.calls_of("pay") < 2:
                await asyncio.sleep(0.01)
    waiting = await station.runs.get(station.tenant, run)
    assert waiting.status is Status.QUEUED
    assert (await station.kinds(run))[-1] == "run.released"
    async with station.worker(script):
        ended = await station.until(run)
    assert (ended.status, ended.attempt) == (Status.SUCCEEDED, 2)
    assert station.tools.calls_of("pay") == 6


async def test_a_late_write_of_a_worker_that_lost_its_lease_is_refused(station: Station) -> None:
    held, go_on = asyncio.Event(), asyncio.Event()

    async def freeze(request: ToolRequest, cancel: asyncio.Event | None) -> Answered:
        del cancel
        if request.attempt == 1:
            held.set()
            await go_on.wait()
            return answered("from the dead worker")
        return answered("from the living one")

    station.tools.tools["look"] = freeze
    run = await station.submit()
    async with station.worker(LOOK_TWICE):
        await asyncio.wait_for(held.wait(), 10)
        await station.expire_leases()
        async with station.worker(LOOK_TWICE):
            ended = await station.until(run)
            go_on.set()
            await asyncio.sleep(0.2)
    assert ended.status is Status.SUCCEEDED
    assert (await station.kinds(run)).count("run.finished") == 1
    said = [message for message in fold(await station.rows(run)).messages if isinstance(message, ToolMessage)]
    assert all("living" in part.text for message in said for part in message.content)  # pyright: ignore[reportAttributeAccessIssue]


async def test_a_model_that_refuses_for_good_fails_the_run_with_the_evidence(station: Station) -> None:
    run = await station.submit()
    async with station.worker({"steps": [{"fault": "unauthenticated"}]}):
        ended = await station.until(run)
    assert (ended.status, ended.error_code) == (Status.FAILED, "model.unauthenticated")
    assert "model.failed" in await station.kinds(run)
    finished = (await station.events(run))[-1]
    assert isinstance(finished, e.RunFinished)
    assert "unauthenticated" in (finished.error or "")
    retried = await station.runs.retry(station.tenant, run, "ann", "the key is right now")
    assert retried.status is Status.QUEUED
    async with station.worker({"steps": [{"text": "hello"}]}):
        assert (await station.until(run)).status is Status.SUCCEEDED


async def test_a_model_that_is_away_parks_the_run_for_a_later_try(station: Station) -> None:
    run = await station.submit()
    async with station.worker({"steps": [{"fault": "rate_limited", "retry_after": 3600}]}):
        waiting = await station.until(run, Status.WAITING_FOR_RETRY)
    assert "rate_limited" in waiting.why
    assert (waiting.available_at - waiting.created_at).total_seconds() > 3000


async def test_a_run_without_steps_left_stops_with_a_handoff(station: Station) -> None:
    station.limits = Limits(max_steps=3, max_repeats=100)
    run = await station.submit()
    async with station.worker({"steps": [{"call": "look", "times": 100}]}):
        ended = await station.until(run)
    assert (ended.status, ended.reason) == (Status.STOPPED, "steps")
    finished = (await station.events(run))[-1]
    assert isinstance(finished, e.RunFinished)
    assert finished.handoff is not None
    assert finished.handoff.done == ("look × 3",)


async def test_structured_output_is_repaired_once(station: Station) -> None:
    station.output_schema = {"type": "object", "required": ["total"], "properties": {"total": {"type": "integer"}}}
    run = await station.submit()
    async with station.worker({"steps": [{"text": "a lot"}, {"text": '{"total": 3}'}]}):
        ended = await station.until(run)
    assert ended.status is Status.SUCCEEDED
    assert "output.rejected" in await station.kinds(run)
    finished = (await station.events(run))[-1]
    assert isinstance(finished, e.RunFinished)
    assert finished.output == {"total": 3}


async def test_a_thread_goes_on_from_what_was_said_before(station: Station) -> None:
    thread = new_thread_id()
    first = await station.submit("my name is Ann", thread, 1)
    async with station.worker({"steps": [{"text": "hello Ann"}]}):
        await station.until(first)
        second = await station.submit("what is my name?", thread, 2)
        await station.until(second)
    called = next(event for event in await station.events(second) if isinstance(event, e.ModelCalled))
    assert called.messages == 3
    continued = next(event for event in await station.events(second) if isinstance(event, e.ThreadContinued))
    assert continued.runs == (str(first),)


async def test_a_tool_that_is_known_to_have_failed_is_told_to_the_model(station: Station) -> None:
    async def fail(request: ToolRequest, cancel: asyncio.Event | None) -> Failed:
        del request, cancel
        return Failed("refused", "the till is closed", 1)

    station.tools.tools["pay"] = fail
    run = await station.submit()
    async with station.worker(PAY):
        ended = await station.until(run)
    assert (ended.status, ended.failed_calls) == (Status.SUCCEEDED, 1)
    assert await station.ledger(run) == {"pay": "failed"}
    state = fold(await station.rows(run))
    said = next(message for message in state.messages if isinstance(message, ToolMessage))
    assert said.is_error
    assert not any(isinstance(message, UserMessage) and message.label.source == "author" for message in state.messages)


async def test_a_hundred_runs_of_two_users_all_end(station: Station) -> None:
    runs = [await station.submit(f"run {n}") for n in range(100)]
    async with station.worker(LOOK_TWICE), station.worker(LOOK_TWICE):
        for run in runs:
            assert (await station.until(run, within=60)).status is Status.SUCCEEDED
    for run in runs[:5]:
        await station.kinds(run)


async def test_calls_of_a_tool_wait_for_each_other_where_only_one_may_be_under_way(station: Station) -> None:
    under_way, most = 0, 0

    async def slow(request: ToolRequest, cancel: asyncio.Event | None) -> Answered:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.05)
        under_way -= 1
        return answered()

    station.tools.tools["alone"] = slow
    runs = [await station.submit() for _ in range(3)]
    calls = [{"call": "alone", "arguments": {"n": n}} for n in (1, 2)]
    async with station.worker({"steps": [{"calls": calls}, {"text": "done"}]}):
        for run in runs:
            assert (await station.until(run)).status is Status.SUCCEEDED
    assert (most, station.tools.calls_of("alone")) == (1, 6)
