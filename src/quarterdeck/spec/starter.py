"""The folder that `qd init` makes: an agent that works, to be changed into one's own."""

import re
from importlib.resources import files
from importlib.resources.abc import Traversable

from quarterdeck.core.errors import Invalid
from quarterdeck.core.json import encode
from quarterdeck.spec import values
from quarterdeck.spec.editor import agent_schema

SCHEMA_FILE = "agent.schema.json"
_TEMPLATES = "templates"


class NoSuchTemplate(Invalid):
    """There is no template of this name."""

    code = "template.unknown"


class BadName(Invalid):
    """An agent's name has lower-case letters, digits and dashes, at most 63, and begins with a letter or digit."""

    code = "agent.bad_name"


def templates() -> tuple[str, ...]:
    """The names of the templates."""
    return tuple(sorted(entry.name for entry in _root().iterdir() if entry.is_dir() and entry.name[0].isalpha()))


def starter_files(name: str, owner: str, template: str = "assistant") -> dict[str, bytes]:
    """The files of a new agent by path: the template under this name and owner, and the schema for editors.

    Raises BadName or NoSuchTemplate.
    """
    if re.fullmatch(values.NAME, name) is None:
        raise BadName(name=name)
    if template not in templates():
        raise NoSuchTemplate(template=template, known=list(templates()))
    found = dict(_below(_root() / template, ""))
    for path in ("agent.yaml", "README.md"):
        found[path] = _renamed(found[path].decode(), name, owner, template).encode()
    found[SCHEMA_FILE] = encode(agent_schema())
    return found


def _renamed(text: str, name: str, owner: str, template: str) -> str:
    text = re.sub(rf"^name: {template}$", f"name: {name}", text, flags=re.MULTILINE)
    # As a JSON string, which YAML reads too: an owner may hold a colon or a quote.
    text = re.sub(r"^owner: .*$", lambda _: f"owner: {encode(owner).decode()}", text, flags=re.MULTILINE)
    return text.replace(f"run submit {template} ", f"run submit {name} ")


def _below(folder: Traversable, under: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name != "__pycache__":
            found += _below(entry, f"{under}{entry.name}/")
        elif entry.is_file() and not entry.name.endswith(".pyc"):
            found.append((f"{under}{entry.name}", entry.read_bytes()))
    return found


def _root() -> Traversable:
    return files("quarterdeck") / _TEMPLATES
