"""What an actor may do follows from its record alone."""

import pytest

from quarterdeck.core.errors import Error, Forbidden, NotFound
from quarterdeck.core.ids import AgentName, KeyId, TenantId, UserId, uuid7
from quarterdeck.http.actor import READERS, Actor, Role
from quarterdeck.http.records import TenantRequired


def actor(*roles: Role, **facts) -> Actor:
    return Actor(KeyId("k"), "batch", UserId("batch"), frozenset(roles), **facts)


@pytest.mark.parametrize("role", list(Role))
def test_an_owner_has_every_role_and_others_their_own(role):
    actor(Role.OWNER).require(role)
    actor(role).require(role, Role.AUDITOR)
    for other in set(Role) - {role, Role.OWNER}:
        with pytest.raises(Forbidden):
            actor(other).require(role)


def test_callers_see_what_is_their_own_and_all_others_everything():
    assert {role for role in Role if actor(role).reads_all} == READERS == set(Role) - {Role.CALLER}
    assert not actor().reads_all


def test_an_admin_who_named_no_tenant_is_asked_to():
    with pytest.raises(TenantRequired):
        actor(Role.OWNER, admin=True).in_tenant()
    tenant = TenantId(uuid7())
    assert actor(tenant=tenant).in_tenant() == tenant
    with pytest.raises(Forbidden):
        actor(Role.OWNER).require_admin()


def test_an_agent_that_the_key_is_not_for_does_not_exist():
    narrow = actor(agents=frozenset({AgentName("desk")}))
    narrow.require_agent(AgentName("desk"))
    with pytest.raises(NotFound):
        narrow.require_agent(AgentName("ops"))
    actor().require_agent(AgentName("ops"))


def test_only_a_key_that_may_acts_for_somebody_else():
    assert actor().on_behalf_of(None) == "batch"
    assert actor().on_behalf_of("batch") == "batch"
    with pytest.raises(Forbidden):
        actor().on_behalf_of("alice")
    assert actor(may_assert_user=True).on_behalf_of("alice") == "alice"


def test_a_narrow_token_covers_one_thing_and_has_no_role():
    narrow = actor(only="run:1")
    assert narrow.covers("run:1")
    assert not narrow.covers("run:2")
    assert actor().covers("run:2")
    for role in Role:
        with pytest.raises(Error):
            narrow.require(role)
