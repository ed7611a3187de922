"""Functions that judge a text, served like tools: plain ones, which take what they name of what there is to know."""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import cast

from quarterdeck.core.json import Json
from quarterdeck.tools.author import Marks
from quarterdeck.tools.host.functions import FunctionTool, UnusableTool

KNOWN = ("text", "agent", "user", "run", "sources")
"""What a function may name as its parameters."""
ANSWER = "answer"
"""Under this name what a function returned comes back."""


def checks_of(namespace: Mapping[str, object], names: Sequence[str]) -> dict[str, FunctionTool]:
    """Functions of a module by name. Raises UnusableTool for one that is not there or wants what nobody can give it."""
    return {name: _served(name, namespace.get(name)) for name in names}


def _served(name: str, function: object) -> FunctionTool:
    if not callable(function):
        raise UnusableTool(f"there is no function `{name}`")
    parameters = inspect.signature(function).parameters.values()
    wanted = [one.name for one in parameters if one.kind in {one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY}]
    unknown = [one.name for one in parameters if one.default is one.empty and one.name not in KNOWN]
    if unknown:
        raise UnusableTool(f"`{name}` wants `{unknown[0]}`; a check is given {', '.join(KNOWN)}")
    marks = Marks(name=name, effect="read", repeat="safe", trust="untrusted")
    if inspect.iscoroutinefunction(function):
        return FunctionTool(_awaited(cast("Callable[..., Awaitable[object]]", function), wanted), marks)
    return FunctionTool(_called(function, wanted), marks)


def _called(function: Callable[..., object], wanted: Sequence[str]) -> Callable[..., object]:
    def check(told: dict[str, Json]) -> dict[str, object]:
        return {ANSWER: function(**{name: told[name] for name in wanted if name in told})}

    return check


def _awaited(function: Callable[..., Awaitable[object]], wanted: Sequence[str]) -> Callable[..., object]:
    async def check(told: dict[str, Json]) -> dict[str, object]:
        return {ANSWER: await function(**{name: told[name] for name in wanted if name in told})}

    return check


PARAMETERS = _served("any", lambda: None).parameters
"""The schema that every one of them has."""
