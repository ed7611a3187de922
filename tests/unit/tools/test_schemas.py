"""What does not fit a schema is said so that a model can put it right."""

import pytest

from quarterdeck.tools.schemas import Schema

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["order"],
    "properties": {
        "order": {"type": "object", "properties": {"items": {"type": "array", "items": {"type": "integer"}}}},
        "kind": {"enum": ["a", "b"]},
        "when": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    },
}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, ["at the top", '"order" is a required property']),
        ({"order": {"items": [1, "two"]}}, ["order.items[1]", 'not of type "integer"']),
        ({"order": {}, "kind": "c"}, ["kind", '"a"', '"b"']),
        ({"order": {}, "extra": 1}, ["'extra' was unexpected", "allowed: order, kind, when"]),
        ({"order": {}, "when": 3}, ["when", "allowed: string or null"]),
    ],
)
def test_each_problem_has_its_place_and_what_is_allowed(arguments, words):
    told = "\n".join(Schema(SCHEMA).problems(arguments))
    assert all(word in told for word in words), told


def test_what_fits_has_no_problems():
    assert Schema(SCHEMA).problems({"order": {"items": [1]}}) == ()


def test_a_long_list_of_problems_is_cut_and_counted():
    told = Schema({"type": "object", "additionalProperties": {"type": "integer"}}).problems(
        {f"k{n}": "x" for n in range(20)}
    )
    assert len(told) == 9
    assert told[-1] == "and 12 more"


def test_a_reference_to_somewhere_else_is_never_followed():
    with pytest.raises(Exception, match="disabled"):
        Schema({"$ref": "http://169.254.169.254/latest"}).problems({})


def test_a_pattern_made_to_explode_is_no_danger():
    schema = Schema({"type": "object", "properties": {"x": {"pattern": r"^(a+)+$"}}})
    assert schema.problems({"x": "a" * 40 + "!"})
