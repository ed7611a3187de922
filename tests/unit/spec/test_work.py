"""Schemas that would keep a process busy for ever are refused, or not applied, and honest ones are not."""

import time

import pytest

from quarterdeck.core.json import Json
from quarterdeck.spec.schemas import Compiled, schema_fault
from quarterdeck.spec.work import TooMuchWork, Work


def ladder(steps: int, applied: str = "anyOf", within: str = "", twice: int = 2) -> dict[str, Json]:
    """Each step refers to the next one twice, for the same value or for one within it."""
    definitions: dict[str, Json] = {f"s{steps}": {"required": ["z"]}}
    for step in range(steps):
        both: Json = {applied: [{"$ref": f"#/$defs/s{step + 1}"}] * twice}
        definitions[f"s{step}"] = {"properties": {within: both}} if within else both
    return {"type": "object", "$ref": "#/$defs/s0", "$defs": definitions}


def nested(depth: int, name: str = "x") -> Json:
    value: Json = {}
    for _ in range(depth):
        value = {name: value}
    return value


HERSELF: dict[str, Json] = {"type": "object", "allOf": [{"$ref": "#"}]}
EACH_OTHER: dict[str, Json] = {
    "type": "object",
    "$ref": "#/$defs/a",
    "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}] * 2}, "b": {"not": {"$ref": "#/$defs/a"}}},
}
LEFT_OVER: dict[str, Json] = {
    "type": "object",
    "$ref": "#/$defs/s0",
    "$defs": {
        **{f"s{n}": {"allOf": [{"$ref": f"#/$defs/s{n + 1}"}], "unevaluatedProperties": False} for n in range(40)},
        "s40": {"properties": {"z": {}}},
    },
}


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (ladder(40), "its references multiply"),
        (ladder(40, "allOf"), "its references multiply"),
        (ladder(40, "oneOf"), "its references multiply"),
        (LEFT_OVER, "its references multiply"),
        (ladder(300, twice=1), "it chains more than 200 references"),
        (HERSELF, "it refers to itself without going a level deeper"),
        (EACH_OTHER, "it refers to itself without going a level deeper"),
        ({"type": "object", "$recursiveRef": "#"}, "it refers to itself"),
        ({"type": "object", "$dynamicAnchor": "me", "$dynamicRef": "#me"}, "it refers to itself"),
        ({"type": "object", "properties": {"a": {"$id": "http://x/"}}}, "a part of it has an `$id`"),
    ],
)
def test_a_schema_that_could_not_even_be_compiled_is_refused_at_once(schema: dict[str, Json], said: str):
    began = time.monotonic()
    fault = schema_fault(schema)
    assert fault is not None
    assert fault.startswith(said)
    assert time.monotonic() - began < 0.5


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (ladder(40, within="x"), nested(41)),
        ({"type": "object", "properties": {"x": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}}}, nested(60)),
        ({"type": "object", "additionalProperties": {"oneOf": [{"$ref": "#"}] * 3}, "required": ["y"]}, nested(60)),
        ({"type": "object", "properties": {"x": {"items": {"anyOf": [{"const": n} for n in range(900)]}}}},
         {"x": ["-"] * 50_000}),
        ({"type": "object", "properties": {"x": {"items": {"pattern": r"(a*)*\1b"}}}}, {"x": ["a" * 40] * 5_000}),
        ({"type": "object", "properties": {"x": {"items": {"enum": [{"n": n} for n in range(4_000)]}}}},
         {"x": [{"n": -1}] * 20_000}),
        ({"type": "object", "properties": {"x": {"items": {"type": "string"}}}}, {"x": [0] * 200_000}),
    ],
)  # fmt: skip
def test_a_value_that_would_take_too_long_is_not_looked_at(schema: dict[str, Json], value: Json):
    assert schema_fault(schema) is None
    compiled, began = Compiled(schema), time.process_time()
    assert "too big or nested too deeply" in str(compiled.misfits(value))
    assert time.process_time() - began < 2.0  # of CPU: a busy machine makes nothing slower


EXPRESSION: dict[str, Json] = {
    "type": "object",
    "properties": {"filter": {"$ref": "#/$defs/filter"}},
    "$defs": {
        "filter": {
            "anyOf": [
                {
                    "properties": {"op": {"enum": ["and", "or"]}, "of": {"items": {"$ref": "#/$defs/filter"}}},
                    "required": ["op", "of"],
                },
                {"properties": {"op": {"const": "not"}, "of": {"$ref": "#/$defs/filter"}}, "required": ["op", "of"]},
                {"properties": {"field": {"type": "string"}, "is": {}}, "required": ["field", "is"]},
            ]
        }
    },
}


def test_schemas_that_real_tools_have_are_passed_and_applied():
    deep: Json = {"field": "a", "is": 1}
    for _ in range(8):
        deep = {"op": "not", "of": {"op": "and", "of": [deep]}}
    wide: Json = {"op": "and", "of": [{"field": str(n), "is": n} for n in range(2_000)]}
    assert schema_fault(EXPRESSION) is None
    for filtered in (deep, wide):
        assert Compiled(EXPRESSION).misfits({"filter": filtered}) == ()
    assert Compiled(EXPRESSION).misfits({"filter": {"op": "xor", "of": []}})
    tree: dict[str, Json] = {"type": "object", "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}}
    assert Compiled(tree).misfits(nested(100, "left")) == ()
    password: dict[str, Json] = {"type": "object", "properties": {"p": {"pattern": r"^(?=.*\d)(?=.*[a-z]).{8,}$"}}}
    assert Compiled(password).misfits({"p": "abcdefg1"}) == ()
    assert Compiled(password).misfits({"p": "abcdefgh"})


def test_what_is_counted_is_what_is_applied():
    assert Work({"type": "object"}).on({}, 10) == 1
    # The root; each of 1 + 2 + 4 steps with two references; and what stands at the end of 8.
    assert Work(ladder(3)).on({}, 100) == 1 + 3 * (1 + 2 + 4) + 8
    assert Work(ladder(3)).on({}, 10) is None
    items: dict[str, Json] = {"prefixItems": [{}, {"not": {}}], "items": {"anyOf": [{}, {}]}}
    assert Work(items).on([1, 2, 3], 100) == 1 + (1 + 3) + (2 + 3) + 3
    with pytest.raises(TooMuchWork):
        Work(ladder(12))


def test_a_small_schema_needs_no_counting_and_a_recursive_one_does():
    assert Work({"type": "object", "properties": {"a": {"type": "string"}}}).slight
    assert not Work({"type": "object", "properties": {"a": {"$ref": "#"}}}).slight
    assert not Work(ladder(7)).slight
