"""What `/v1/alerts` answers."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field, JsonValue

from quarterdeck.alerts.near import Cause
from quarterdeck.alerts.records import Kind, Severity
from quarterdeck.http.pages import DEFAULT_LIMIT, MAX_LIMIT
from quarterdeck.runs.bodies import Words
from quarterdeck.runs.records import Status


class AlertQuery(BaseModel):
    """What a list of alerts is narrowed to, and the page of it."""

    state: Literal["standing", "raised", "acknowledged", "resolved"] | None = Field(
        default=None, description="`standing` = raised or acknowledged."
    )
    kind: Kind | None = None
    severity: Severity | None = None
    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="Items on a page.")
    cursor: str | None = Field(default=None, max_length=1024, description="`next_cursor` of the page before.")


class AlertRecord(BaseModel):
    """An alert as it is shown."""

    alert_id: UUID
    kind: Kind
    severity: Severity
    state: str = Field(description="`raised`, `acknowledged` by somebody, or `resolved` by itself.")
    subject: str = Field(description="What it is about: `budget:NAME`, `agent:NAME`, `tenant`, a provider or a model.")
    agent: str | None
    words: str = Field(description="What is wrong, in a sentence.")
    facts: dict[str, JsonValue] = Field(description="Its figures: money in micro-USD.")
    count: int = Field(description="How many accounts or calls it is about.")
    deployment: bool = Field(description="Of the deployment, and seen by its admins only.")
    raised_at: datetime
    last_at: datetime
    resolved_at: datetime | None
    resolved_why: str
    acknowledged_at: datetime | None
    acknowledged_by: str | None


class AlertPage(BaseModel):
    """A page of alerts, newest first."""

    items: list[AlertRecord]
    next_cursor: str | None


class AlertFacets(BaseModel):
    """How many stand that nobody has acknowledged, by severity."""

    severity: dict[Severity, int]


class NearQuery(BaseModel):
    """What the report is narrowed to, and the page of it."""

    agent: Words = None
    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="Items on a page.")
    cursor: str | None = Field(default=None, max_length=1024, description="`next_cursor` of the page before.")


class UseRecord(BaseModel):
    """How much of one limit is used. Of a budget in micro-USD."""

    limit: Literal["budget", "tokens", "steps", "tool_calls"]
    used: int
    most: int
    used_percent: int


class NearRecord(BaseModel):
    """A run that is near a limit, and what brought it there."""

    run_id: UUID
    agent: str
    user_id: str
    release: str
    status: Status
    title: str
    limits: list[UseRecord] = Field(description="Those of which four fifths are used, the nearest first.")
    cause: Cause
    words: str = Field(description="The cause, in a sentence.")
    tool: str | None = Field(description="The tool that is to blame, where it is one.")


class NearPage(BaseModel):
    """A page of runs that are near a limit, newest first."""

    items: list[NearRecord]
    next_cursor: str | None
