"""A docstring taken apart: what the tool does, and what each argument means."""

import inspect
import re
from dataclasses import dataclass, field

_SECTION = re.compile(r"(Args|Arguments|Parameters|Returns?|Yields?|Raises|Examples?|Notes?):?\s*$")
_GOOGLE = re.compile(r"(\*{0,2}\w+)\s*(?:\([^)]*\))?:\s*(.*)")
_SPHINX = re.compile(r":param\s+(?:[^:]*\s)?(\w+):\s*(.*)")
_SPHINX_ANY = re.compile(r":(param|type|return|returns|rtype|raises?)\b")


@dataclass(slots=True)
class Described:
    """What a docstring says."""

    summary: str = ""
    arguments: dict[str, str] = field(default_factory=dict[str, str])


def read(docstring: str | None) -> Described:
    """Google's `Args:` sections and Sphinx's `:param x:` lines are understood; all before them is the description.

    Other sections are left out: what a function returns or raises is not for the model to read.
    """
    described = Described()
    lines = inspect.cleandoc(docstring or "").splitlines()
    summary: list[str] = []
    section, name = "", ""
    for line in lines:
        if match := _SPHINX.match(line):
            section, name = "sphinx", match[1]
            described.arguments[name] = match[2]
        elif _SPHINX_ANY.match(line):
            section, name = "other", ""
        elif not line.startswith(" ") and (match := _SECTION.match(line)):
            section, name = ("args" if match[1] in {"Args", "Arguments", "Parameters"} else "other"), ""
        elif section == "args":
            name = _argument(described, line, name)
        elif section == "sphinx" and line.startswith(" ") and name:
            _continue(described, name, line)
        elif not section:
            summary.append(line)
    described.summary = "\n".join(summary).strip()
    return described


def _argument(described: Described, line: str, name: str) -> str:
    """One line of an `Args:` section: a new argument, or more about the one before."""
    indent = len(line) - len(line.lstrip())
    match = _GOOGLE.match(line.strip())
    if match and 0 < indent <= 4:
        described.arguments[match[1].lstrip("*")] = match[2]
        return match[1].lstrip("*")
    if name and line.strip():
        _continue(described, name, line)
    return name


def _continue(described: Described, name: str, line: str) -> None:
    described.arguments[name] = f"{described.arguments[name]} {line.strip()}".strip()
