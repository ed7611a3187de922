"""Which limits a call spends from, how a hot limit is parted, and which budgets can hold."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.budgets.records import INHERITED, BadBudget, Budget, Line, Scope, Spender, Unit, Window
from quarterdeck.budgets.rules import FEWEST, Live, Slot, has_room, lines, part, regrant, settle
from quarterdeck.core.ids import TenantId, uuid7

ACME, OTHER = TenantId(uuid7()), TenantId(uuid7())
SPENDER = Spender(ACME, "desk", "r1", "ann", "thread-1", "run-1")


@dataclass(frozen=True)
class Limit:
    """What a release declares."""

    scope: str
    window: str = "total"
    max_micro_usd: int | None = None
    max_tokens: int | None = None


def budget(scope: Scope = Scope.USER, **more: Any) -> Budget:
    found = Budget("b", scope, max_micro_usd=2_000_000, tenant=None if scope is Scope.EVERYTHING else ACME, id=uuid7())
    return replace(found, **more)


def of(*budgets: Budget, spender: Spender = SPENDER) -> tuple[Line, ...]:
    everywhere, own = Live.by_tenant(budgets)
    return lines(spender, [], [everywhere, own.get(spender.tenant, Live())])


def test_each_declared_limit_is_a_line_of_the_one_that_spends():
    found = lines(
        SPENDER,
        [
            Limit("request", max_tokens=9),
            Limit("run", max_micro_usd=5),
            Limit("user", "day", 7),
            Limit("agent", "day", 8),
        ],
        [],
    )
    assert [(line.scope, line.whose, line.unit, line.limit) for line in found] == [
        (Scope.REQUEST, "run-1", Unit.TOKENS, 9),
        (Scope.RUN, "run-1", Unit.USD, 5),
        (Scope.USER, "ann", Unit.USD, 7),
        (Scope.AGENT, "desk", Unit.USD, 8),
    ]


def test_a_run_outside_of_threads_has_no_line_for_one():
    declared = [Limit("thread", max_micro_usd=5)]
    assert len(lines(SPENDER, declared, [])) == 1
    assert lines(replace(SPENDER, thread=None), declared, []) == ()


def test_of_two_limits_on_the_same_thing_the_lower_holds_and_is_counted_once():
    found = lines(SPENDER, [Limit("run", max_micro_usd=5), Limit("run", max_micro_usd=3)], [])
    assert [line.limit for line in found] == [3]
    found = lines(SPENDER, [Limit("run", max_micro_usd=5)], [], run_cap=2)
    assert [line.limit for line in found] == [2]
    found = lines(SPENDER, [Limit("run", max_micro_usd=5)], [], run_cap=9)
    assert [line.limit for line in found] == [5]


def test_a_cap_holds_where_nothing_was_declared_and_counts_what_was_spent_before():
    (found,) = lines(SPENDER, [], [], run_cap=2, run_spent=1)
    assert (found.scope, found.limit, found.before) == (Scope.RUN, 2, 1)


def test_a_child_spends_from_its_ancestors_limits_as_they_stand():
    child = replace(SPENDER, run="run-3", ancestors=("run-1", "run-2"))
    found = lines(child, [Limit("run", max_micro_usd=5)], [])
    own = [line for line in found if line.whose == "run-3"]
    assert [(line.limit, line.unit) for line in own] == [(5, Unit.USD)]
    inherited = {(line.whose, line.unit) for line in found if line.limit == INHERITED}
    assert inherited == {(run, unit) for run in ("run-1", "run-2") for unit in (Unit.USD, Unit.TOKENS)}
    parents = lines(SPENDER, [Limit("run", max_micro_usd=5)], [])
    assert parents[0].account in {line.account for line in found}


def test_a_live_budget_of_runs_holds_for_each_ancestor_with_its_limit():
    child = replace(SPENDER, run="run-3", ancestors=("run-1",))
    live = budget(Scope.RUN)
    found = [line for line in of(live, spender=child) if line.budget == live.id]
    assert [(line.whose, line.limit) for line in found] == [("run-1", 2_000_000), ("run-3", 2_000_000)]


def test_a_budget_for_each_one_and_one_for_a_name_count_apart():
    everybody, ann, bob = budget(), budget(name="ann", target="ann"), budget(name="bob", target="bob")
    found = of(everybody, ann, bob)
    assert [line.budget for line in found] == [ann.id, everybody.id]
    assert found[0].account != found[1].account


def test_one_tenants_budget_is_not_anothers():
    assert of(budget(tenant=OTHER)) == ()
    assert of(budget(Scope.TENANT)) != of(budget(Scope.TENANT), spender=replace(SPENDER, tenant=OTHER))


def test_the_deployments_budgets_hold_for_every_tenant_or_the_one_that_it_names():
    everything = budget(Scope.EVERYTHING)
    assert {line.account for line in of(everything)} == {
        line.account for line in of(everything, spender=replace(SPENDER, tenant=OTHER))
    }
    each = budget(Scope.TENANT, tenant=None)
    assert [line.whose for line in of(each)] == [str(ACME)]
    named = budget(Scope.TENANT, tenant=None, target="other", target_tenant=OTHER)
    assert of(named) == ()
    assert [line.whose for line in of(named, spender=replace(SPENDER, tenant=OTHER))] == [str(OTHER)]


def test_rates_count_in_minutes_whatever_the_budgets_window_and_wait():
    found = of(budget(window=Window.MONTH, rpm_limit=60, tpm_limit=9000))
    assert [(line.window, line.unit, line.limit, line.waits) for line in found] == [
        (Window.MONTH, Unit.USD, 2_000_000, False),
        (Window.MINUTE, Unit.REQUESTS, 60, True),
        (Window.MINUTE, Unit.TOKENS, 9000, True),
    ]


def test_what_many_spend_from_has_slots_and_what_one_spends_from_has_none():
    hot = of(budget(Scope.TENANT, max_micro_usd=10**9), budget(Scope.AGENT, max_micro_usd=10**9))
    assert {line.slots for line in hot} == {16}
    cold = of(budget(Scope.USER, max_micro_usd=10**9), budget(Scope.THREAD, max_micro_usd=10**9))
    assert {line.slots for line in cold} == {1}
    (small,) = of(budget(Scope.TENANT, max_micro_usd=1_000_000))
    assert small.slots == 4
    (tiny,) = of(budget(Scope.TENANT, max_micro_usd=0))
    assert tiny.slots == FEWEST


@given(st.text(), st.text(), st.text(), st.text())
def test_no_two_users_share_an_account_whatever_they_are_called(agent: str, user: str, other: str, thread: str):
    first = lines(replace(SPENDER, user=user), [Limit("user", max_micro_usd=1)], [])
    second = lines(replace(SPENDER, user=other), [Limit("user", max_micro_usd=1)], [])
    assert (first[0].account == second[0].account) == (user == other)
    mixed = lines(replace(SPENDER, agent=agent, thread=thread), [Limit("agent", max_micro_usd=1)], [])
    assert mixed[0].account != first[0].account


@given(st.integers(0, 10**15), st.integers(1, 256))
def test_a_limit_is_parted_without_losing_or_gaining_one_unit(limit: int, slots: int):
    shares = part(limit, slots)
    assert (sum(shares), len(shares)) == (limit, slots)
    assert max(shares) - min(shares) <= 1


@st.composite
def accounts(draw: st.DrawFn) -> tuple[int, list[Slot]]:
    """A limit, and slots that were granted it or another one before."""
    found: list[Slot] = []
    basis = draw(st.integers(0, 20_000))
    for number in range(draw(st.integers(1, 16))):
        held, uncovered = draw(st.integers(0, 1000)), draw(st.integers(0, 50))
        granted = held + draw(st.integers(0, 1000))
        found.append(Slot(number, granted, basis, held + uncovered, held, draw(st.booleans())))
    return draw(st.integers(0, 20_000)), found


@given(accounts(), st.integers(0, 15), st.integers(1, 5000), st.integers(1, 16))
def test_regranting_never_lets_more_in_than_the_limit_and_breaks_no_promise(
    account: tuple[int, list[Slot]], slot: int, want: int, among: int
):
    limit, slots = account
    grants = regrant(limit, slots, slot, want, among)
    if grants is None:
        return
    assert all(grant >= one.held for grant, one in zip(grants, slots, strict=True))
    assert sum(max(0, grant - one.used) for grant, one in zip(grants, slots, strict=True)) <= limit - sum(
        one.used for one in slots
    )
    for grant, one in zip(grants, slots, strict=True):
        if one.slot == slot:
            assert has_room(replace(one, granted=grant, basis=limit), limit, want)
        elif one.promised and one.basis <= limit:
            assert grant == one.granted


@given(accounts(), st.integers(1, 5000))
def test_what_all_slots_together_have_a_slot_can_get_unless_it_is_promised(account: tuple[int, list[Slot]], want: int):
    limit, slots = account
    free = [replace(one, promised=False) for one in slots]
    grants = regrant(limit, free, slots[0].slot, want, 16)
    assert (grants is not None) == (sum(one.used for one in slots) + want <= limit)
    if grants is not None:
        # Nothing of the limit is lost.
        assert sum(max(grant, one.used) for grant, one in zip(grants, free, strict=True)) == limit


def test_slots_that_nobody_takes_from_any_more_give_what_they_have():
    slots = [Slot(number, 100, 400, 30, 30) for number in range(4)]
    assert regrant(400, slots, 0, 50, 2) == [30 + 50 + 115, 30 + 115, 30, 30]


def test_a_slot_that_is_not_there_gets_nothing():
    assert regrant(100, [Slot(0, 100, 100, 0, 0)], 5, 10, 16) is None


def test_a_grant_that_was_made_of_a_higher_limit_gives_nothing():
    slot = Slot(0, granted=100, basis=1000, used=0, held=0)
    assert has_room(slot, 1000, 100)
    assert has_room(slot, 2000, 100)
    assert not has_room(slot, 999, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        budget(name="Big Spender"),
        budget(max_micro_usd=None),
        budget(max_micro_usd=-1),
        budget(max_micro_usd=10**18),
        budget(window=Window.MINUTE),
        budget(alert_at=(0,)),
        budget(alert_at=(101,)),
        budget(target=""),
        budget(target="a\x00"),
        budget(Scope.EVERYTHING, tenant=ACME),
        budget(Scope.EVERYTHING, target="acme"),
        budget(Scope.TENANT, target="acme"),
        budget(Scope.USER, tenant=None, target="ann"),
        budget(Scope.RUN, target="run-1"),
        budget(Scope.RUN, window=Window.DAY),
        budget(Scope.REQUEST, rpm_limit=5),
    ],
)
def test_a_budget_that_can_not_hold_is_refused(wrong: Budget):
    with pytest.raises(BadBudget):
        settle(wrong)


def test_a_budget_of_zero_can_hold():
    assert settle(budget(max_micro_usd=0)).max_micro_usd == 0
