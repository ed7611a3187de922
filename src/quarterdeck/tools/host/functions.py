"""A Python function as a tool: its type hints are the schema of its arguments, its docstring the description."""

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from typing import Annotated, Any, NotRequired, cast

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError, PydanticUserError
from typing_extensions import TypedDict, is_typeddict

from quarterdeck.core.json import Json
from quarterdeck.tools.author import MARKS, Context, Marks, ToolError
from quarterdeck.tools.host import docstrings


class UnusableTool(Exception):
    """A function can't be made a tool; says which and why."""


class FunctionTool:
    """One function with its schema. Raises UnusableTool where its signature has no form in JSON."""

    def __init__(self, function: Callable[..., object], marks: Marks) -> None:
        self.function = function
        self.marks = marks
        self.asynchronous = inspect.iscoroutinefunction(function)
        described = docstrings.read(function.__doc__)
        self.description = marks.description or described.summary
        try:
            hints = typing.get_type_hints(function, include_extras=True)
            self.context_name = _context_name(hints)
            self._arguments = _arguments(function, hints, described.arguments)
            self.parameters = _plain(self._arguments.json_schema())
            self.output_schema = _output_schema(hints.get("return"))
        except (PydanticSchemaGenerationError, PydanticUserError, PydanticInvalidForJsonSchema, NameError) as fault:
            reason = str(fault).splitlines()[0]
            raise UnusableTool(f"`{marks.name}` can't be a tool: {reason}") from fault

    def bind(self, arguments: Mapping[str, Json]) -> dict[str, Any]:
        """The arguments as the function's own types. Raises ToolError that says what does not fit."""
        try:
            return cast("dict[str, Any]", self._arguments.validate_python(arguments))
        except ValidationError as fault:
            problems = (f"- {'.'.join(map(str, error['loc']))}: {error['msg']}" for error in fault.errors())
            raise ToolError("Its arguments do not fit:\n" + "\n".join(problems)) from fault

    def declared(self) -> dict[str, Json]:
        """The author's marks, without those that were left out."""
        marks = self.marks
        given: dict[str, Json] = {
            "effect": marks.effect,
            "repeat": marks.repeat,
            "trust": marks.trust,
            "timeout": marks.timeout,
            "destinations": marks.destinations,
            "payload": marks.payload,
        }
        return {name: value for name, value in given.items() if value is not None}


def tools_of(namespace: Mapping[str, object]) -> dict[str, FunctionTool]:
    """All marked functions of a module by tool name, in their order there. Raises UnusableTool."""
    found: dict[str, FunctionTool] = {}
    for function in namespace.values():
        marks = getattr(function, MARKS, None)
        if not isinstance(marks, Marks) or not callable(function):
            continue
        other = found.get(marks.name)
        if other is not None and other.function is not function:
            raise UnusableTool(f"two functions want to be the tool `{marks.name}`")
        found.setdefault(marks.name, FunctionTool(function, marks))
    return found


def _context_name(hints: Mapping[str, object]) -> str | None:
    names = [name for name, hint in hints.items() if hint is Context or Context in typing.get_args(hint)]
    return names[0] if names else None


def _arguments(
    function: Callable[..., object], hints: Mapping[str, object], descriptions: Mapping[str, str]
) -> TypeAdapter[Any]:
    """An adapter for the keyword arguments.

    A TypedDict rather than a model: argument names may be anything, and what was left out stays left out, so that the
    function's own defaults apply.
    """
    fields: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        hint = hints.get(name, Any)
        if hint is Context or Context in typing.get_args(hint):
            continue
        if parameter.kind in {parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            raise UnusableTool(f"`{function.__name__}` can't be a tool: `{parameter}` can't be passed by name")
        extra: dict[str, Any] = {}
        if parameter.default is not parameter.empty and _is_plain(parameter.default):
            extra["default"] = parameter.default
        details = Field(description=descriptions.get(name) or None, json_schema_extra=extra or None)
        annotated = Annotated[hint, details]
        fields[name] = annotated if parameter.default is parameter.empty else NotRequired[annotated]
    make: Callable[[str, dict[str, Any]], Any] = TypedDict  # pyright: ignore[reportAssignmentType]  # fields are known here only
    shape = make("Arguments", fields)
    shape.__pydantic_config__ = ConfigDict(extra="forbid")
    return TypeAdapter(shape)


def _output_schema(hint: object) -> dict[str, Json] | None:
    """The schema of what comes back, where the function promises an object of a known shape."""
    if not isinstance(hint, type):
        return None
    kind = cast("type[object]", hint)
    if issubclass(kind, BaseModel) or is_dataclass(kind) or is_typeddict(kind):
        return _plain(TypeAdapter(kind).json_schema(mode="serialization"))
    return None


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, bool | int | float | str)


def _plain(schema: Mapping[str, Any]) -> dict[str, Json]:
    """A schema without the titles that pydantic makes up: they cost tokens and say nothing."""
    return cast("dict[str, Json]", _untitled(schema))


_NAMED = frozenset({"properties", "$defs"})
_VALUES = frozenset({"default", "const", "enum", "examples"})


def _untitled(node: Any, *, names: bool = False) -> Any:  # noqa: ANN401  # any JSON
    """`names`: the keys of this object are names that the author chose, so a property called `title` stays."""
    if isinstance(node, dict):
        items = cast("dict[str, Any]", node).items()
        return {
            key: value if key in _VALUES and not names else _untitled(value, names=not names and key in _NAMED)
            for key, value in items
            if names or key != "title" or not isinstance(value, str)
        }
    if isinstance(node, list):
        return [_untitled(item) for item in cast("list[Any]", node)]
    return node
