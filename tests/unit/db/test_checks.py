"""What Quarterdeck refuses to start on, judged from what a connection says of itself."""

import dataclasses

import pytest

from quarterdeck.db.checks import Posture, objections
from quarterdeck.db.faults import NotDurable, RoleTooPowerful, ServerTooOld

GOOD = Posture(
    role="qd_app",
    superuser=False,
    bypasses_rls=False,
    creates_roles=False,
    owns_tables=False,
    may_become_owner=False,
    server_version=180004,
    fsync="on",
    synchronous_commit="on",
)


def test_a_plain_role_on_a_durable_server_is_accepted():
    assert objections(GOOD) == ()


@pytest.mark.parametrize("power", ["superuser", "bypasses_rls", "creates_roles", "owns_tables", "may_become_owner"])
def test_a_role_that_row_level_security_does_not_hold_is_refused(power):
    (objection,) = objections(dataclasses.replace(GOOD, **{power: True}))
    assert isinstance(objection, RoleTooPowerful)
    assert "qd_app" in objection.detail


@pytest.mark.parametrize("setting", ["fsync", "synchronous_commit"])
def test_a_server_that_may_forget_a_commit_is_refused_and_the_setting_named(setting):
    (objection,) = objections(dataclasses.replace(GOOD, **{setting: "off"}))
    assert isinstance(objection, NotDurable)
    assert setting in objection.detail


@pytest.mark.parametrize("level", ["local", "remote_write", "remote_apply"])
def test_commit_levels_that_reach_a_disk_are_accepted(level):
    assert objections(dataclasses.replace(GOOD, synchronous_commit=level)) == ()


def test_an_old_server_is_refused_and_the_oldest_accepted_is_not():
    (objection,) = objections(dataclasses.replace(GOOD, server_version=140012))
    assert isinstance(objection, ServerTooOld)
    assert "14" in objection.detail
    assert objections(dataclasses.replace(GOOD, server_version=150000)) == ()


def test_all_objections_are_found_at_once():
    bad = dataclasses.replace(GOOD, superuser=True, fsync="off", synchronous_commit="off", server_version=130000)
    assert [type(objection) for objection in objections(bad)] == [RoleTooPowerful, NotDurable, NotDurable, ServerTooOld]
