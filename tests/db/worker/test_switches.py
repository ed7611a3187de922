"""Switches against real workers: what they stop, what they let finish, and that all of it goes on afterwards."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from quarterdeck.core.ids import RunId
from quarterdeck.runs import events as e
from quarterdeck.runs.records import Status
from quarterdeck.switches.records import Action, InFlight, Scope
from quarterdeck.tools.records import Answered, ToolRequest, Unknown
from tests.db.switches.scene import Levers, add_agent
from tests.db.worker.station import Station
from tests.fakes.toolbox import answered

LOOK_TWICE = {"steps": [{"call": "look", "arguments": {"n": "{n}"}, "times": 2}, {"text": "done"}]}
PAY = {"steps": [{"call": "pay", "arguments": {"amount": 5}}, {"text": "paid"}]}


@pytest.fixture
async def levers(station: Station) -> Levers:
    """Whoever operates the station's tenant."""
    await add_agent(station.database, station.tenant)
    return Levers(station.database, station.wakes, station.tenant)


class Held:
    """A tool that waits in its first call until a test lets it go, or its gate cancels it."""

    def __init__(self) -> None:
        self.called = asyncio.Event()
        self.go_on = asyncio.Event()
        self.cancelled = 0

    async def __call__(self, request: ToolRequest, cancel: asyncio.Event | None) -> Answered | Unknown:
        del request
        self.called.set()
        assert cancel is not None
        ways = [asyncio.ensure_future(one.wait()) for one in (self.go_on, cancel)]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        if cancel.is_set():
            self.cancelled += 1
            return Unknown("it was cancelled on its way", 1)
        return answered()


async def reason_of(station: Station, run: RunId, status: Status) -> tuple[str | None, str]:
    found = await station.until(run, status)
    return found.reason, found.why


async def test_a_run_between_two_steps_waits_and_goes_on_as_soon_as_the_switch_is_lifted(
    station: Station, levers: Levers
):
    station.tools.tools["look"] = held = Held()
    run = await station.submit()
    async with station.worker(LOOK_TWICE):
        await asyncio.wait_for(held.called.wait(), 5)
        switch = await levers.throw(Scope.AGENT)
        await asyncio.sleep(0.3)
        held.go_on.set()
        reason, why = await reason_of(station, run, Status.WAITING_FOR_RETRY)
        assert (reason, why) == ("switch", "agent desk is switched off: because")
        assert "tool.answered" in await station.kinds(run), "the call under way was to finish"
        await asyncio.sleep(1.5)
        assert (await station.runs.get(station.tenant, run)).status is Status.WAITING_FOR_RETRY
        await levers.lift(switch)
        assert (await station.until(run, within=5)).status is Status.SUCCEEDED


async def test_when_the_time_of_a_switch_has_run_out_its_runs_go_on_by_themselves(station: Station, levers: Levers):
    run = await station.submit()
    await levers.throw(Scope.AGENT, until=datetime.now(UTC) + timedelta(seconds=2))
    async with station.worker(LOOK_TWICE):
        assert (await station.until(run, within=8)).status is Status.SUCCEEDED
        # The run goes on by the board's clock; the switch's own row is written by the next round of a chore.
        async with asyncio.timeout(5):
            while (lifted_by := await _lifted_by(station)) is None:
                await asyncio.sleep(0.05)
    assert lifted_by == "clock"


async def _lifted_by(station: Station) -> str | None:
    async with station.database.tenant(station.tenant) as tx:
        return await tx.fetchval("SELECT lifted_by FROM qd.switches")


async def test_a_tool_that_is_switched_off_is_refused_and_the_run_goes_on_without_it(station: Station, levers: Levers):
    await levers.throw(Scope.TOOL, target="pay")
    run = await station.submit()
    async with station.worker(PAY):
        assert (await station.until(run)).status is Status.SUCCEEDED
    denied = [event for event in await station.events(run) if isinstance(event, e.ToolDenied)]
    assert [(one.decision.rule, one.decision.reason) for one in denied] == [("switch", "tool pay is switched off")]
    assert await station.ledger(run) == {}


async def test_a_call_under_way_is_cancelled_where_that_was_chosen_and_is_accounted_for(
    station: Station, levers: Levers
):
    station.tools.tools["pay"] = held = Held()
    run = await station.submit()
    async with station.worker(PAY):
        await asyncio.wait_for(held.called.wait(), 5)
        await levers.throw(Scope.TOOL, target="pay", in_flight=InFlight.CANCEL)
        await station.until(run, Status.WAITING_FOR_OUTCOME, within=5)
    assert held.cancelled == 1
    assert await station.ledger(run) == {"pay": "unknown"}


async def test_steps_are_capped_from_the_next_one_on(station: Station, levers: Levers):
    station.tools.tools["look"] = held = Held()
    run = await station.submit()
    async with station.worker(LOOK_TWICE):
        await asyncio.wait_for(held.called.wait(), 5)
        await levers.throw(Scope.AGENT, Action.CAP_STEPS, value=1)
        await asyncio.sleep(0.3)
        held.go_on.set()
        ended = await station.until(run)
    assert (ended.status, ended.reason, ended.steps_used) == (Status.STOPPED, "steps", 1)


async def test_new_runs_wait_while_those_under_way_go_on(station: Station, levers: Levers):
    station.tools.tools["look"] = held = Held()
    begun = await station.submit()
    async with station.worker(LOOK_TWICE):
        await asyncio.wait_for(held.called.wait(), 5)
        switch = await levers.throw(Scope.TENANT, Action.PAUSE_NEW)
        new = await station.submit()
        held.go_on.set()
        assert (await station.until(begun)).status is Status.SUCCEEDED
        await asyncio.sleep(1.2)
        assert (await station.runs.get(station.tenant, new)).status is Status.QUEUED
        await levers.lift(switch)
        assert (await station.until(new)).status is Status.SUCCEEDED
