"""Agents that call agents: a run of its own, narrowed, whose end its caller hears of once."""

from quarterdeck.core.ids import RunId
from quarterdeck.runs import events as e
from quarterdeck.runs.fold import fold
from quarterdeck.runs.messages import Text, ToolMessage, Trust
from quarterdeck.runs.records import Run, Status
from quarterdeck.runs.store import run_id
from tests.db.worker.station import Station

ASK = {"steps": [{"call": "delegate", "arguments": {"task": "find the order"}}, {"text": "done"}]}
LONG = {"steps": [{"text": "late", "latency_ms": 60_000}]}


async def child_of(station: Station, run: RunId) -> Run:
    (called,) = [event for event in await station.events(run) if isinstance(event, e.ToolCalled)]
    assert called.child is not None
    return await station.runs.get(station.tenant, run_id(called.child))


async def results(station: Station, run: RunId) -> list[ToolMessage]:
    return [one for one in fold(await station.rows(run)).messages if isinstance(one, ToolMessage)]


async def test_another_agent_answers_in_a_run_of_its_own(station: Station) -> None:
    run = await station.submit()
    async with station.worker(ASK):
        ended = await station.until(run)
    assert ended.status is Status.SUCCEEDED
    child = await child_of(station, run)
    assert (child.agent, child.parent, child.status, child.user_id) == ("helper", run, Status.SUCCEEDED, "ann")
    (told,) = await results(station, run)
    assert told.content == (Text("helped"),)
    assert told.label is not None
    assert (told.label.source, told.label.trust) == ("agent:helper", Trust.UNTRUSTED)
    assert "run.parked" in await station.kinds(run)  # its place is given up while the other works


async def test_a_child_has_no_more_than_its_parent_leaves_it(station: Station) -> None:
    run = await station.submit()
    # `refund` is the helper's own tool, and not among those that the desk leaves it.
    helper = {"steps": [{"call": "refund", "arguments": {"order": 7}}, {"text": "helped"}]}
    async with station.worker(ASK, helper=helper):
        assert (await station.until(run)).status is Status.SUCCEEDED
    child = await child_of(station, run)
    (denied,) = [event for event in await station.events(child.id) if isinstance(event, e.ToolDenied)]
    assert denied.decision.rule == "known"
    (admitted,) = [event for event in await station.events(child.id) if isinstance(event, e.RunAdmitted)]
    assert admitted.narrowed is not None
    assert (admitted.narrowed.depth, admitted.narrowed.tools, admitted.narrowed.autonomy) == (
        1,
        ("look",),
        "ask_always",
    )
    assert admitted.narrowed.max_steps is not None
    assert admitted.narrowed.max_steps < station.limits.max_steps
    assert station.tools.calls_of("refund") == 0


async def test_what_a_parent_has_read_taints_its_child(station: Station) -> None:
    script = {
        "steps": [
            {"call": "delegate", "arguments": {"task": "first"}},
            {"call": "delegate", "arguments": {"task": "second"}},
            {"text": "done"},
        ]
    }
    run = await station.submit()
    async with station.worker(script):
        assert (await station.until(run)).status is Status.SUCCEEDED
    tainted: list[bool] = []
    for called in [event for event in await station.events(run) if isinstance(event, e.ToolCalled)]:
        assert called.child is not None
        (admitted,) = [one for one in await station.events(run_id(called.child)) if isinstance(one, e.RunAdmitted)]
        assert admitted.narrowed is not None
        tainted.append(admitted.narrowed.tainted)
    assert tainted == [False, True]


async def test_a_child_knows_which_addresses_its_callers_user_named(station: Station) -> None:
    task = "write to bob@example.com and to eve@example.org"
    script = {"steps": [{"call": "delegate", "arguments": {"task": task}}, {"text": "done"}]}
    run = await station.submit("please write to bob@example.com")
    async with station.worker(script):
        assert (await station.until(run)).status is Status.SUCCEEDED
    child = await child_of(station, run)
    (admitted,) = [event for event in await station.events(child.id) if isinstance(event, e.RunAdmitted)]
    assert admitted.narrowed is not None
    assert admitted.narrowed.vouched == ("bob@example.com",)


async def test_an_agent_that_is_not_there_is_a_failed_call(station: Station) -> None:
    run = await station.submit()
    async with station.worker({"steps": [{"call": "nobody", "arguments": {"task": "x"}}, {"text": "done"}]}):
        assert (await station.until(run)).status is Status.SUCCEEDED
    (failed,) = [event for event in await station.events(run) if isinstance(event, e.ToolFailed)]
    assert failed.code == "no_agent"


async def test_cancelling_goes_down(station: Station) -> None:
    run = await station.submit()
    async with station.worker(ASK, helper=LONG):
        await station.until(run, Status.WAITING_FOR_RETRY)
        child = await child_of(station, run)
        await station.until(child.id, Status.RUNNING)
        await station.runs.cancel(station.tenant, run, "key:op", "enough")
        assert (await station.until(run)).status is Status.CANCELLED
        assert (await station.until(child.id)).status is Status.CANCELLED


async def test_a_child_that_failed_is_told_with_its_reason(station: Station) -> None:
    run = await station.submit()
    async with station.worker(ASK, helper={"steps": [{"fault": "refused_request"}]}):
        assert (await station.until(run)).status is Status.SUCCEEDED
    (told,) = await results(station, run)
    assert told.is_error
    assert isinstance(told.content[0], Text)
    assert told.content[0].text.startswith("helper did not finish its task: failed. Why:")


async def test_a_child_outlives_the_workers_of_its_parent_and_its_own(station: Station) -> None:
    run = await station.submit()
    async with station.worker(ASK, helper=LONG, grace=0.1):
        await station.until(run, Status.WAITING_FOR_RETRY)
        child = await child_of(station, run)
        await station.until(child.id, Status.RUNNING)
    async with station.worker(ASK):
        assert (await station.until(run)).status is Status.SUCCEEDED
    kinds = await station.kinds(run)
    assert kinds.count("tool.called") == 1
    assert kinds.count("tool.answered") == 1
