"""A function's hints and docstring become what the model is shown."""

import datetime
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from quarterdeck.tools.author import Context, ToolError, tool
from quarterdeck.tools.host.functions import UnusableTool, tools_of


def made(function) -> Any:
    return next(iter(tools_of({"f": tool(function)}).values()))


def test_hints_become_the_schema_and_the_docstring_its_descriptions():
    def find(query: str, kind: Literal["order", "refund"] = "order", most: Annotated[int, Field(ge=1)] = 10):
        """Find orders.

        Old ones too.

        Args:
            query: What to look for,
                in plain words.
            kind (str): Orders or refunds.

        Returns:
            Nothing that the model should read.
        """

    found = made(find)
    assert found.description == "Find orders.\n\nOld ones too."
    assert found.parameters == {
        "type": "object",
        "additionalProperties": False,
        "required": ["query"],
        "properties": {
            "query": {"type": "string", "description": "What to look for, in plain words."},
            "kind": {
                "enum": ["order", "refund"],
                "type": "string",
                "default": "order",
                "description": "Orders or refunds.",
            },
            "most": {"type": "integer", "minimum": 1, "default": 10},
        },
    }


def test_sphinx_docstrings_are_understood_too():
    def find(query: str):
        """Find orders.

        :param query: what to look for
            in plain words
        :returns: a list
        """

    found = made(find)
    assert found.description == "Find orders."
    assert found.parameters["properties"] == {
        "query": {"type": "string", "description": "what to look for in plain words"}
    }


def test_the_context_is_filled_in_and_never_shown():
    def act(what: str, context: Context | None = None):
        """Act."""

    found = made(act)
    assert list(found.parameters["properties"]) == ["what"]
    assert found.context_name == "context"


def test_a_property_called_title_or_default_survives_the_tidying():
    class Book(BaseModel):
        title: str = "untitled"
        default: dict[str, str] = {"title": "x"}

    def add(title: str, book: Book):
        """Add a book."""

    parameters = made(add).parameters
    assert set(parameters["properties"]) == {"title", "book"}
    assert "title" not in parameters
    book = parameters["$defs"]["Book"]
    assert book["properties"]["title"] == {"default": "untitled", "type": "string"}
    assert book["properties"]["default"]["default"] == {"title": "x"}


def test_arguments_arrive_as_the_functions_own_types_and_defaults_stay_the_functions():
    def act(day: datetime.date, count: int = 3):
        """Act."""

    assert made(act).bind({"day": "2026-02-03"}) == {"day": datetime.date(2026, 2, 3)}


def test_what_does_not_fit_is_told_with_its_place():
    def act(days: list[datetime.date]):
        """Act."""

    with pytest.raises(ToolError) as told:
        made(act).bind({"days": ["2026-02-03", "soon"], "other": 1})
    assert "days.1" in str(told.value)
    assert "other" in str(told.value)


def test_argument_names_may_be_anything_that_python_allows():
    def act(schema: str, json: str, copy: str, model_fields: int, _private: int = 1):
        """Act."""

    assert set(made(act).parameters["properties"]) == {"schema", "json", "copy", "model_fields", "_private"}


def test_a_promised_shape_becomes_the_output_schema():
    @dataclass
    class Order:
        id: str
        total: int

    def get(id: str) -> Order:
        """Get one."""
        return Order(id, 1)

    assert made(get).output_schema == {
        "type": "object",
        "properties": {"id": {"type": "string"}, "total": {"type": "integer"}},
        "required": ["id", "total"],
    }


@pytest.mark.parametrize("parameters", ["*rest", "**rest", "one, /"])
def test_a_parameter_that_has_no_name_makes_no_tool(parameters):
    space: dict = {}
    exec(f"def act({parameters}): 'Act.'", space)
    with pytest.raises(UnusableTool, match="by name"):
        made(space["act"])


def test_a_type_without_a_form_in_json_makes_no_tool_and_the_error_names_it():
    class Socket:
        pass

    def act(socket: Socket):
        """Act."""

    with pytest.raises(UnusableTool, match="`act` can't be a tool"):
        made(act)


def test_marks_are_kept_and_the_function_stays_an_ordinary_one():
    @tool(name="pay", effect="payment", repeat="keyed", trust="trusted", timeout=5)
    def pay_somebody(amount: int) -> int:
        """Pay."""
        return amount * 2

    assert pay_somebody(2) == 4
    found = tools_of({"x": pay_somebody})["pay"]
    assert found.declared() == {"effect": "payment", "repeat": "keyed", "trust": "trusted", "timeout": 5}


def test_code_may_say_which_arguments_are_destinations():
    @tool(destinations=["to", "items[].account"], payload=[])
    def send(to: str, items: list[dict[str, str]]) -> None:
        """Send."""

    assert tools_of({"x": send})["send"].declared() == {"destinations": ("to", "items[].account"), "payload": ()}


def test_two_functions_of_one_name_are_refused_and_one_under_two_names_is_one():
    @tool(name="same")
    def one():
        """One."""

    @tool(name="same")
    def two():
        """Two."""

    assert list(tools_of({"one": one, "alias": one})) == ["same"]
    with pytest.raises(UnusableTool, match="two functions"):
        tools_of({"one": one, "two": two})
