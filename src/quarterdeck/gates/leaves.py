"""The arguments of a call, leaf by leaf, and which of them its tool's author marked."""

import re
from collections.abc import Iterator, Mapping, Sequence

from quarterdeck.core.json import Json


def leaves(value: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    """Every value that is no object and no list, with its path. An empty list or object has none."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from leaves(item, f"{path}.{name}" if path else name)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for position, item in enumerate(value):
            yield from leaves(item, f"{path}[{position}]")
    else:
        yield path, value


def strings(value: Json) -> Iterator[str]:
    """Every text in it that is not empty."""
    return (leaf for _, leaf in leaves(value) if isinstance(leaf, str) and leaf.strip())


def marked(path: str, marks: Sequence[str]) -> bool:
    """Whether a leaf is one of those that marks such as `to` or `items[].account` name, or stands below one."""
    general = re.sub(r"\[\d+\]", "[]", path)
    return any(general == mark or general.startswith((f"{mark}.", f"{mark}[")) for mark in marks)
