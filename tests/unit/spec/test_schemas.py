import pytest

from quarterdeck.spec.schemas import schema_fault

DEEP: dict = {"type": "object"}
for _ in range(2000):
    DEEP = {"type": "object", "properties": {"a": DEEP}}

BAD = {
    "another document": (
        {"type": "object", "$ref": "http://127.0.0.1:1/x"},
        "it refers to 'http://127.0.0.1:1/x'; only references inside it (\"#/...\") are accepted",
    ),
    "another language": (
        {"type": "object", "$schema": "http://127.0.0.1:1/meta"},
        (
            "it is no valid JSON Schema: Unknown meta-schema: 'http://127.0.0.1:1/meta'. "
            "Custom meta-schemas must be registered in the registry before use"
        ),
    ),
    "a dangling reference": (
        {"type": "object", "$ref": "#/$defs/x"},
        "it is no valid JSON Schema: Pointer '/$defs/x' does not exist",
    ),
    "a bad pattern": (
        {"type": "object", "properties": {"a": {"pattern": "("}}},
        'it is no valid JSON Schema: "(" is not a "regex" at /properties/a/pattern',
    ),
    "too deep": (DEEP, "it is nested deeper than 48 levels"),
    "too big": (
        {"type": "object", "description": "x" * 70_000},
        "it has 70,034 bytes; at most 65,536 are accepted",
    ),
    "no object": ({}, 'it has to describe an object: say "type": "object" at its top'),
}


@pytest.mark.parametrize(("schema", "said"), BAD.values(), ids=BAD.keys())
def test_unsound_schemas_are_refused_without_fetching_anything(schema: dict, said: str):
    assert schema_fault(schema) == said


def test_sound_schemas_pass_recursive_ones_too():
    tree = {"type": "object", "properties": {"next": {"$ref": "#"}}}
    assert schema_fault(tree) is None
    assert schema_fault({"type": "array"}, of_object=False) is None
