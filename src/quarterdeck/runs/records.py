"""A run as it is kept and as it is shown."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from quarterdeck.core.ids import AgentName, ReleaseId, RunId, TenantId, ThreadId, UserId, WorkerId
from quarterdeck.core.json import Json
from quarterdeck.core.money import MicroUsd
from quarterdeck.runs.parts import Narrowing


class Status(StrEnum):
    """Where a run stands. Users meet these words in every list."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING_FOR_APPROVAL = "waiting_for_approval"
    WAITING_FOR_CONNECTION = "waiting_for_connection"
    WAITING_FOR_OUTCOME = "waiting_for_outcome"
    WAITING_FOR_RETRY = "waiting_for_retry"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"
    CANCELLED = "cancelled"


ENDED = frozenset({Status.SUCCEEDED, Status.FAILED, Status.STOPPED, Status.CANCELLED})
LIVE = frozenset({Status.RUNNING, Status.CANCELLING})
PARKED = frozenset({Status.WAITING_FOR_APPROVAL, Status.WAITING_FOR_CONNECTION, Status.WAITING_FOR_OUTCOME})
ADMISSIBLE = frozenset({Status.QUEUED, Status.WAITING_FOR_RETRY})

CHILD = "child"
"""The reason of a run that waits for another one, which it has called as a tool."""


class StopReason(StrEnum):
    """Why a control ended a run on purpose."""

    BUDGET = "budget"
    STEPS = "steps"
    TIME = "time"
    SWITCH = "switch"
    POLICY = "policy"
    ESCALATED = "escalated"
    TOKENS = "tokens"
    CALLS = "calls"
    LOOP = "loop"


class Effect(StrEnum):
    """What a tool does to the world. The last five are dangerous: a person is asked by default once policies are in."""

    READ = "read"
    WRITE = "write"
    EXTERNAL_MESSAGE = "external_message"
    PAYMENT = "payment"
    DELETION = "deletion"
    ACCESS_CHANGE = "access_change"
    PRODUCTION_CHANGE = "production_change"


class Repeat(StrEnum):
    """What a crash between intent and outcome means: may the call be made again?"""

    SAFE = "safe"
    KEYED = "keyed"
    NEVER = "never"


class Strategy(StrEnum):
    """What happens when a thread's earlier run has not ended yet."""

    REJECT = "reject"
    ENQUEUE = "enqueue"
    INTERRUPT = "interrupt"


@dataclass(frozen=True, slots=True)
class Run:
    """One row of `qd.runs`: everything that lists, limits and fences need; the rest is in the log."""

    tenant: TenantId
    id: RunId
    kind: str
    agent: AgentName
    release: ReleaseId
    behaviour: int
    user_id: UserId
    thread: ThreadId | None
    thread_position: int | None
    parent: UUID | None
    priority: int
    tags: Mapping[str, str]
    submitted_by: str
    title: str
    traceparent: str | None
    created_at: datetime
    status: Status
    available_at: datetime
    delivered_at: datetime | None
    worker: WorkerId | None
    started_at: datetime | None
    finished_at: datetime | None
    attempt: int
    last_seq: int
    last_event_at: datetime
    parked_at: datetime | None
    waited_ms: int
    step: str
    steps_used: int
    tool_calls: int
    failed_calls: int
    input_tokens: int
    output_tokens: int
    cost: MicroUsd
    risk_level: str
    reason: str | None
    why: str
    error_code: str | None
    cancel_requested_at: datetime | None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it by itself."""
        return self.status in ENDED


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One row of the log. `data` is the event's JSON text as stored; `events.read` gives it its type."""

    seq: int
    attempt: int
    kind: str
    v: int
    at: datetime
    data: str


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One call that is not a read: sent once, or unknown. `call` is `STEP/CALL`, as `store.entry` writes it."""

    call: str
    tool: str
    effect: str
    repeat: str
    key: str
    arguments_digest: str
    state: str
    intended_at: datetime
    not_after: datetime
    settled_at: datetime | None
    settled_by: str | None


@dataclass(frozen=True, slots=True)
class Submission:
    """A run that somebody asks for, checked and resolved to a release, ready to be admitted in one transaction."""

    tenant: TenantId
    id: RunId
    agent: AgentName
    release: ReleaseId
    behaviour: int
    user_id: UserId
    submitted_by: str
    variables: Mapping[str, Json]
    thread: ThreadId | None
    priority: int
    tags: Mapping[str, str]
    available_at: datetime | None
    dedup_key: str | None
    dedup_digest: bytes | None
    traceparent: str | None
    parent: RunId | None = None
    kind: str = "agent"
    roles: tuple[str, ...] = ()
    claims: Mapping[str, Json] = field(default_factory=dict[str, Json])
    narrowed: Narrowing | None = None
