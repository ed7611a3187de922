"""Narrow tokens: for one thing, for a while, and not to be altered."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from quarterdeck.core.clock import FakeClock
from quarterdeck.core.ids import KeyId, TenantId, UserId, uuid7
from quarterdeck.core.settings import Settings
from quarterdeck.http.actor import Actor, Role
from quarterdeck.http.records import TenantRequired
from quarterdeck.tenants.minting import Peppers
from quarterdeck.tenants.records import TokenEnded
from quarterdeck.tenants.tokens import issue_token, narrow_actor, read_token

PEPPERS = Peppers.of(Settings(secret_key=SecretStr("one secret of a deployment")))
OWNER = Actor(KeyId("k"), "web", UserId("ann"), frozenset({Role.OWNER}), TenantId(uuid7()), "acme")


def issue(clock: FakeClock, minutes: float = 10) -> str:
    return issue_token(PEPPERS, clock, OWNER, "run:1", timedelta(minutes=minutes))[0]


def test_a_token_reads_one_thing_and_does_nothing():
    clock = FakeClock()
    actor = narrow_actor(read_token(PEPPERS, clock, issue(clock)), "web")
    assert (actor.tenant, actor.tenant_slug, actor.user_id, actor.only) == (OWNER.tenant, "acme", "ann", "run:1")
    assert actor.roles == frozenset()
    assert not actor.covers("run:2")
    assert not actor.may_assert_user


def test_a_token_ends_when_it_said_and_after_an_hour_at_the_latest():
    clock = FakeClock()
    token, until = issue_token(PEPPERS, clock, OWNER, "run:1", timedelta(days=9))
    assert until == clock.now() + timedelta(hours=1)
    clock.advance(timedelta(minutes=59))
    read_token(PEPPERS, clock, token)
    clock.advance(timedelta(minutes=1))
    with pytest.raises(TokenEnded):
        read_token(PEPPERS, clock, token)


@given(st.data())
def test_a_token_with_any_letter_changed_is_worth_nothing(data):
    clock = FakeClock()
    token = issue(clock)
    at = data.draw(st.integers(0, len(token) - 2))
    letter = data.draw(st.sampled_from("abcXYZ019-_"))
    if token[at] == letter:
        return
    with pytest.raises(TokenEnded):
        read_token(PEPPERS, clock, token[:at] + letter + token[at + 1 :])


@given(st.text(max_size=100))
def test_what_is_no_token_is_refused_and_breaks_nothing(text):
    for wrong in (text, f"qdt_{text}"):
        with pytest.raises(TokenEnded):
            read_token(PEPPERS, FakeClock(), wrong)


def test_another_deployments_token_is_worth_nothing():
    clock = FakeClock()
    other = Peppers.of(Settings(secret_key=SecretStr("another secret of another")))
    with pytest.raises(TokenEnded):
        read_token(other, clock, issue(clock))


def test_an_admin_who_named_no_tenant_has_nothing_to_give():
    admin = Actor(KeyId("k"), "admin", UserId("admin"), frozenset({Role.OWNER}), admin=True)
    with pytest.raises(TenantRequired):
        issue_token(PEPPERS, FakeClock(), admin, "run:1", timedelta(minutes=1))
