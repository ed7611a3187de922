"""What a deployment answers, typed. Members that a newer deployment adds are ignored; those that an older one lacks
have a value that means "not said".
"""

from datetime import datetime
from typing import Generic, Literal, TypeAlias, TypeVar

import msgspec

from quarterdeck.core.json import Json

T = TypeVar("T")

ENDED = frozenset({"succeeded", "failed", "stopped", "cancelled"})
WAITING = frozenset({"waiting_for_approval", "waiting_for_connection", "waiting_for_outcome"})
"""A person has to do something; `waiting_for_retry` goes on by itself."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What all records share: they don't change, and are made by name."""


class Page(Record, Generic[T], frozen=True, kw_only=True):
    """Some items of a list. `next_cursor` is None on the last page."""

    items: list[T]
    next_cursor: str | None = None


class Handoff(Record, frozen=True, kw_only=True):
    """What a run that did not succeed leaves behind."""

    done: list[str] = []
    left: list[str] = []
    why: str = ""
    last_words: str = ""


class Result(Record, frozen=True, kw_only=True):
    """What a run came to. `output` is set where the agent answers by a schema."""

    text: str = ""
    output: Json = None
    error: str | None = None
    handoff: Handoff | None = None


class Doubt(Record, frozen=True, kw_only=True):
    """A call that may or may not have taken effect. Nobody may answer for it before `ask_after` (Unix ms)."""

    call: str
    tool: str
    arguments: dict[str, Json] = {}
    ask_after: int = 0


class Run(Record, frozen=True, kw_only=True):
    """A run. Members after `pending_approvals` are set where one run was asked for, and empty in lists."""

    run_id: str
    agent: str
    status: str
    kind: str = "agent"
    tenant: str = ""
    release: str = ""
    agent_version: str = ""
    user_id: str = ""
    thread_id: str | None = None
    parent_run_id: str | None = None
    reason: str | None = None
    why: str = ""
    worker_id: str | None = None
    current_step: str = ""
    priority: int = 0
    tags: dict[str, str] = {}
    title: str = ""
    submitted_by: str = ""
    owner: str | None = None
    created_at: datetime | None = None
    available_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    parked_at: datetime | None = None
    attempt: int = 0
    last_seq: int = 0
    duration_ms: int = 0
    queued_ms: int = 0
    waiting_ms: int = 0
    age_s: int | None = None
    steps_used: int = 0
    tool_calls: int = 0
    failed_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_micro_usd: int = 0
    estimated_cost_usd: float = 0.0
    risk_level: str = "read"
    error_code: str | None = None
    pending_approvals: list[Json] = []
    tools_called: list[str] = []
    budget: dict[str, float] = {}
    effective: dict[str, Json] = {}
    unknown_outcomes: list[Doubt] = []
    result: Result | None = None

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self.status in ENDED

    @property
    def succeeded(self) -> bool:
        """Whether it did what was asked."""
        return self.status == "succeeded"

    @property
    def waits_for_person(self) -> bool:
        """Whether it goes on only when somebody answers."""
        return self.status in WAITING

    @property
    def text(self) -> str:
        """The answer in words; empty while there is none."""
        return self.result.text if self.result else ""


class Event(Record, frozen=True, kw_only=True):
    """Something that happened in a run. `seq` counts from 1 without gaps."""

    seq: int
    kind: str = ""
    attempt: int = 0
    at: datetime | None = None
    data: dict[str, Json] = {}


class Delta(Record, frozen=True, kw_only=True):
    """A piece of what the model is just writing; not kept. `offset` counts characters of this kind of text."""

    step: int
    attempt: int = 0
    offset: int = 0
    kind: str = "text"
    text: str = ""


class Reset(Record, frozen=True, kw_only=True):
    """What was streamed of this step is void: it is written anew."""

    step: int
    attempt: int = 0


StreamItem: TypeAlias = Event | Delta | Reset


class Facets(Record, frozen=True, kw_only=True):
    """How many of the newest runs there are of each."""

    status: dict[str, int] = {}
    agent: dict[str, int] = {}
    cause: dict[str, int] = {}


class StreamToken(Record, frozen=True, kw_only=True):
    """A token that reads one run for a while: for a page in somebody's browser."""

    token: str
    expires_at: datetime


class Clause(Record, frozen=True, kw_only=True):
    """A part of a story, and the event that it stands on."""

    text: str
    seq: int | None = None


class Story(Record, frozen=True, kw_only=True):
    """What happened, in one sentence."""

    sentence: str = ""
    tone: str = ""
    clauses: list[Clause] = []


class Span(Record, frozen=True, kw_only=True):
    """A stretch of a run: a model call, a tool call, a wait."""

    id: str
    parent: str | None = None
    seq: int = 0
    end_seq: int | None = None
    kind: str = ""
    name: str = ""
    status: str = ""
    start: datetime | None = None
    end: datetime | None = None
    ms: float | None = None
    risk: str | None = None
    attributes: dict[str, Json] = {}


class Trace(Record, frozen=True, kw_only=True):
    """A run, told: its story, its spans, what it did to the world, what it cost."""

    run: Run
    story: Story = Story()
    facts: dict[str, Json] = {}
    blast: dict[str, Json] | None = None
    spans: list[Span] = []
    conversation: list[dict[str, Json]] = []
    effects: list[dict[str, Json]] = []
    cost: list[dict[str, Json]] = []
    trace_id: str = ""


class Crossing(Record, frozen=True, kw_only=True):
    """One edge of a run and the decision that stands before it."""

    seq: int
    edge: str
    step: int = 0
    name: str = ""
    verdict: str = ""
    rule: str = ""
    reason: str = ""
    checks: list[str] = []
    missing: list[str] = []
    policies: list[str] = []
    approved_by: list[str] = []
    effective: str = ""
    call: str = ""
    child: str | None = None


class Gap(Record, frozen=True, kw_only=True):
    """Something that stands in a run's log without what had to come before it."""

    seq: int
    edge: str
    what: str


class RunProof(Record, frozen=True, kw_only=True):
    """What a run's log proves. `demanded` are the checks that had to be made, by edge."""

    run_id: str
    proven: bool
    ended: bool = True
    release: str = ""
    behaviour: int = 0
    events: int = 0
    demanded: dict[str, list[str]] = {}
    edges: list[Crossing] = []
    gaps: list[Gap] = []
    children: list[str] = []


class OpenRun(Record, frozen=True, kw_only=True):
    """A run of a thread that has not ended."""

    run_id: str
    position: int = 0
    status: str = ""


class Thread(Record, frozen=True, kw_only=True):
    """A conversation. It is busy while one of its runs has not ended."""

    thread_id: str
    agent: str
    user_id: str = ""
    title: str = ""
    tags: dict[str, str] = {}
    status: str = "idle"
    open_runs: list[OpenRun] = []
    run_count: int = 0
    created_by: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None


class Turn(Record, frozen=True, kw_only=True):
    """One message of a conversation, and where it stands in a run's log."""

    run_id: str
    position: int
    seq: int
    role: str
    at: datetime | None = None
    content: list[dict[str, Json]] = []


Strategy: TypeAlias = Literal["reject", "enqueue", "interrupt"]
Outcome: TypeAlias = Literal["happened", "did_not_happen"]
