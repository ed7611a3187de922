"""What is kept of switches, who reaches which row, and whom they hold back and let go."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import cast

import asyncpg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from quarterdeck.core.ids import AgentName, RunId, TenantId, UserId
from quarterdeck.core.json import encode_text
from quarterdeck.core.settings import Settings
from quarterdeck.db.pool import Database
from quarterdeck.db.urls import urls_of
from quarterdeck.db.wakes import Wakes
from quarterdeck.runs import log
from quarterdeck.runs.events import Event, RunParked, RunReleased
from quarterdeck.runs.fold import fold
from quarterdeck.runs.log import Departure, Hold
from quarterdeck.runs.records import Run, Status
from quarterdeck.switches import service, store
from quarterdeck.switches.records import Action, Scope, Switch, SwitchLifted, TooManySwitches, Wanted
from quarterdeck.switches.rules import holding, index
from quarterdeck.switches.service import Switches
from tests.db.runs.scene import Heard, Scene, new_tenant
from tests.db.switches.scene import Levers, add_agent
from tests.unit.switches.made import ACME, OTHER, switches


@pytest.fixture
async def levers(scene: Scene, settings: Settings) -> Levers:
    """Whoever operates the scene's tenant, which has the agent `desk`."""
    await add_agent(scene.database, scene.tenant)
    return Levers(scene.database, Wakes(urls_of(settings).listen), scene.tenant)


RunOut = Callable[[Switch], Awaitable[None]]


@pytest.fixture
def run_out(owner_url: str) -> RunOut:
    """Lets a switch's time have passed a second ago, which only the tables' owner may write."""

    async def act(switch: Switch) -> None:
        owner = await asyncpg.connect(owner_url)
        await owner.execute("UPDATE qd.switches SET until = now() - interval '1 s' WHERE id = $1", switch.id)
        await owner.close()

    return act


async def refused(database: Database, tenant: TenantId, statement: str, *args: object) -> bool:
    try:
        async with database.tenant(tenant) as tx:
            return (await tx.execute(statement, *args)).endswith(" 0")
    except asyncpg.InsufficientPrivilegeError:
        return True


async def test_a_tenant_reads_what_hits_it_and_nothing_of_others(scene: Scene, levers: Levers):
    other = await new_tenant(scene.database)
    theirs = await Levers(scene.database, levers.switches.wakes, other).throw()
    own, everybody = await levers.throw(), await levers.throw(Scope.EVERYTHING)
    async with scene.database.tenant(scene.tenant) as tx:
        rows = await tx.fetch("SELECT id FROM qd.switches")
        assert {row["id"] for row in rows} == {own.id, everybody.id}
        assert await store.find(tx, scene.tenant, theirs.id) is None


async def test_a_tenant_writes_no_row_of_the_deployment_and_none_of_others(scene: Scene, levers: Levers):
    other = await new_tenant(scene.database)
    make = (
        "INSERT INTO qd.switches (id, tenant, deployment, scope, target, action, why, thrown_by)"
        " VALUES (gen_random_uuid(), $1, $2, 'tool', 'refund', 'disable', 'x', 'key:k')"
    )
    assert not await refused(scene.database, scene.tenant, make, scene.tenant, False)
    for tenant, deployment in ((scene.tenant, True), (None, True), (other, False)):
        assert await refused(scene.database, scene.tenant, make, tenant, deployment)


async def test_a_tenant_lifts_its_own_rows_only_even_past_the_service(scene: Scene, levers: Levers):
    everybody = await levers.throw(Scope.EVERYTHING)
    paused = await levers.throw(Scope.TENANT, deployment=True)
    own = await levers.throw()
    lift = "UPDATE qd.switches SET lifted_at = now() WHERE id = $1"
    assert await refused(scene.database, scene.tenant, lift, everybody.id)
    assert await refused(scene.database, scene.tenant, lift, paused.id)
    assert not await refused(scene.database, scene.tenant, lift, own.id)


