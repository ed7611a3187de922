from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.core.json import encode_text
from quarterdeck.policies import cedar
from quarterdeck.policies.engine import PolicySet
from quarterdeck.policies.fitting import at, elements, fit, leaves, steps
from quarterdeck.policies.schema import schema_text
from quarterdeck.policies.shapes import shape_of
from tests.unit.policies.granting import Granted, Tool, granted, request
from tests.unit.policies.test_engine import json_values

TEXT, WHOLE, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}

# what a schema says of an argument: its type in Cedar, None = it is left out
TYPES: dict[str, tuple[Any, str | None]] = {
    "text": (TEXT, "String"),
    "text of a choice": ({"enum": ["a", "b"]}, "String"),
    "one text": ({"const": "a"}, "String"),
    "a choice of numbers": ({"enum": [1, 2]}, "Long"),
    "a choice of unlike things": ({"enum": [1, "a"]}, None),
    "a choice with fractions": ({"enum": [1.5]}, None),
    "a whole number": (WHOLE, "Long"),
    "a number": (NUMBER, "decimal"),
    "a number or whole": ({"type": ["integer", "number"]}, "decimal"),
    "true or false": ({"type": "boolean"}, "Bool"),
    "text or null": ({"type": ["string", "null"]}, "String"),
    "text or null, said otherwise": ({"anyOf": [TEXT, {"type": "null"}]}, "String"),
    "null alone": ({"type": "null"}, None),
    "text or number": ({"anyOf": [TEXT, WHOLE]}, None),
    "a list": ({"type": "array", "items": TEXT}, "Set<String>"),
    "a list of lists": ({"type": "array", "items": {"type": "array", "items": WHOLE}}, "Set<Set<Long>>"),
    "one or many": ({"oneOf": [TEXT, {"type": "array", "items": TEXT}]}, "Set<String>"),
    "one or many of other kinds": ({"oneOf": [WHOLE, {"type": "array", "items": TEXT}]}, None),
    "a list of anything": ({"type": "array"}, None),
    "a tuple": ({"type": "array", "prefixItems": [TEXT, WHOLE]}, None),
    "anything": ({}, None),
    "really anything": (True, None),
    "an object": (
        {"type": "object", "properties": {"a": TEXT, "b": {}, "c": WHOLE}, "required": ["a"]},
        '{ "a": String, "c"?: Long }',
    ),
    "an object that may be null inside": (
        {"type": "object", "properties": {"a": {"type": ["string", "null"]}}, "required": ["a"]},
        '{ "a"?: String }',
    ),
    "a free-form object": ({"type": "object"}, None),
    "one of two objects": (
        {
            "anyOf": [
                {"type": "object", "properties": {"a": TEXT, "b": TEXT}, "required": ["a", "b"]},
                {"type": "object", "properties": {"a": TEXT, "b": WHOLE, "c": WHOLE}, "required": ["a"]},
            ]
        },
        '{ "a"?: String, "c"?: Long }',
    ),
    "all of two objects": (
        {"allOf": [{"properties": {"a": TEXT}}, {"type": "object", "properties": {"b": WHOLE}}]},
        '{ "a"?: String, "b"?: Long }',
    ),
    "a reference": ({"$ref": "#/$defs/Name"}, "String"),
    "a reference to nothing": ({"$ref": "#/$defs/Nothing"}, None),
    "a reference elsewhere": ({"$ref": "https://example.com/schema"}, None),
    "what contains itself": ({"$ref": "#/$defs/Tree"}, '{ "name"?: String }'),
    "names of all kinds": (
        {"type": "object", "properties": {'q"\\\n': TEXT, "ü 名": WHOLE, "if": TEXT, "__extn": TEXT}},
        '{ "q\\"\\\\\\n"?: String, "ü 名"?: Long, "if"?: String }',
    ),
}
DEFS = {
    "Name": TEXT,
    "Tree": {
        "type": "object",
        "properties": {"name": TEXT, "leaves": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}},
    },
}


@pytest.mark.parametrize(("schema", "kind"), TYPES.values(), ids=TYPES)
def test_what_type_an_argument_has(schema: Any, kind: str | None):
    parameters = {"type": "object", "properties": {"x": schema}, "$defs": DEFS}
    found = shape_of(parameters).members.get("x")
    assert (None if found is None else found.shape.cedar()) == kind
    assert cedar.misfits("permit (principal, action, resource);", schema_text(granted(parameters=parameters))) == ()


def test_a_schema_of_every_size_is_taken():
    deep: dict[str, Any] = TEXT
    for _ in range(50):
        deep = {"type": "object", "properties": {"a": deep}}
    wide = {"type": "object", "properties": {f"a{at}": TEXT for at in range(5000)}}
    assert shape_of({"type": "object", "properties": {"x": deep}}).members == {}
    assert 1000 < len(shape_of(wide).members) < 5000
    others = {f"d{at}": {"anyOf": [{"$ref": f"#/$defs/d{next}"} for next in range(20)]} for at in range(20)}
    knot = {"$defs": others, "properties": {"x": {"$ref": "#/$defs/d0"}}}
    assert shape_of({"type": "object", **knot}).members == {}


