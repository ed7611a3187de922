"""Live budgets as people set them and processes learn of them, and the test that every process makes of itself."""

import asyncio

import pytest

from quarterdeck.budgets import limits, store, store_budgets
from quarterdeck.budgets.records import (
    BadBudget,
    Budget,
    BudgetsNotKept,
    BudgetsUnknown,
    NoSuchBudget,
    Reserved,
    Scope,
    Spender,
    TooManyBudgets,
)
from quarterdeck.budgets.service import Budgets
from quarterdeck.core.clock import FakeClock, SystemClock
from quarterdeck.core.errors import Misconfigured
from quarterdeck.core.ids import TenantId, uuid7
from quarterdeck.core.settings import Settings
from quarterdeck.db.pool import Database
from quarterdeck.db.wakes import Wakes


def wanted(tenant: TenantId | None, scope: Scope = Scope.USER, most: int = 100, **more) -> Budget:
    return Budget("b", scope, max_micro_usd=most, why="x", set_by="key:k", tenant=tenant, **more)


def spender(tenant: TenantId) -> Spender:
    return Spender(tenant, "desk", "r", "ann", None, str(uuid7()))


def anything(_: Budget | None) -> None:
    """Any change may be made."""


async def put(database: Database, wakes: Wakes, budget: Budget) -> Budget:
    side = database.system.transaction() if budget.tenant is None else database.tenant(budget.tenant)
    async with side as tx:
        return await limits.put(tx, budget, anything, wakes)


async def until(holds) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.01)


async def test_processes_learn_at_once_of_a_budget_that_is_set_and_removed(wide, wakes, budgets: Budgets, tenant):
    assert budgets.lines(spender(tenant), []) == ()
    made = await put(wide, wakes, wanted(tenant))
    await until(lambda: budgets.lines(spender(tenant), []))
    (line,) = budgets.lines(spender(tenant), [])
    assert (line.name, line.limit, line.budget) == ("b", 100, made.id)
    assert budgets.lines(spender(TenantId(uuid7())), []) == ()
    async with wide.tenant(tenant) as tx:
        await limits.remove(tx, tenant, "b", anything, wakes, by="key:k")
    await until(lambda: not budgets.lines(spender(tenant), []))


async def test_a_budget_that_is_set_anew_keeps_its_id_and_what_was_counted(wide, wakes, tenant):
    first = await put(wide, wakes, wanted(tenant, most=100))
    second = await put(wide, wakes, wanted(tenant, most=200))
    assert (first.id, second.max_micro_usd) == (second.id, 200)
    assert first.updated_at
    assert second.updated_at
    assert second.updated_at > first.updated_at


async def test_changes_are_audited_with_who_made_them_and_what_was_before(wide, wakes, tenant):
    await put(wide, wakes, wanted(tenant, most=100))
    await put(wide, wakes, wanted(tenant, most=200))
    await put(wide, wakes, wanted(None, Scope.EVERYTHING))
    async with wide.tenant(tenant) as tx:
        await limits.remove(tx, tenant, "b", anything, wakes, by="key:other")
    async with wide.system.transaction() as tx:
        rows = await tx.fetch("SELECT kind, actor, target FROM qd.audit_waiting WHERE tenant = $1 ORDER BY at", tenant)
        of_all = await tx.fetchval("SELECT count(*) FROM qd.audit_waiting WHERE tenant <> $1", tenant)
    assert [tuple(row) for row in rows] == [
        ("budget.set", "key:k", "budget:b"),
        ("budget.set", "key:k", "budget:b"),
        ("budget.removed", "key:other", "budget:b"),
    ]
    assert of_all == 1


async def test_a_tenant_can_set_no_budget_of_everything_and_see_only_what_hits_it(wide: Database, wakes, tenant):
    with pytest.raises(BadBudget):
        await put(wide, wakes, wanted(tenant, Scope.EVERYTHING))
    async with wide.system.transaction() as tx:
        other = TenantId(uuid7())
        columns = "(tenant, slug, name, blob_key)"
        await tx.execute(f"INSERT INTO qd.tenants {columns} VALUES ($1, 'other', 'Other', 'k')", other)
    await put(wide, wakes, wanted(None, Scope.TENANT, target="other"))
    async with wide.tenant(tenant) as tx:
        assert await store_budgets.hitting(tx, tenant) == []
        assert await tx.fetch("SELECT FROM qd.budgets") == []
    async with wide.tenant(other) as tx:
        assert [one.target for one in await store_budgets.hitting(tx, other)] == ["other"]
    with pytest.raises(BadBudget):
        await put(wide, wakes, wanted(None, Scope.TENANT, target="nobody"))


async def test_what_is_not_there_can_not_be_removed_and_too_many_are_refused(wide, wakes, tenant, monkeypatch):
    async with wide.tenant(tenant) as tx:
        with pytest.raises(NoSuchBudget):
            await limits.find(tx, tenant, "b")
        with pytest.raises(NoSuchBudget):
            await limits.remove(tx, tenant, "b", anything, wakes, by="x")
    monkeypatch.setattr(limits, "MOST", 0)
    with pytest.raises(TooManyBudgets):
        await put(wide, wakes, wanted(tenant))


async def test_a_process_that_could_not_look_for_a_while_spends_nothing(wide, wakes, settings: Settings, tenant):
    clock = FakeClock()
    made = Budgets(wide, wakes, clock, settings)
    with pytest.raises(BudgetsUnknown):
        made.lines(spender(tenant), [])
    assert not made.known
    await made.start()
    try:
        assert made.lines(spender(tenant), []) == ()
    finally:
        await made.close()
    clock._boot += 6
    with pytest.raises(BudgetsUnknown):
        made.lines(spender(tenant), [])


async def test_a_process_in_which_budgets_do_not_hold_does_not_start(budgets: Budgets, monkeypatch):
    async def let_through(*_: object, **__: object) -> Reserved:
        return Reserved()

    monkeypatch.setattr(store, "reserve", let_through)
    with pytest.raises(BudgetsNotKept, match="Budgets do not hold here"):
        await budgets.self_test()


async def test_the_test_also_finds_a_database_that_lost_its_limits(budgets: Budgets, monkeypatch):
    """A statement that no longer compares."""
    monkeypatch.setattr(store, "RESERVE", store.RESERVE.replace("h.used + l.amount\n", "0\n"))
    with pytest.raises(BudgetsNotKept):
        await budgets.self_test()


async def test_a_time_zone_that_is_none_is_refused_at_the_start(wide, wakes, settings: Settings):
    wrong = settings.model_copy(update={"budget_time_zone": "Europe/Atlantis"})
    with pytest.raises(Misconfigured, match="TIME_ZONE"):
        Budgets(wide, wakes, SystemClock(), wrong)
