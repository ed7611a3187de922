"""Which runs are near an end that they did not choose, and what brought them there. Pure.

A run that ends by its budget, steps or tokens is rarely just long: it asks the same thing again and again, drags a
growing conversation along, or made one dear step. The cause is what a person can do something about.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

from quarterdeck.core.money import MicroUsd
from quarterdeck.core.money import show as usd

NEAR = 0.8
"""The part of a limit from which on a run is near it."""
SAME_CALL = 3
"""Calls of one tool with the same arguments, among the last ones, that are a loop."""
SAME_TOOL = 0.6
"""The part of the last calls that one tool makes up when it is the one that keeps a run busy."""
FAILING = 3
"""Calls of a tool that failed, among the last ones, that explain why a run goes on."""
GROWTH = 3.0
"""Times the first step's input that the last one's is when a conversation has grown."""
DEAR = 3.0
"""Times the usual step's cost that the last one's is when it was a dear one."""
LOOKED_AT = 12
"""Calls and steps that are looked at, the latest."""


class Cause(StrEnum):
    """What brought a run near its end."""

    LOOPING_TOOL = "looping_tool"
    FAILING_TOOL = "failing_tool"
    GROWING_CONTEXT = "growing_context"
    DEAR_STEP = "dear_step"
    BUSY_TOOL = "busy_tool"
    MANY_STEPS = "many_steps"


@dataclass(frozen=True, slots=True)
class Use:
    """How much of one limit is used. `limit`: `budget` (micro-USD), `tokens`, `steps` or `tool_calls`."""

    limit: str
    used: int
    most: int

    @property
    def share(self) -> float:
        """The part that is used."""
        return self.used / self.most if self.most > 0 else 1.0


@dataclass(frozen=True, slots=True)
class Step:
    """What one step of a run took."""

    step: int
    input: int
    output: int
    micro_usd: int


@dataclass(frozen=True, slots=True)
class Called:
    """One tool call: `same` is equal for calls with the same arguments."""

    tool: str
    same: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Blame:
    """The cause, in words, and the tool where it is one."""

    cause: Cause
    words: str
    tool: str | None = None


def nearest(uses: Sequence[Use]) -> tuple[Use, ...]:
    """The limits that are near, the nearest first."""
    return tuple(sorted((use for use in uses if use.share >= NEAR), key=lambda use: -use.share))


def blame(steps: Sequence[Step], calls: Sequence[Called]) -> Blame:
    """What brought a run here, by its latest steps and calls in their order: the first that explains it."""
    recent = calls[-LOOKED_AT:]
    found = _looping(recent) or _failing(recent) or _dear(steps) or _growing(steps) or _busy(recent)
    if found is not None:
        return found
    return Blame(Cause.MANY_STEPS, f"{len(steps)} steps, none of which stands out.")


def _looping(calls: Sequence[Called]) -> Blame | None:
    counts = Counter((call.tool, call.same) for call in calls)
    (tool, _), times = max(counts.items(), key=lambda item: item[1], default=(("", ""), 0))
    if times < SAME_CALL:
        return None
    words = f"`{tool}` was called {times} times with the same arguments among the last {len(calls)} calls."
    return Blame(Cause.LOOPING_TOOL, words, tool)


def _failing(calls: Sequence[Called]) -> Blame | None:
    counts = Counter(call.tool for call in calls if call.failed)
    tool, times = max(counts.items(), key=lambda item: item[1], default=("", 0))
    if times < FAILING:
        return None
    return Blame(Cause.FAILING_TOOL, f"`{tool}` failed {times} times among the last {len(calls)} calls.", tool)


def _dear(steps: Sequence[Step]) -> Blame | None:
    if not steps:
        return None
    last, total = steps[-1], sum(step.micro_usd for step in steps)
    if total <= 0 or last.micro_usd * 10 < total * 3:
        return None
    before = [step.micro_usd for step in steps[:-1]]
    if before and last.micro_usd < DEAR * median(before):
        return None
    share = round(100 * last.micro_usd / total)
    return Blame(Cause.DEAR_STEP, f"The last step cost {usd(MicroUsd(last.micro_usd))}, {share} % of these steps.")


def _growing(steps: Sequence[Step]) -> Blame | None:
    if len(steps) < 3:
        return None
    first, last = steps[0].input, steps[-1].input
    if first <= 0 or last < GROWTH * first:
        return None
    words = f"The conversation grew from {first:,} to {last:,} tokens in {len(steps)} steps, and each step reads it."
    return Blame(Cause.GROWING_CONTEXT, words)


def _busy(calls: Sequence[Called]) -> Blame | None:
    counts = Counter(call.tool for call in calls)
    tool, times = max(counts.items(), key=lambda item: item[1], default=("", 0))
    if times < 5 or times < SAME_TOOL * len(calls):
        return None
    return Blame(
        Cause.BUSY_TOOL, f"`{tool}` is {times} of the last {len(calls)} calls, each with something else.", tool
    )
