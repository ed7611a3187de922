"""Settings of a rule, each read as what it has to be. Releases were judged when they were registered: what does not fit
here was made by another version, and makes the rule unusable.
"""

from collections.abc import Mapping, Sequence
from typing import cast

from quarterdeck.core.json import Json
from quarterdeck.guardrails.records import Unusable
from quarterdeck.releases.records import ModelPin
from quarterdeck.releases.view import pin_in

Settings = Mapping[str, Json]


def texts(settings: Settings, name: str, default: Sequence[str] = ()) -> tuple[str, ...]:
    """A list of texts."""
    value = settings.get(name)
    if value is None:
        return tuple(default)
    if not isinstance(value, Sequence) or isinstance(value, str) or not all(isinstance(one, str) for one in value):
        raise Unusable(f"`{name}` has to be a list of texts.")
    return tuple(cast("Sequence[str]", value))


def text(settings: Settings, name: str, default: str | None = None) -> str:
    """A text; without a default it has to be there."""
    value = settings.get(name, default)
    if not isinstance(value, str):
        raise Unusable(f"`{name}` has to be a text.")
    return value


def number(settings: Settings, name: str, default: float) -> float:
    """A number."""
    value = settings.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unusable(f"`{name}` has to be a number.")
    return float(value)


def flag(settings: Settings, name: str, *, default: bool = False) -> bool:
    """Yes or no."""
    value = settings.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise Unusable(f"`{name}` has to be true or false.")
    return value


def mapping(settings: Settings, name: str) -> Mapping[str, Json]:
    """Members by name; none where it is not there."""
    value = settings.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise Unusable(f"`{name}` has to have members.")
    return value


def pin(settings: Settings, name: str = "model") -> ModelPin | None:
    """An exact model; None where there is none."""
    members = mapping(settings, name)
    if not members:
        return None
    try:
        return pin_in(members)
    except ValueError:
        raise Unusable(f"`{name}` has to name a provider and an exact model.") from None
