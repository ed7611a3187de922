"""A thread as it is kept, and what can be wrong with going on in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from quarterdeck.core.errors import Conflict, Invalid, NotFound
from quarterdeck.core.ids import AgentName, RunId, TenantId, ThreadId, UserId
from quarterdeck.runs.records import Status


@dataclass(frozen=True, slots=True)
class Thread:
    """One conversation of one user with one agent. `run_count` is also the position of its latest run."""

    tenant: TenantId
    id: ThreadId
    agent: AgentName
    user_id: UserId
    title: str
    tags: Mapping[str, str]
    run_count: int
    created_by: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run of a thread that has not ended."""

    thread: ThreadId
    id: RunId
    position: int
    status: Status


class NoSuchThread(NotFound):
    """There is no such thread here."""

    code = "thread.not_found"


class ThreadBusy(Conflict):
    """A run of this thread has not ended; wait for it, or send `multitask_strategy` `enqueue` or `interrupt`."""

    code = "thread.busy"


class OtherAgent(Invalid):
    """This thread is a conversation with another agent; start a thread of its own."""

    code = "thread.other_agent"


class OtherUser(Invalid):
    """This thread is another user's conversation; name its user, or start a thread of its own."""

    code = "thread.other_user"
