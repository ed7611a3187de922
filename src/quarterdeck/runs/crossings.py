"""What a run's log shows of its edges: the decisions before what crossed them, and what crossed without."""

from dataclasses import dataclass
from enum import StrEnum


class Edge(StrEnum):
    """Where something crosses from one side to the other. There is no memory yet."""

    INPUT = "input"
    MODEL = "model"
    TOOL = "tool"
    APPROVAL = "approval"
    RESULT = "result"
    CHILD = "child"
    SUMMARY = "summary"
    ESCALATION = "escalation"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class Crossing:
    """One edge that was crossed, or not let across, and the decision that stands before it.

    `name` is the model, the tool or the guardrails' edge; `checks` those that were made and `missing` those that had to
    be and were not. `effective` is the digest of what was in force.
    """

    seq: int
    edge: Edge
    step: int
    name: str
    verdict: str
    rule: str = ""
    reason: str = ""
    checks: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    effective: str = ""
    call: str = ""
    child: str = ""


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that stands in the log, at `seq`, without what had to come before it."""

    seq: int
    edge: str
    what: str


@dataclass(frozen=True, slots=True)
class Proof:
    """What a log shows. `ended` is False for a run that goes on: it is proven as far as it has come."""

    edges: tuple[Crossing, ...]
    gaps: tuple[Gap, ...]
    events: int
    ended: bool

    @property
    def proven(self) -> bool:
        """Whether every edge has its decision, and every decision all its checks."""
        return not self.gaps and self.events > 0
