"""Who may come in and what they may give away."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from quarterdeck.core.errors import Forbidden, Invalid
from quarterdeck.core.ids import AgentName, KeyId, TenantId, UserId, uuid7
from quarterdeck.http.actor import Actor, Role
from quarterdeck.tenants import rules
from quarterdeck.tenants.records import (
    Grant,
    GrantTooWide,
    KeyExpired,
    KeyRevoked,
    KnownKey,
    Session,
    SessionEnded,
    TenantDisabled,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TENANT = TenantId(uuid7())


def known(**facts) -> KnownKey:
    given = {
        "id": KeyId("k"),
        "tenant": TENANT,
        "tenant_slug": "acme",
        "tenant_disabled": False,
        "name": "batch",
        "hash": b"",
        "roles": ["caller", "operator"],
        "agents": None,
        "environments": None,
        "may_assert_user": False,
        "expires_at": None,
        "revoked_at": None,
        "last_used_at": None,
    }
    return KnownKey(**{**given, **facts})


def owner(**facts) -> Actor:
    return Actor(KeyId("o"), "owner", UserId("owner"), frozenset({Role.OWNER}), TENANT, "acme", **facts)


@pytest.mark.parametrize(
    ("facts", "error"),
    [
        ({"revoked_at": NOW}, KeyRevoked),
        ({"expires_at": NOW}, KeyExpired),
        ({"expires_at": NOW - timedelta(days=1), "revoked_at": NOW}, KeyRevoked),
        ({"tenant_disabled": True}, TenantDisabled),
        ({"expires_at": NOW + timedelta(seconds=1)}, None),
        ({"tenant": None, "tenant_slug": None}, None),
    ],
)
def test_a_proven_key_learns_why_it_does_not_work(facts, error):
    if error is None:
        rules.check_standing(known(**facts), NOW)
    else:
        with pytest.raises(error):
            rules.check_standing(known(**facts), NOW)


def test_a_session_that_ended_or_ran_out_or_never_was_is_the_same():
    session = Session(b"", TENANT, KeyId("k"), UserId("ann"), NOW + timedelta(seconds=1), None)
    assert rules.check_session(session, NOW) is session
    for wrong, at in ((None, NOW), (session, NOW + timedelta(seconds=1))):
        with pytest.raises(SessionEnded):
            rules.check_session(wrong, at)


def test_a_key_acts_for_itself_a_session_for_its_user():
    assert rules.actor_of(known()).user_id == "batch"
    assert rules.actor_of(known(), UserId("ann")).user_id == "ann"


def test_a_role_that_only_a_newer_version_knows_gives_nothing():
    assert rules.actor_of(known(roles=["caller", "admiral"])).roles == {Role.CALLER}


def test_a_key_without_a_tenant_is_the_deployments():
    admin = rules.actor_of(known(tenant=None, tenant_slug=None, roles=[]))
    assert admin.admin
    assert admin.may_assert_user
    assert admin.tenant is None
    assert not rules.actor_of(known()).admin


def test_naming_a_tenant_is_for_admins_whether_there_is_one_or_not():
    rules.check_tenant_claim(owner(), "acme")
    rules.check_tenant_claim(rules.actor_of(known(tenant=None, tenant_slug=None)), "any")
    with pytest.raises(Forbidden):
        rules.check_tenant_claim(owner(), "umbra")


@pytest.mark.parametrize("wrong", ["", "a" * 201, "a\x00b", "a\nb", "\xff\xfe", "a\x7fb"])
def test_a_user_id_is_printable_and_of_some_length(wrong):
    with pytest.raises(Invalid):
        rules.read_user_claim(wrong)


def test_a_user_id_is_read_as_utf_8():
    assert rules.read_user_claim("zoë".encode().decode("latin-1")) == "zoë"


def test_nothing_is_given_away_that_is_not_had():
    caller = Grant(frozenset({Role.CALLER}))
    rules.check_grant(owner(), caller, TENANT, NOW)
    with pytest.raises(Forbidden):
        rules.check_grant(Actor(KeyId("x"), "x", UserId("x"), frozenset({Role.OPERATOR}), TENANT), caller, TENANT, NOW)
    with pytest.raises(Forbidden):
        rules.check_grant(owner(), caller, None, NOW)
    with pytest.raises(Invalid):
        rules.check_grant(owner(), Grant(frozenset()), TENANT, NOW)
    with pytest.raises(Invalid):
        rules.check_grant(owner(), Grant(frozenset({Role.CALLER}), expires_at=NOW), TENANT, NOW)


@pytest.mark.parametrize(
    ("own", "given", "passes"),
    [
        (None, None, True),
        (None, {"a"}, True),
        ({"a", "b"}, {"a"}, True),
        ({"a"}, {"a", "b"}, False),
        ({"a"}, None, False),
    ],
)
def test_a_restriction_is_passed_on(own, given, passes):
    def names(some):
        return None if some is None else frozenset(AgentName(one) for one in some)

    for part in ("agents", "environments"):
        actor = owner(**{part: names(own)})
        grant = replace(Grant(frozenset({Role.CALLER})), **{part: names(given)})
        if passes:
            rules.check_grant(actor, grant, TENANT, NOW)
        else:
            with pytest.raises(GrantTooWide):
                rules.check_grant(actor, grant, TENANT, NOW)
