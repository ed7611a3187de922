"""How a run saves when its money runs low: a ladder from a cheaper model to one last answer. Pure.

Each rung costs less than the one above. A run goes down by itself when little is left, and at once as far as it must
when a question does not fit any more; it never climbs up again within one question.
"""

from collections.abc import Sequence
from enum import StrEnum

from quarterdeck.budgets.records import Left, Scope, Unit
from quarterdeck.core.money import MicroUsd, show


class Degree(StrEnum):
    """How far a run saves. What a lower rung leaves out, those above it leave out too."""

    FULL = ""
    CHEAPER = "cheaper"
    """A cheaper model, where the agent has one."""
    SHORTER = "shorter"
    """Only the newest part of the conversation."""
    NO_TOOLS = "no_tools"
    """A last answer from that part."""
    CLOSING = "closing"
    """A last answer from notes, paid from the slice that was set aside at the start."""


LADDER = tuple(Degree)
_CHEAPER_BELOW, _SHORTER_BELOW, _TELL_BELOW = 0.25, 0.10, 0.50
_OWN = frozenset({Scope.RUN, Scope.THREAD, Scope.USER})
"""What a model is told of. How much many others have left is not its business."""
_FEW_STEPS = 5


def share_left(left: Sequence[Left]) -> float:
    """The smallest share that any limit has left, from 0 to 1. Limits on requests a minute don't count: they renew."""
    shares = [one.left / one.limit for one in left if one.limit > 0 and one.unit is not Unit.REQUESTS]
    return max(0.0, min(shares, default=1.0))


def wanted(left: Sequence[Left], *, has_cheaper: bool) -> Degree:
    """The rung on which a run goes on by itself, by what the last question left."""
    share = share_left(left)
    if share < _SHORTER_BELOW:
        return Degree.SHORTER
    return Degree.CHEAPER if share < _CHEAPER_BELOW and has_cheaper else Degree.FULL


def below(degree: Degree, *, has_cheaper: bool) -> Degree:
    """The next rung down. From the last one there is none."""
    lower = LADDER[min(LADDER.index(degree) + 1, len(LADDER) - 1)]
    return Degree.SHORTER if lower is Degree.CHEAPER and not has_cheaper else lower


def notice(left: Sequence[Left], steps_left: int, degree: Degree) -> str:
    """What the model is told is left, once it is worth knowing; else nothing."""
    own = [one for one in left if one.scope in _OWN and one.limit > 0 and one.unit is not Unit.REQUESTS]
    told = [_told(one) for one in own if one.left / one.limit < _TELL_BELOW]
    if steps_left <= _FEW_STEPS:
        told.append(f"{steps_left} step{'s'[: steps_left != 1]}")
    if not told:
        return ""
    words = f"[Left for this run: {', '.join(dict.fromkeys(told))}."
    if degree is not Degree.FULL or steps_left <= 2:
        words += " Come to an end: do what matters most, then give your final answer."
    return words + "]"


def _told(left: Left) -> str:
    if left.unit is Unit.USD:
        return f"{show(MicroUsd(max(0, left.left)))} of {show(MicroUsd(left.limit))} ({left.scope} budget)"
    return f"{max(0, left.left):,} of {left.limit:,} {left.unit} ({left.scope} budget)"