async def test_nobody_rewrites_the_history(scene: Scene, levers: Levers):
    own = await levers.throw()
    for statement in (
        "UPDATE qd.switches SET why = 'nothing happened' WHERE id = $1",
        "UPDATE qd.switches SET thrown_by = 'key:other' WHERE id = $1",
        "DELETE FROM qd.switches WHERE id = $1",
    ):
        assert await refused(scene.database, scene.tenant, statement, own.id)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with scene.database.system.transaction() as tx:
                await tx.execute(statement, own.id)


async def test_no_more_stand_in_a_tenant_than_every_process_can_keep(
    scene: Scene, levers: Levers, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(service, "MOST_STANDING", 2)
    first = await levers.throw()
    await levers.throw()
    with pytest.raises(TooManySwitches):
        await levers.throw()
    await Levers(scene.database, levers.switches.wakes, await new_tenant(scene.database)).throw()
    await levers.throw(Scope.EVERYTHING)
    await levers.lift(first)
    await levers.throw()


async def test_of_two_who_lift_a_switch_one_does(scene: Scene, levers: Levers):
    own = await levers.throw()
    lifted = await levers.lift(own)
    assert (lifted.lifted_by, lifted.lifted_why) == ("key:k", "over")
    with pytest.raises(SwitchLifted):
        await levers.lift(own)


async def test_what_has_run_out_is_lifted_by_the_clock_as_of_its_time(scene: Scene, levers: Levers, run_out: RunOut):
    soon = await levers.throw(until=datetime.now(UTC) + timedelta(hours=1))
    stays = await levers.throw(Scope.TENANT)
    assert await levers.switches.expire_due() == 0
    await run_out(soon)
    assert await levers.switches.expire_due() == 1
    assert await levers.switches.expire_due() == 0
    async with scene.database.tenant(scene.tenant) as tx:
        found = await store.find(tx, scene.tenant, soon.id)
        assert [one.id for one in (await store.read_standing(tx, scene.tenant)).switches] == [stays.id]
    assert found is not None
    assert (found.lifted_by, found.lifted_at) == ("clock", found.until)


@pytest.mark.parametrize("scope", [Scope.AGENT, Scope.TENANT, Scope.EVERYTHING])
async def test_a_paused_run_stays_queued_until_the_switch_is_lifted(scene: Scene, levers: Levers, scope: Scope):
    await scene.worker()
    run = await scene.submit()
    switch = await levers.throw(scope)
    await scene.admit()
    assert await scene.delivered() == set()
    assert (await scene.read(run.id)).status is Status.QUEUED
    await levers.lift(switch)
    await scene.admit()
    assert await scene.delivered() == {run.id}


async def test_an_agents_switch_leaves_other_agents_and_tenants_alone(scene: Scene, levers: Levers):
    quiet = Scene(scene.database, await new_tenant(scene.database))
    await scene.worker()
    for _ in range(250):  # more than one look considers: those held must not hide the one behind them
        await scene.submit()
    other = await scene.submit(agent=AgentName("till"))
    theirs = await quiet.submit()
    await levers.throw(Scope.AGENT)
    await scene.admit()
    assert await scene.delivered() == {other.id}
    assert await quiet.delivered() == {theirs.id}


async def test_new_runs_are_paused_and_those_that_have_begun_go_on(scene: Scene, levers: Levers):
    _, hold = await scene.executing()
    await leave(scene, hold, Departure(Status.QUEUED), RunReleased(why="drain"))
    child = await scene.submit(parent=hold.run)
    new = await scene.submit()
    await levers.throw(Scope.TENANT, Action.PAUSE_NEW)
    await scene.admit()
    assert await scene.delivered() == {hold.run, child.id}
    assert new.id not in await scene.delivered()


async def test_background_runs_are_stopped_and_others_admitted(scene: Scene, levers: Levers):
    await scene.worker()
    background = await scene.submit(priority=-1)
    plain = await scene.submit()
    switch = await levers.throw(Scope.EVERYTHING, Action.STOP_BACKGROUND)
    await scene.admit()
    assert await scene.delivered() == {plain.id}
    await levers.lift(switch)
    await scene.admit()
    assert await scene.delivered() == {plain.id, background.id}


async def test_admission_goes_by_the_clock_and_does_not_wait_for_the_chore(
    scene: Scene, levers: Levers, run_out: RunOut
):
    await scene.worker()
    run = await scene.submit()
    switch = await levers.throw(Scope.TENANT, until=datetime.now(UTC) + timedelta(hours=1))
    await scene.admit()
    assert await scene.delivered() == set()
    await run_out(switch)
    await scene.admit()
    assert await scene.delivered() == {run.id}


async def test_a_run_that_is_to_end_is_not_held_back_from_ending(scene: Scene, levers: Levers):
    await scene.worker()
    run = await scene.submit()
    async with scene.database.tenant(scene.tenant) as tx:
        await tx.execute("UPDATE qd.runs SET cancel_requested_at = now() WHERE id = $1", run.id)
    await levers.throw(Scope.AGENT)
    await scene.admit()
    assert await scene.delivered() == {run.id}


async def leave(scene: Scene, hold: Hold, to: Departure, event: Event) -> None:
    """A worker gives a run up."""
    state = fold(await scene.log(hold.run))
    async with scene.database.tenant(hold.tenant) as tx:
        await log.leave(tx, hold, [event], state, "read", to)


async def parked(scene: Scene, reason: str = "switch", agent: str = "desk") -> Run:
    """A run that a worker has put off for an hour."""
    _, hold = await scene.executing(agent=AgentName(agent))
    later = datetime.now(UTC) + timedelta(hours=1)
    to = Departure(Status.WAITING_FOR_RETRY, reason, "not now", available_at=later)
    await leave(scene, hold, to, RunParked(status=Status.WAITING_FOR_RETRY, why="not now"))
    return await scene.read(hold.run)


async def test_lifting_lets_parked_runs_go_on_at_once_and_wakes_admission(scene: Scene, levers: Levers):
    heard = Heard()
    levers.switches = Switches(scene.database, cast("Wakes", heard), levers.switches.clock)
    held, other = await parked(scene), await parked(scene, "rate")
    switch = await levers.throw(Scope.AGENT)
    assert heard.sent == [("qd_switch", 1)]
    await levers.lift(switch)
    assert heard.sent[1:] == [("qd_switch", 1), ("qd_admit", 1)]
    await scene.admit()
    assert await scene.delivered() == {held.id}
    assert (await scene.read(other.id)).available_at > datetime.now(UTC)


async def test_lifting_an_agents_switch_touches_no_run_of_another_agent(scene: Scene, levers: Levers):
    till = await parked(scene, agent="till")
    switch = await levers.throw(Scope.AGENT)
    await levers.lift(switch)
    assert (await scene.read(till.id)).available_at > datetime.now(UTC)


async def test_a_run_that_was_parked_just_after_the_lift_does_not_wait_for_long(scene: Scene, levers: Levers):
    switch = await levers.throw(Scope.TOOL)
    await levers.lift(switch)
    late, other = await parked(scene), await parked(scene, "rate")
    await levers.switches.expire_due()
    await scene.admit()
    assert await scene.delivered() == {late.id}
    assert (await scene.read(other.id)).available_at > datetime.now(UTC)


async def test_a_switch_that_has_run_out_lets_its_runs_go_on(scene: Scene, levers: Levers, run_out: RunOut):
    switch = await levers.throw(Scope.TOOL, until=datetime.now(UTC) + timedelta(hours=1))
    held = await parked(scene)
    await run_out(switch)
    await levers.switches.expire_due()
    await scene.admit()
    assert await scene.delivered() == {held.id}


@effort(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(thrown=st.lists(switches(), max_size=5))
async def test_admission_and_the_rule_agree_about_every_run(scene: Scene, thrown: list[Switch]):
    """The query has its own words for `rules.holding`: whatever is thrown, both hold the same runs."""
    tenants = {ACME: scene.tenant, OTHER: await new_tenant(scene.database)}
    runs: list[Run] = []
    async with scene.database.system.transaction() as tx:
        await tx.execute("UPDATE qd.switches SET lifted_at = now() WHERE lifted_at IS NULL")
        await tx.execute("DELETE FROM qd.runs")
    for tenant in tenants.values():
        place = Scene(scene.database, tenant)
        for agent in ("desk", "till"):
            for priority in (0, -1):
                for started in (False, True):
                    run = await place.submit(agent=AgentName(agent), priority=priority, user_id=UserId("ann"))
                    if started:
                        async with scene.database.system.transaction() as tx:
                            await tx.execute("UPDATE qd.runs SET started_at = now() WHERE id = $1", run.id)
                    runs.append(await place.read(run.id))
    here = [Switch(**{**fields(one), "tenant": tenants.get(one.tenant) if one.tenant else None}) for one in thrown]
    await put(scene.database, here)
    await scene.worker(capacity=1_000)
    await scene.admit()
    async with scene.database.system.transaction() as tx:
        rows = await tx.fetch("SELECT id FROM qd.runs WHERE delivered_at IS NOT NULL")
        delivered = {RunId(row["id"]) for row in rows}
        await tx.execute("DELETE FROM qd.workers")
    found = index(here)
    free = {
        run.id
        for run in runs
        if holding(found, run.tenant, run.agent, fresh=run.started_at is None, background=run.priority < 0) is None
    }
    assert delivered == free


def fields(switch: Switch) -> dict[str, object]:
    return {name: getattr(switch, name) for name in Switch.__slots__}


async def put(database: Database, thrown: list[Switch]) -> None:
    """Rows as they are, past the judgement of the service."""
    async with database.system.transaction() as tx:
        for one in thrown:
            await tx.execute(
                "INSERT INTO qd.switches (id, tenant, deployment, scope, target, agent, action, value, why, thrown_by)"
                " VALUES (gen_random_uuid(), $1, $2, $3, $4, $5, $6, $7::jsonb, 'x', 'key:k')",
                *(one.tenant, one.deployment, one.scope, one.target, one.agent, one.action, encode_text(one.value)),
            )


def wanted_tool(tenant: TenantId, tool: str) -> Wanted:
    return Wanted(Scope.TOOL, Action.DISABLE, "because", tool, tenant=tenant)


async def log_calls(database: Database, tenant: TenantId, run: RunId) -> None:
    """Two calls in a run's log, of which the first has come to its end."""
    kinds = [("tool.called", "a", "look"), ("tool.called", "b", "refund"), ("tool.answered", "a", None)]
    async with database.system.transaction() as tx:
        last = await tx.fetchval("UPDATE qd.runs SET last_seq = last_seq + 3 WHERE id = $1 RETURNING last_seq", run)
        for at, (kind, call, tool) in enumerate(kinds):
            await tx.execute(
                "INSERT INTO qd.run_events (tenant, run, seq, attempt, kind, data) VALUES ($1, $2, $3, 1, $4, $5)",
                *(tenant, run, last - 2 + at, kind, encode_text({"call": call, "tool": tool})),
            )


async def test_a_preview_counts_runs_and_calls_of_real_rows(scene: Scene, levers: Levers):
    release = "cd" * 32
    manifest = {
        "model": {"provider": "p", "id": "m-1"},
        "tools": [{"name": "refund", "server": "shop"}, {"name": "look", "server": "shop"}],
    }
    async with scene.database.tenant(scene.tenant) as tx:
        await tx.execute(
            "INSERT INTO qd.releases (tenant, id, agent, manifest, registered_by) VALUES ($1, $2, 'desk', $3, 'key:k')",
            *(scene.tenant, release, encode_text(manifest)),
        )
    worker, hold = await scene.executing(release=release)
    await scene.submit(release=release)
    await log_calls(scene.database, scene.tenant, hold.run)
    async with scene.database.tenant(scene.tenant) as tx:
        found = await levers.switches.preview(tx, wanted_tool(scene.tenant, "refund"))
        assert (found.agents, found.tools) == (("desk",), ("refund",))
        assert (found.running_runs, found.queued_runs, found.waiting_runs, found.calls_in_flight) == (1, 1, 0, 1)
        assert (await levers.switches.preview(tx, wanted_tool(scene.tenant, "look"))).calls_in_flight == 0
    assert worker.id == hold.worker