schemas = st.recursive(
    st.sampled_from([TEXT, WHOLE, NUMBER, {}, True, {"type": "null"}, {"enum": ["a", 1]}, {"$ref": "#/$defs/Tree"}]),
    lambda inner: (
        st.builds(lambda one: {"type": "array", "items": one}, inner)
        | st.builds(lambda many: {"anyOf": many}, st.lists(inner, max_size=3))
        | st.builds(lambda many: {"allOf": many}, st.lists(inner, max_size=3))
        | st.builds(
            lambda named: {"type": "object", "properties": named, "required": list(named)[:1]},
            st.dictionaries(st.text(max_size=5), inner, max_size=3),
        )
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=6), schemas, max_size=4), st.dictionaries(st.text(max_size=6), json_values))
def test_every_schema_of_arguments_makes_a_schema_that_cedar_takes(properties: Any, arguments: Any):
    release = granted(parameters={"type": "object", "properties": properties, "$defs": DEFS}, destinations=())
    assert cedar.misfits("permit (principal, action, resource);", schema_text(release)) == ()
    answer = PolicySet.of(release).judge(request(arguments))
    assert (answer.verdict, answer.errors) == ("allow", ())


FITS: list[tuple[Any, Any, Any, list[str]]] = [
    (TEXT, "a", "a", []),
    (TEXT, 5, None, ["x"]),
    (WHOLE, 5, 5, []),
    (WHOLE, 5.0, 5, []),
    (WHOLE, 5.5, None, ["x"]),
    (WHOLE, 2**63 - 1, 2**63 - 1, []),
    (WHOLE, 2**63, None, ["x"]),
    (WHOLE, True, None, ["x"]),
    (NUMBER, 1, {"__extn": {"fn": "decimal", "arg": "1.0000"}}, []),
    (NUMBER, 0.1, {"__extn": {"fn": "decimal", "arg": "0.1000"}}, []),
    (NUMBER, -1e-4, {"__extn": {"fn": "decimal", "arg": "-0.0001"}}, []),
    (NUMBER, 922337203685477, {"__extn": {"fn": "decimal", "arg": "922337203685477.0000"}}, []),
    (NUMBER, 922337203685478, None, ["x"]),
    (NUMBER, 1e-5, None, ["x"]),
    (NUMBER, 1e300, None, ["x"]),
    (NUMBER, float("inf"), None, ["x"]),
    ({"type": "array", "items": WHOLE}, [1, 2**70, "a"], [1], ["x[]"]),
    ({"type": "array", "items": WHOLE}, 7, [7], []),
    ({"type": "object", "properties": {"a": WHOLE}}, {"a": "b", "c": 1}, {}, ["x.a"]),
]


@pytest.mark.parametrize(("schema", "value", "fitted", "misfits"), FITS)
def test_a_value_is_made_to_fit_or_named(schema: Any, value: Any, fitted: Any, misfits: list[str]):
    shape = shape_of({"type": "object", "properties": {"x": schema}}).members["x"].shape
    found = fit(shape, value, "x")
    assert (found.value, list(found.misfits)) == (fitted, misfits)


@given(st.dictionaries(st.sampled_from(["to", "amount", "count", "urgent", "copies", "items", "order"]), json_values))
def test_what_fits_is_what_cedar_expects(arguments: dict[str, Any]):
    fitted = fit(shape_of(Tool().parameters), {"to": "bob", **arguments})
    if fitted.misfits or "\\ud" in ascii(fitted.value):
        return
    context = {"arguments": fitted.value}
    always = cedar.parse("permit (principal, action, resource);")["staticPolicies"]
    policies = cedar.load(always)  # pyright: ignore[reportArgumentType]
    assert cedar.decide(policies, cedar.entities([]), "clerk", "pay", encode_text(context)).allowed


def test_paths_lead_through_lists_and_objects():
    shape = shape_of(Tool().parameters)
    assert steps("items[].account") == ["items", "[]", "account"]
    assert [at(shape, path) is not None for path in ("to", "items[].sum", "items.sum", "order.total", "x", "to[]")] == [
        *[True, True, False, True, False, False]
    ]
    assert [path for path, _ in leaves(shape)] == ["copies[]", "items[].account", "items[].sum"]
    value = {"items": [{"sum": 1}, {"sum": None}, {}, {"sum": 3}], "copies": "one"}
    assert elements(value, "items[].sum") == [1, 3]
    assert elements(value, "copies[]") == ["one"]
    assert elements(value, "nothing[].a") == []


def test_the_schema_names_every_tool_and_what_can_be_asked_of_it():
    text = schema_text(Granted((Tool(), Tool("send mail", parameters={"type": "object"}))))
    assert 'action "pay" appliesTo' in text
    assert 'action "send mail" appliesTo' in text
    assert '"items"?: Set<{ "account"?: String, "sum"?: Long }>' in text
    assert request().tool in text
