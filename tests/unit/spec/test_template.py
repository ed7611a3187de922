import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.core.errors import Invalid
from quarterdeck.spec.template import bind, marks, render

DECLARED = {
    "name": {"type": "string", "required": True, "default": None},
    "limit": {"type": "integer", "required": False, "default": 50},
    "strict": {"type": "boolean", "required": False, "default": None},
}


def test_variables_are_filled_in_and_escaped_braces_stay():
    assert render(r"{{name}} may spend {{ limit }}; \{{ name }}", {"name": "Ann", "limit": 5}) == (
        "Ann may spend 5; {{ name }}"
    )


def test_values_without_a_value_are_empty_and_booleans_are_words():
    assert render("[{{ a }}|{{ b }}]", {"a": None, "b": True}) == "[|true]"


@given(st.text())
def test_a_value_is_never_looked_at_again(value: str):
    filled = render("{{ a }}{{ b }}", {"a": "{{ b }}" + value, "b": "!"})
    assert filled.startswith("{{ b }}")
    assert filled.endswith("!")


@given(st.text(alphabet="{}\\ abc_1\n"))
def test_a_template_without_marks_is_its_own_rendering_but_for_escapes(template: str):
    if not list(marks(template)):
        assert render(template, {}) == template.replace("\\{{", "{{")


def test_what_has_no_value_stays_as_it_is_written():
    assert render("{{ a }} {{ b }} {{", {"a": 1}) == "1 {{ b }} {{"


def test_marks_have_lines_and_columns():
    assert [(mark.name, mark.line, mark.column) for mark in marks("a {{ b }}\n\n  {{ c-d }}")] == [
        ("b", 1, 3),
        ("", 3, 3),
    ]


def test_defaults_stand_in_for_what_was_not_given():
    assert bind(DECLARED, {"name": "Ann"}) == {"name": "Ann", "limit": 50, "strict": None}


BAD = {
    "missing": ({}, "variables.name: has no value and no default; send it in `variables`."),
    "unknown": (
        {"name": "x", "nam": "y"},
        "variables.nam: is not a variable of this agent; remove it; it has limit, name, strict.",
    ),
    "text for a number": (
        {"name": "x", "limit": "5"},
        "variables.limit: has to be a whole number; send a value of its type.",
    ),
    "true for a number": (
        {"name": "x", "limit": True},
        "variables.limit: has to be a whole number; send a value of its type.",
    ),
    "a list": ({"name": ["x"]}, "variables.name: has to be a string; send a value of its type."),
    "too long": ({"name": "x" * 4001}, "variables.name: is longer than 4000 characters; send a value of its type."),
    "two at once": (
        {"limit": 1.5},
        "variables.name: has no value and no default; send it in `variables` (and 1 more).",
    ),
}


@pytest.mark.parametrize(("values", "said"), BAD.values(), ids=BAD.keys())
def test_values_that_do_not_fit_are_refused(values: dict, said: str):
    with pytest.raises(Invalid) as caught:
        bind(DECLARED, values)
    assert caught.value.detail == said
