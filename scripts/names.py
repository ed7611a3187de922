"""Names that say nothing are banned: a thing is called by what it is to a user or by what it does.

Modules, classes and functions are looked at; test sentences are free, since they quote what users say.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from scripts.findings import ROOT, Finding

BANNED = frozenset({"manager", "helper", "util", "handler", "processor", "data", "info", "misc"})
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

# Names that somebody else chose. Each entry: file, name, and who insists on it.
ALLOWED: dict[tuple[str, str], str] = {
    ("examples/ops-helper/tools.py", "ops-helper"): "an agent, called what its users would call it",
}


def check(files: Iterable[Path]) -> Iterator[Finding]:
    """A finding for each module, class or function whose name contains a banned word and is not on the list."""
    for file in files:
        path = file.relative_to(ROOT).as_posix()
        if file.suffix not in {".py", ".ts", ".tsx"}:
            continue
        for line, name in [(1, part) for part in module_names(path)] + (defined(file) if file.suffix == ".py" else []):
            word = banned_word(name)
            if word and (path, name) not in ALLOWED:
                yield Finding(file, line, f"'{name}' contains '{word}': name it by what it is or does")


def banned_word(name: str) -> str | None:
    """The first banned word in a snake_case or CamelCase name, plural or not; test sentences have none."""
    if name.startswith("test_"):
        return None
    words = (word.lower() for word in WORD.findall(name))
    return next((word for word in words if word in BANNED or word.removesuffix("s") in BANNED), None)


def module_names(path: str) -> list[str]:
    """The folders and the stem of a source file, from the repository's root."""
    return [part.split(".")[0] for part in path.split("/")]


def defined(file: Path) -> list[tuple[int, str]]:
    """Line and name of every class and function in a Python file."""
    tree = ast.parse(file.read_text(encoding="utf-8"), filename=str(file))
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return [(node.lineno, node.name) for node in ast.walk(tree) if isinstance(node, kinds)]
