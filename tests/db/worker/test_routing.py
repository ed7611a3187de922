"""Routes through real workers: who takes which step, and what a switch on a route comes to."""

import asyncio

import pytest

from quarterdeck.releases.records import ModelPin, Route
from quarterdeck.runs import events as e
from quarterdeck.runs.demands import demands_of
from quarterdeck.runs.proof import prove
from quarterdeck.runs.records import Status
from quarterdeck.switches.records import Scope
from tests.db.switches.scene import Levers, add_agent
from tests.db.worker.station import RELEASE, Station

FIRST = {"steps": [{"call": "look", "arguments": {"n": 1}}, {"text": "from the first"}]}
"""What either model would say at the first and at the second step."""
OTHER = {"steps": [{"call": "look", "arguments": {"n": 2}}, {"text": "from the other"}]}


@pytest.fixture
async def levers(station: Station) -> Levers:
    """Whoever operates the station's tenant."""
    await add_agent(station.database, station.tenant)
    return Levers(station.database, station.wakes, station.tenant)


@pytest.fixture
def routed(station: Station) -> Station:
    """The first step goes to another model."""
    station.routes = (Route("quick", ModelPin("help", "h-1"), first_steps=1),)
    return station


async def asked(station: Station) -> list[tuple[str, str, str]]:
    """The route, the model and the reason of each question of a run."""
    run = await station.submit()
    async with station.worker(FIRST, helper=OTHER):
        ended = await station.until(run)
    assert ended.status is Status.SUCCEEDED, ended.why
    rows = await station.rows(run)
    proof = prove(rows, demands_of(await station._find(station.tenant, RELEASE)), ended.last_seq)
    assert proof.gaps == ()
    called = [event for event in await station.events(run) if isinstance(event, e.ModelCalled)]
    return [(one.route, one.model, one.route_why) for one in called]


async def test_each_step_goes_to_the_route_that_fits_and_the_log_says_why(routed: Station):
    assert await asked(routed) == [
        ("quick", "h-1", "`quick` takes the first 1 steps"),
        ("main", "scripted-1", "the release's own model"),
    ]


async def test_a_route_that_is_switched_off_is_stood_in_for_by_the_releases_own_model(routed: Station, levers: Levers):
    switch = await levers.throw(Scope.ROUTE, target="quick")
    why = "`quick` can't be asked (route quick is switched off): the release's own model"
    said = await asked(routed)
    assert [(route, model) for route, model, _ in said] == [("main", "scripted-1"), ("main", "scripted-1")]
    assert said[0][2] == why
    await levers.lift(switch)
    assert (await asked(routed))[0][0] == "quick"


async def test_where_nothing_may_stand_in_the_run_waits_for_the_switch_to_be_lifted(routed: Station, levers: Levers):
    switch = await levers.throw(Scope.ROUTE, target="main")
    run = await routed.submit()
    async with routed.worker(FIRST, helper=OTHER):
        waiting = await routed.until(run, Status.WAITING_FOR_RETRY)
        assert waiting.reason == "switch"
        await asyncio.sleep(0.1)
        await levers.lift(switch)
        ended = await routed.until(run, within=20)
    assert ended.status is Status.SUCCEEDED
