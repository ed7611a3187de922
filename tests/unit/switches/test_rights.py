"""Who may do what with which switch."""

from typing import Any

import pytest

from quarterdeck.core.errors import Forbidden, NotFound
from quarterdeck.core.ids import AgentName, KeyId, UserId
from quarterdeck.http.records import Actor, Role
from quarterdeck.switches.records import Scope, SwitchMissing
from quarterdeck.switches.rights import check_lift, check_throw, seen, sees
from tests.unit.switches.made import ACME, OTHER, switch, wanted


def actor(*roles: Role, **more: Any) -> Actor:
    return Actor(KeyId("k"), "k", UserId("k"), frozenset(roles), **{"tenant": ACME, "tenant_slug": "acme", **more})


OPERATOR = actor(Role.OPERATOR)
FOR_DESK = actor(Role.OPERATOR, agents=frozenset({AgentName("desk")}))
ADMIN = actor(Role.OWNER, tenant=None, admin=True)


@pytest.mark.parametrize("scope", [scope for scope in Scope if scope is not Scope.EVERYTHING])
def test_an_operator_throws_every_scope_of_its_own_tenant(scope: Scope):
    check_throw(OPERATOR, wanted(scope))
    check_throw(actor(Role.OWNER), wanted(scope))


@pytest.mark.parametrize("role", [Role.DEVELOPER, Role.REVIEWER, Role.AUDITOR, Role.CALLER])
def test_nobody_else_throws_or_lifts(role: Role):
    with pytest.raises(Forbidden):
        check_throw(actor(role), wanted())
    with pytest.raises(Forbidden):
        check_lift(actor(role), switch())


@pytest.mark.parametrize(
    "wish",
    [
        wanted(Scope.EVERYTHING),
        wanted(tenant=None),
        wanted(tenant=OTHER),
        wanted(Scope.TENANT, tenant=OTHER),
        wanted(deployment=True),
    ],
)
def test_what_reaches_beyond_a_tenant_is_a_deployment_admins(wish: Any):
    with pytest.raises(Forbidden):
        check_throw(OPERATOR, wish)
    check_throw(ADMIN, wish)


def test_a_key_for_some_agents_throws_for_these_only():
    check_throw(FOR_DESK, wanted(Scope.AGENT))
    check_throw(FOR_DESK, wanted(agent="desk"))
    for wish in (wanted(), wanted(Scope.TENANT)):
        with pytest.raises(Forbidden):
            check_throw(FOR_DESK, wish)
    for wish in (wanted(Scope.AGENT, target="till"), wanted(agent="till")):
        with pytest.raises(NotFound):
            check_throw(FOR_DESK, wish)


def test_what_the_deployment_threw_only_an_admin_lifts():
    thrown = switch(deployment=True)
    with pytest.raises(Forbidden):
        check_lift(actor(Role.OWNER), thrown)
    check_lift(ADMIN, thrown)
    check_lift(ADMIN, switch())
    check_lift(OPERATOR, switch())


def test_a_key_for_some_agents_lifts_what_hits_these_only():
    check_lift(FOR_DESK, switch(agent="desk"))
    check_lift(FOR_DESK, switch(Scope.AGENT))
    for thrown in (switch(), switch(Scope.TENANT), switch(agent="till")):
        with pytest.raises(Forbidden):
            check_lift(FOR_DESK, thrown)


def test_everybody_sees_what_hits_them_and_nothing_else():
    assert sees(OPERATOR, switch())
    assert sees(OPERATOR, switch(Scope.EVERYTHING))
    assert not sees(OPERATOR, switch(tenant=OTHER))
    assert sees(FOR_DESK, switch())
    assert not sees(FOR_DESK, switch(agent="till"))
    assert not sees(FOR_DESK, switch(Scope.AGENT, target="till"))
    assert sees(ADMIN, switch(tenant=OTHER))


def test_what_one_may_not_see_does_not_exist():
    for hidden in (None, switch(tenant=OTHER)):
        with pytest.raises(SwitchMissing):
            seen(OPERATOR, hidden)
