"""Reading JSON that others wrote: what is not of the kind that is looked for is taken for nothing."""

from collections.abc import Mapping, Sequence

from quarterdeck.core.json import Json


def items(value: Json) -> Sequence[Json]:
    """The items of a list; none for anything else."""
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


def members(value: Json) -> Mapping[str, Json]:
    """The members of an object; none for anything else."""
    return value if isinstance(value, Mapping) else {}


def text(facts: Mapping[str, Json], name: str) -> str:
    """A member that is a text; empty for anything else."""
    value = facts.get(name)
    return value if isinstance(value, str) else ""


def number(facts: Mapping[str, Json], name: str) -> float:
    """A member that is a number; 0 for anything else."""
    value = facts.get(name)
    return float(value) if isinstance(value, int | float) else 0.0
