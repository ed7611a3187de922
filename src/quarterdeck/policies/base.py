"""The policy that ships: what holds for every tool before anybody has written one, and needs no tuning."""

from functools import cache
from importlib.resources import files

from quarterdeck.policies.records import PolicyText

NAME = "base.cedar"
GRANTED = f"{NAME}/granted"
"""The permit that a release's own permits for a tool take the place of."""


@cache
def base() -> PolicyText:
    """Its text, as it can be printed."""
    return PolicyText(NAME, (files("quarterdeck.policies") / NAME).read_text(encoding="utf-8"))
