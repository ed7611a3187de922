"""Comparing levels. Pure."""

from quarterdeck.autonomy.records import AboveCeiling, Autonomy, Granted, NeedsNoLevel, ReasonMissing

LADDER = tuple(Autonomy)
"""From least to most."""

UNSURE = Autonomy.ASK_ALWAYS
"""The most that an agent may do where what was set can't be told."""


def lowest(ceiling: str, *levels: str | None) -> str:
    """The least of some levels; None is no level. A word that is none counts as the least there is."""
    known = [ceiling, *(level for level in levels if level is not None)]
    if any(level not in LADDER for level in known):
        return Autonomy.SUGGEST.value
    return min((Autonomy(level) for level in known), key=LADDER.index).value


def check_level(granted: Granted, level: Autonomy, why: str) -> None:
    """Let a level be set that the release grants. Raises NeedsNoLevel, AboveCeiling or ReasonMissing."""
    if granted.effect == "read":
        raise NeedsNoLevel(tool=granted.tool)
    if LADDER.index(level) > LADDER.index(granted.ceiling):
        raise AboveCeiling(level=level.value, ceiling=granted.ceiling.value, tool=granted.tool)
    check_reason(why)


def check_reason(why: str) -> None:
    """Raise ReasonMissing where nobody says why."""
    if not why.strip():
        raise ReasonMissing
