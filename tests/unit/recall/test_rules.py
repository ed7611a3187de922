"""When two reads are the same one."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.core.ids import TenantId, uuid7
from quarterdeck.recall.records import Asked, Principal
from quarterdeck.recall.rules import place_of, want_of

SECRET = b"s" * 32
ERIKA = Principal(TenantId(uuid7()), "erika", ("a", "b"), {"email": "erika@example.com"})
ASKED = Asked(ERIKA, "crm", "look", {"id": 1, "page": 2})


def key(asked: Asked, secret: bytes = SECRET) -> bytes:
    want = want_of(secret, asked)
    assert want is not None
    return want.key


def test_the_order_of_arguments_and_roles_makes_no_difference():
    turned = replace(ASKED, arguments={"page": 2, "id": 1}, principal=replace(ERIKA, roles=("b", "a")))
    assert want_of(SECRET, turned) == want_of(SECRET, ASKED)


@pytest.mark.parametrize(
    "other",
    [
        replace(ASKED, tool="peek"),
        replace(ASKED, server="crm2"),
        replace(ASKED, arguments={"id": 1}),
        replace(ASKED, arguments={"id": 1, "page": "2"}),
        replace(ASKED, principal=replace(ERIKA, user="bob")),
        replace(ASKED, principal=replace(ERIKA, roles=("a",))),
        replace(ASKED, principal=replace(ERIKA, claims={})),
        replace(ASKED, principal=replace(ERIKA, tenant=TenantId(uuid7()))),
    ],
)
def test_whatever_an_answer_depends_on_makes_another_read(other: Asked):
    assert key(other) != key(ASKED)


def test_a_place_is_a_principals_server_whatever_is_asked_there():
    want, other = want_of(SECRET, ASKED), want_of(SECRET, replace(ASKED, tool="peek", arguments={}))
    assert want is not None
    assert other is not None
    assert want.place == other.place == place_of(SECRET, ERIKA, "crm")


def test_another_deployment_has_other_keys():
    assert key(ASKED, b"t" * 32) != key(ASKED)


@pytest.mark.parametrize("value", [2**60, float("inf")])
def test_what_has_no_canonical_form_is_never_the_same(value: float):
    assert want_of(SECRET, replace(ASKED, arguments={"id": value})) is None
    assert want_of(SECRET, replace(ASKED, principal=replace(ERIKA, claims={"id": value}))) is None


@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()))
def test_no_two_reads_are_written_as_the_same_bytes(one: tuple[str, str], other: tuple[str, str]):
    first, second = (replace(ASKED, tool=tool, server=server) for tool, server in (one, other))
    assert (one == other) == (key(first) == key(second))
