"""Prompt templates: `{{ name }}` stands for a declared variable, `\\{{` for two literal braces; nothing else is code.

One pass, no expressions: a value that itself contains braces is never looked at again.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from quarterdeck.core.errors import Invalid
from quarterdeck.core.json import Json, JsonObject, encode_text
from quarterdeck.core.text import shorten, storable
from quarterdeck.spec.values import VARIABLE_NAME, VariableType

LONGEST_VALUE = 4000
_MARK = re.compile(r"(?P<escaped>\\\{\{)|\{\{(?P<inside>[^{}\n]*)\}\}|(?P<open>\{\{)")
_TYPES: Mapping[str, tuple[type, ...]] = {
    VariableType.STRING: (str,),
    VariableType.INTEGER: (int,),
    VariableType.NUMBER: (int, float),
    VariableType.BOOLEAN: (bool,),
}


@dataclass(frozen=True, slots=True)
class Mark:
    """One `{{ ... }}` of a template. `name` is empty where the braces hold no variable's name."""

    name: str
    written: str
    line: int
    column: int


def marks(template: str) -> Iterator[Mark]:
    """Every pair of braces in a template, in order; lines and columns count from 1."""
    for match in _MARK.finditer(template):
        if match["escaped"]:
            continue
        name = (match["inside"] or "").strip()
        line = template.count("\n", 0, match.start()) + 1
        column = match.start() - template.rfind("\n", 0, match.start())
        known = re.match(VARIABLE_NAME, name) is not None
        yield Mark(name if known else "", shorten(match[0], 60), line, column)


def render(template: str, values: Mapping[str, Json]) -> str:
    """The template with its variables filled in. One without a value, which `bind` prevents, stays as it is written."""

    def fill(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "{{"
        name = (match["inside"] or "").strip()
        return _shown(values[name]) if name in values else match[0]

    return _MARK.sub(fill, template)


def bind(declared: Mapping[str, JsonObject], given: Mapping[str, Json]) -> dict[str, Json]:
    """Values for all declared variables: what was given, else the defaults.

    Raises Invalid, naming each fault with its fix, for unknown names, wrong types and missing values. A declaration has
    `type`, `required` and `default`, as in the manifest.
    """
    faults = [
        _fault(name, "is not a variable of this agent", f"remove it; it has {', '.join(sorted(declared)) or 'none'}")
        for name in given
        if name not in declared
    ]
    values: dict[str, Json] = {}
    for name, declaration in declared.items():
        if name not in given:
            if declaration.get("required"):
                faults.append(_fault(name, "has no value and no default", "send it in `variables`"))
            values[name] = declaration.get("default")
            continue
        problem = value_fault(str(declaration["type"]), given[name])
        if problem is not None:
            faults.append(_fault(name, problem, "send a value of its type"))
        values[name] = given[name]
    if faults:
        first = faults[0]
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise Invalid(f"{first['place']}: {first['problem']}; {first['fix']}{more}.", errors=list(faults))
    return values


def value_fault(kind: str, value: Json) -> str | None:
    """What is wrong with a value for a variable of this type, as a clause; None when nothing is."""
    # To Python, true is an integer.
    if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != VariableType.BOOLEAN):
        return f"has to be a {kind}" if kind != VariableType.INTEGER else "has to be a whole number"
    if isinstance(value, str) and len(value) > LONGEST_VALUE:
        return f"is longer than {LONGEST_VALUE} characters"
    return None


def declaration_fault(declaration: JsonObject) -> str | None:
    """What is wrong with a variable's declaration, as a clause; None when nothing is."""
    default = declaration.get("default")
    if default is None:
        return None
    if declaration.get("required"):
        return "it has a default and is required: one of the two is meant"
    problem = value_fault(str(declaration["type"]), default)
    return None if problem is None else f"its default {problem}"


def _shown(value: Json) -> str:
    if value is None:
        return ""
    return storable(value) if isinstance(value, str) else encode_text(value)


def _fault(name: str, problem: str, fix: str) -> dict[str, str]:
    return {"place": f"variables.{shorten(name, 64)}", "problem": problem, "fix": fix}
