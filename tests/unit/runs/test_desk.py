"""Which runs somebody may see, and what a list is held to."""

from dataclasses import replace
from uuid import UUID

import pytest

from quarterdeck.core.ids import AgentName, KeyId, TenantId, UserId
from quarterdeck.http.actor import Actor, Role
from quarterdeck.runs.desk import is_own, narrowed, sees, thing_of
from quarterdeck.runs.fold import fold
from quarterdeck.runs.records import Run
from quarterdeck.runs.store import Filter
from tests.logs import START, Simulator, run_of

LOG = Simulator(lambda *_: 0).run()
RUN: Run = replace(run_of(LOG, fold(LOG), START), submitted_by="key:k1", user_id=UserId("ann"))


def actor(*roles: Role, key: str = "k1", user: str = "key name", **more: object) -> Actor:
    made = Actor(KeyId(key), "key name", UserId(user), frozenset(roles), tenant=TenantId(UUID(int=1)))
    return replace(made, **more)


@pytest.mark.parametrize(
    ("who", "visible"),
    [
        (actor(Role.OWNER, key="k2"), True),
        (actor(Role.OPERATOR, key="k2"), True),
        (actor(Role.AUDITOR, key="k2"), True),
        (actor(Role.CALLER), True),
        (actor(Role.CALLER, key="k2"), False),
        (actor(Role.CALLER, key="k2", user="ann", may_assert_user=True), True),
        (actor(Role.CALLER, user="bob", may_assert_user=True), False),
        (actor(Role.OWNER, agents=frozenset({AgentName("other")})), False),
        (actor(Role.OWNER, agents=frozenset({AgentName("desk")})), True),
        (actor(only=thing_of(RUN.id)), True),
        (actor(only="run:0"), False),
        (actor(Role.OWNER, only="run:0"), False),
    ],
)
def test_who_sees_a_run(who: Actor, visible: bool):
    assert sees(who, RUN) is visible


def test_a_key_that_acts_for_a_user_owns_that_users_runs_and_not_its_others():
    assert is_own(actor(Role.CALLER, user="ann", key="k2"), RUN)
    assert not is_own(actor(Role.CALLER, user="bob"), RUN)


def test_a_list_is_held_to_what_one_may_see():
    assert narrowed(actor(Role.OWNER), Filter()) == Filter()
    assert narrowed(actor(Role.CALLER), Filter()) == Filter(submitted_by="key:k1", user_id="key name")
    backend = actor(Role.CALLER, may_assert_user=True)
    assert narrowed(backend, Filter(user_id="ann")) == Filter(submitted_by="key:k1", user_id="ann")
    assert narrowed(actor(Role.CALLER, user="ann"), Filter()) == Filter(user_id="ann")
    assert narrowed(actor(Role.CALLER, user="ann"), Filter(user_id="bob")) is None
    only = actor(Role.OWNER, agents=frozenset({AgentName("b"), AgentName("a")}))
    assert narrowed(only, Filter()) == Filter(agents=[AgentName("a"), AgentName("b")])
