"""JSON: what it has no form for is noticed before it is silently made into something else."""

import pytest

from quarterdeck.core.json import Json, digest, fingerprint, is_finite

NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize("value", [None, True, 1, 1.5, "NaN", [], {}, [1, [2.0, {"x": "y"}]], {"a": {"b": [0.1]}}])
def test_what_json_can_hold_is_finite(value: Json):
    assert is_finite(value)


@pytest.mark.parametrize("value", [NAN, INFINITY, -INFINITY, [1, NAN], {"a": {"b": [INFINITY]}}])
def test_a_number_that_json_has_no_form_for_is_found_wherever_it_stands(value: Json):
    assert not is_finite(value)


@pytest.mark.parametrize("number", [7, 2**60])
def test_a_fingerprint_does_not_depend_on_the_order_of_members(number: int):
    one: Json = {"to": "ann", "items": [{"n": number, "m": 1}]}
    other: Json = {"items": [{"m": 1, "n": number}], "to": "ann"}
    assert fingerprint(one) == fingerprint(other)
    assert fingerprint(one) != fingerprint({"to": "bob", "items": [{"n": number, "m": 1}]})


def test_a_fingerprint_is_the_digest_where_there_is_one():
    assert fingerprint({"n": 7}) == digest({"n": 7})
