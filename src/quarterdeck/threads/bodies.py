"""What `/v1/threads` takes and answers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from quarterdeck.core.json import Json
from quarterdeck.http.pages import DEFAULT_LIMIT, MAX_LIMIT
from quarterdeck.runs.bodies import Tags, UserRef, Wanted, Words
from quarterdeck.runs.records import Status
from quarterdeck.spec import values
from quarterdeck.threads.records import OpenRun, Thread


class NewThread(BaseModel):
    """A conversation to start."""

    model_config = ConfigDict(extra="forbid")

    agent: Annotated[str, StringConstraints(pattern=values.NAME)] = Field(examples=["support-desk"])
    user_id: UserRef | None = Field(default=None, description="Whose it is; needs a key with may_assert_user.")
    title: Annotated[str, StringConstraints(max_length=200)] = Field(
        default="", description="Absent = the first words of its first message."
    )
    tags: Tags = Field(default={})


class ThreadRunRequest(Wanted):
    """The next message of a conversation. The user is the thread's unless it says otherwise."""


class ThreadQuery(BaseModel):
    """What a list of threads is narrowed to, and the page of it."""

    agent: Words = None
    user_id: Words = None
    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="Items on a page.")
    cursor: str | None = Field(default=None, max_length=1024, description="`next_cursor` of the page before.")


class OpenRunRecord(BaseModel):
    """A run that has not ended."""

    run_id: UUID
    position: int
    status: Status


class ThreadRecord(BaseModel):
    """A conversation. It is busy while one of its runs has not ended."""

    thread_id: UUID
    agent: str
    user_id: str
    title: str
    tags: dict[str, str]
    status: Literal["idle", "busy"]
    open_runs: list[OpenRunRecord]
    run_count: int
    created_by: str
    created_at: datetime
    updated_at: datetime


class ThreadPage(BaseModel):
    """A page of threads, newest first."""

    items: list[ThreadRecord]
    next_cursor: str | None


class TurnRecord(BaseModel):
    """One message of a conversation, and the place in a run's log where it stands."""

    model_config = ConfigDict(extra="allow")

    run_id: UUID
    position: int = Field(description="Of the run in the thread.")
    seq: int
    at: datetime
    role: Literal["user", "model", "tool"]
    content: list[dict[str, JsonValue]]


class TurnPage(BaseModel):
    """The messages of some runs of a thread, in order."""

    items: list[TurnRecord]
    next_cursor: str | None


def show_thread(thread: Thread, open_runs: Sequence[OpenRun]) -> dict[str, Json]:
    """A thread as JSON."""
    return {
        "thread_id": str(thread.id),
        "agent": thread.agent,
        "user_id": thread.user_id,
        "title": thread.title,
        "tags": dict(thread.tags),
        "status": "busy" if open_runs else "idle",
        "open_runs": [
            {"run_id": str(run.id), "position": run.position, "status": run.status.value} for run in open_runs
        ],
        "run_count": thread.run_count,
        "created_by": thread.created_by,
        "created_at": thread.created_at.isoformat().replace("+00:00", "Z"),
        "updated_at": thread.updated_at.isoformat().replace("+00:00", "Z"),
    }
