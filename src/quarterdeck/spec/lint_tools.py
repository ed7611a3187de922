"""What a careful reader would say of an agent's tools: what the model reads of them, how much they may return, and what
of their code is not used. Code is read and never run.
"""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from quarterdeck.core.json import JsonObject
from quarterdeck.spec.findings import Finding, Place
from quarterdeck.spec.reading import AgentFolder
from quarterdeck.spec.values import Effect

LONGEST_DESCRIPTION = 1_000
"""Characters that the model reads with every question, for one tool."""

_LISTS = re.compile(r"^(list|search|find_all|query|get_all|fetch_all|read_all)(_|$)|_(list|search)$|^all_")
_PAGES = frozenset({
    "limit", "page", "page_size", "per_page", "page_token", "cursor", "offset", "top", "top_k", "k", "n", "count",
    "size", "max", "maximum", "first", "last", "after", "before", "start", "skip", "max_results", "max_rows",
})  # fmt: skip
_CREDENTIAL = re.compile(r"(^|_)(API_?KEY|SECRET(_KEY)?|TOKEN|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?)$", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"example|changeme|your|placeholder|dummy|xxx|\.\.\.|<|\{|://|\s", re.IGNORECASE)
_SHORTEST_CREDENTIAL = 12

Definition: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class ToolText:
    """A granted tool as it is read here. `place` is where it is granted, `module` the file of its code, if it has one.

    `bounded`: `agent.yaml` says itself how much of a result is shown.
    """

    name: str
    remote_name: str
    description: str
    parameters: JsonObject
    effect: str
    place: Place
    module: str | None = None
    bounded: bool = False


def tool_findings(folder: AgentFolder, tools: Sequence[ToolText]) -> Iterator[Finding]:
    """What is to be said of the tools and of the code that comes along."""
    modules = {path: tree for path in folder.files if (tree := _parsed(folder.files, path)) is not None}
    told: dict[str, ToolText] = {}
    for tool in tools:
        function = _function(modules.get(tool.module or ""), tool.remote_name)
        place = tool.place if function is None else Place(tool.module or "", function.lineno, function.col_offset + 1)
        yield from _description_findings(tool, place, told)
        yield from _size_findings(tool, place)
        if function is not None:
            yield from _unused(tool, function)
    for path, tree in modules.items():
        yield from _written_credentials(path, tree)


def _description_findings(tool: ToolText, place: Place, told: dict[str, ToolText]) -> Iterator[Finding]:
    words = " ".join(tool.description.split()).casefold()
    if len(tool.description) > LONGEST_DESCRIPTION:
        problem = f"the description of `{tool.name}` has {len(tool.description):,} characters, read at every question"
        yield Finding(place, problem, f"say in fewer than {LONGEST_DESCRIPTION:,} when to call it", warning=True)
    first = told.setdefault(words, tool)
    if words and first is not tool:
        problem = f"`{tool.name}` and `{first.name}` have the same description: the model can't tell them apart"
        yield Finding(place, problem, "say what sets them apart", warning=True)


def _size_findings(tool: ToolText, place: Place) -> Iterator[Finding]:
    """Results without an end: lists that can't be asked for in parts, and what a foreign server likes to return."""
    if tool.effect != Effect.READ or tool.bounded:
        return
    fix = "let it take a `limit`, or declare its `max_output` in agent.yaml"
    if _LISTS.search(tool.name) and not _PAGES & {name.lower() for name in _properties(tool.parameters)}:
        problem = f"`{tool.name}` lists things and can't be asked for a part of them: its results may grow without end"
        yield Finding(place, problem, fix, warning=True, hint=True)
    elif tool.module is None:
        problem = f"how much `{tool.name}` returns is up to its server: the model is shown up to 100,000 bytes"
        yield Finding(place, problem, "declare its `max_output`", warning=True, hint=True)


def _unused(tool: ToolText, function: Definition) -> Iterator[Finding]:
    """Arguments that the model fills and the code never looks at."""
    used = {node.id for stated in function.body for node in ast.walk(stated) if isinstance(node, ast.Name)}
    if "locals" in used:
        return
    offered = set(_properties(tool.parameters))
    for argument in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs):
        if argument.arg in offered and argument.arg not in used and not argument.arg.startswith("_"):
            place = Place(tool.module or "", argument.lineno, argument.col_offset + 1)
            problem = f"`{tool.name}` never uses its argument `{argument.arg}`: the model fills it for nothing"
            yield Finding(place, problem, "use it, or remove it", warning=True)


def _written_credentials(path: str, tree: ast.Module) -> Iterator[Finding]:
    """Names such as API_KEY that are given a value in the code itself."""
    for node in ast.walk(tree):
        for name, value in _given(node):
            if not _CREDENTIAL.search(name) or not isinstance(value, ast.Constant) or not isinstance(value.value, str):
                continue
            text = value.value
            if len(text) < _SHORTEST_CREDENTIAL or _PLACEHOLDER.search(text) or not re.search(r"\d", text):
                continue
            problem = f"`{name}` is given a value in the code, which everybody in the tenant can read"
            fix = "name it under the tool's `secrets` and take it from the call's context"
            yield Finding(Place(path, value.lineno, value.col_offset + 1), problem, fix, warning=True)


def _given(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Names and members that a statement gives values, and arguments of calls by name."""
    match node:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                if isinstance(target, ast.Name | ast.Attribute):
                    yield target.id if isinstance(target, ast.Name) else target.attr, value
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            yield name, value
        case ast.keyword(arg=str(name), value=value):
            yield name, value
        case _:
            return


def _function(tree: ast.Module | None, name: str) -> Definition | None:
    body = tree.body if tree is not None else []
    found = (node for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return next((node for node in found if node.name == name), None)


def _parsed(files: Mapping[str, bytes], path: str) -> ast.Module | None:
    try:
        return ast.parse(files[path]) if path.endswith(".py") else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _properties(parameters: JsonObject) -> Sequence[str]:
    found = parameters.get("properties")
    return list(found) if isinstance(found, Mapping) else []
