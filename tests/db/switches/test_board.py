"""Boards of several processes on one database: seen within a second, ended by the clock, closed when blind."""

from datetime import UTC, datetime, timedelta

import pytest

from quarterdeck.core.clock import FakeClock
from quarterdeck.core.ids import TenantId, uuid7
from quarterdeck.core.settings import Settings
from quarterdeck.db.following import BELIEVED_FOR
from quarterdeck.db.pool import Database
from quarterdeck.db.urls import urls_of
from quarterdeck.db.wakes import Wakes
from quarterdeck.switches.board import Board
from quarterdeck.switches.records import CLEAR, Action, Changed, InFlight, Scope
from tests.db.runs.scene import new_tenant
from tests.db.switches.scene import Levers, following, until


@pytest.fixture
async def wakes(settings: Settings):
    """Wakes of one process."""
    made = Wakes(urls_of(settings).listen)
    await made.start()
    yield made
    await made.close()


@pytest.fixture
def deaf(settings: Settings) -> Wakes:
    """Wakes that were never started: nothing is heard by them, and nothing is sent."""
    return Wakes(urls_of(settings).listen)


@pytest.fixture
async def tenant(database: Database) -> TenantId:
    return await new_tenant(database)


def denied(board: Board, tenant: TenantId) -> bool:
    return board.standing(tenant, "desk", tool="refund", server="shop").denied is not None


async def test_a_switch_is_seen_by_every_board_well_within_a_second(
    database: Database, settings: Settings, wakes: Wakes, tenant: TenantId
):
    other = Wakes(urls_of(settings).listen)
    await other.start()
    levers = Levers(database, wakes, tenant)
    # Nobody looks by the clock here, so what is seen is seen because of the wake.
    async with following(database, wakes, period=60) as one, following(database, other, period=60) as two:
        assert one.standing(tenant, "desk", tool="refund") == CLEAR
        switch = await levers.throw()
        assert await until(lambda: denied(one, tenant) and denied(two, tenant)) < 1.0
        assert one.seen_at(switch.id) is not None
        assert two.seen_at(switch.id) is not None
        await levers.lift(switch)
        assert await until(lambda: not denied(one, tenant) and not denied(two, tenant)) < 1.0
    await other.close()


async def test_without_a_single_wake_it_is_seen_within_a_second_all_the_same(
    database: Database, deaf: Wakes, tenant: TenantId
):
    levers = Levers(database, deaf, tenant)
    async with following(database, deaf) as one, following(database, deaf) as two:
        switch = await levers.throw()
        assert await until(lambda: denied(one, tenant) and denied(two, tenant)) < 1.5
        await levers.lift(switch)
        assert await until(lambda: not denied(one, tenant) and not denied(two, tenant)) < 1.5


async def test_a_board_sees_every_tenants_switches_and_applies_each_to_its_own(
    database: Database, deaf: Wakes, tenant: TenantId
):
    other = await new_tenant(database)
    await Levers(database, deaf, other).throw()
    everything = await Levers(database, deaf, tenant).throw(Scope.EVERYTHING, Action.READ_ONLY)
    async with following(database, deaf) as board:
        assert denied(board, other)
        assert not denied(board, tenant)
        assert board.standing(tenant, "desk").read_only
        assert board.standing_in(tenant) == [everything]
        assert len(board.standing_in(None)) == 2


async def test_what_has_run_out_is_off_the_board_at_once(database: Database, deaf: Wakes, tenant: TenantId):
    clock = FakeClock()
    async with following(database, deaf, clock, period=60) as board:
        await Levers(database, deaf, tenant).throw(until=datetime.now(UTC) + timedelta(hours=1))
        await board.look()
        told: list[Changed] = []
        board.listen(told.append)
        clock.advance(timedelta(minutes=59))
        await board.look()  # the database's clock has not moved: an hour from now again
        assert denied(board, tenant)
        clock.advance(timedelta(minutes=60, seconds=1))
        assert not denied(board, tenant)
        assert [len(change.gone) for change in told] == [1]


async def test_the_machines_wall_clock_does_not_end_a_switch(database: Database, deaf: Wakes, tenant: TenantId):
    far_ahead = FakeClock(datetime.now(UTC) + timedelta(days=400))
    async with following(database, deaf, far_ahead) as board:
        await Levers(database, deaf, tenant).throw(until=datetime.now(UTC) + timedelta(hours=1))
        await board.look()
        assert denied(board, tenant)


async def test_a_board_that_has_never_looked_knows_nothing(database: Database, deaf: Wakes, tenant: TenantId):
    board = Board(database, deaf)
    assert not board.known
    assert not board.standing(tenant, "desk", tool="refund").known


async def test_a_board_that_can_not_look_for_five_seconds_says_that_it_does_not_know(
    database: Database, deaf: Wakes, tenant: TenantId
):
    clock = FakeClock()
    await Levers(database, deaf, tenant).throw()
    async with following(database, deaf, clock, period=60) as board:
        found = board.standing(tenant, "desk", tool="refund")
        assert found.known
        clock.advance(timedelta(seconds=BELIEVED_FOR))
        assert board.standing(tenant, "desk", tool="refund").known
        clock.advance(timedelta(seconds=0.1))
        blind = board.standing(tenant, "desk", tool="refund")
        assert (blind.known, blind.denied) == (False, found.denied)
        assert not board.standing(tenant, "desk", tool="look").known
        await board.look()
        assert board.standing(tenant, "desk", tool="refund").known


async def test_a_database_that_is_away_closes_the_board_and_its_return_opens_it(settings: Settings, deaf: Wakes):
    own = await Database.open(urls_of(settings), size=2)
    tenant = TenantId(uuid7())
    clock = FakeClock()
    async with following(own, deaf, clock, period=0.05) as board:
        assert board.standing(tenant, "desk").known
        own.terminate()
        clock.advance(timedelta(seconds=BELIEVED_FOR + 1))
        await until(lambda: not board.standing(tenant, "desk").known)
        again = await Database.open(urls_of(settings), size=2)
        own.system.pool = again.system.pool
        await until(lambda: board.standing(tenant, "desk").known)
        await again.close()


async def test_who_listens_is_told_each_change_once(database: Database, deaf: Wakes, tenant: TenantId):
    levers = Levers(database, deaf, tenant)
    async with following(database, deaf, period=60) as board:
        told: list[Changed] = []

        def broken(_: Changed) -> None:
            raise RuntimeError("a listener's own affair")

        board.listen(broken)
        stop = board.listen(told.append)
        first = await levers.throw(in_flight=InFlight.CANCEL)
        await board.look()
        await board.look()
        second = await levers.throw(Scope.TENANT, Action.READ_ONLY)
        await levers.lift(first)
        await board.look()
        assert [change.thrown for change in told] == [(first,), (second,)]
        assert [[one.id for one in change.gone] for change in told] == [[], [first.id]]
        stop()
        await levers.lift(second)
        await board.look()
        assert len(told) == 2


async def test_how_late_a_switch_was_seen_can_be_told(database: Database, deaf: Wakes, tenant: TenantId):
    async with following(database, deaf, period=60) as board:
        switch = await Levers(database, deaf, tenant).throw()
        await board.look()
        seen = board.seen_at(switch.id)
        assert seen is not None
        assert timedelta() <= seen - switch.thrown_at < timedelta(seconds=5)
