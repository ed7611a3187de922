"""What a log is projected to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from quarterdeck.core.json import Json
from quarterdeck.core.money import MicroUsd


class Kind(StrEnum):
    """What a span is of."""

    RUN = "run"
    ATTEMPT = "attempt"
    QUEUE = "queue"
    MODEL = "model"
    TOOL = "tool"
    POLICY = "policy"
    APPROVAL = "approval"
    WAIT = "wait"
    GUARDRAIL = "guardrail"
    CHECKPOINT = "checkpoint"
    MESSAGE = "message"


class Mark(StrEnum):
    """How a span came out. `denied`: a control did not let it be; `unknown`: nobody knows whether it took effect."""

    OK = "ok"
    ERROR = "error"
    RUNNING = "running"
    WAITING = "waiting"
    DENIED = "denied"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a run. `seq` and `end_seq` are the events that it begins and ends with; `end` None: it goes on."""

    id: str
    parent: str | None
    seq: int
    end_seq: int | None
    kind: Kind
    name: str
    mark: Mark
    start: datetime
    end: datetime | None
    risk: str | None
    attributes: Mapping[str, Json]

    def ms(self, now: datetime) -> int:
        """How long it took, or has taken so far."""
        return max(0, int(((self.end or now) - self.start).total_seconds() * 1000))


class Tone(StrEnum):
    """In which colour a story is told."""

    OK = "ok"
    RUNNING = "running"
    WAITING = "waiting"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of the sentence, and the event that it speaks of."""

    text: str
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """What happened, in one breath."""

    clauses: tuple[Clause, ...]
    tone: Tone

    @property
    def sentence(self) -> str:
        """All clauses, one after the other."""
        return " ".join(clause.text for clause in self.clauses)


@dataclass(frozen=True, slots=True)
class Blast:
    """How many other recent runs of the agent ended for the same cause, on this release and on the one before."""

    cause: str
    this_release: int
    previous_release: int


@dataclass(frozen=True, slots=True)
class Time:
    """Where a run's time went, in milliseconds; the parts add up to the whole. `timers`: a delay, or the next try."""

    queue: int = 0
    model: int = 0
    tools: int = 0
    people: int = 0
    timers: int = 0
    other: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """The figures beside the sentence. Tokens as the providers counted them."""

    duration_ms: int
    time: Time
    cost: MicroUsd
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    model_calls: int
    tool_calls: int
    failed_calls: int
    denied_calls: int
    attempts: int
    steps: int
    events: int
