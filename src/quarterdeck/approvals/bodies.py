"""What `/v1/approvals` takes and answers."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from quarterdeck.approvals.records import State, Verdict
from quarterdeck.http.pages import DEFAULT_LIMIT, MAX_LIMIT
from quarterdeck.runs.bodies import Words

MOST_AT_ONCE = 100

Digest = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
Why = Annotated[str, StringConstraints(max_length=2_000)]
RiskLevel = Literal["read", "write", "money", "irreversible"]


class ApproveRequest(BaseModel):
    """A yes to what was seen."""

    model_config = ConfigDict(extra="forbid")

    digest: Digest | None = Field(default=None, description="The approval's `digest`: a yes is to that and no more.")
    arguments: dict[str, JsonValue] | None = Field(
        default=None, description="Others instead; the gate judges them anew when the call is made."
    )
    why: Why = ""


class DenyRequest(BaseModel):
    """A no, and why: the agent is told."""

    model_config = ConfigDict(extra="forbid")

    why: Why = ""


class BatchRequest(BaseModel):
    """One answer to many questions. A yes covers reads and plain writes that one person may approve, a no any."""

    model_config = ConfigDict(extra="forbid")

    ids: list[UUID] = Field(min_length=1, max_length=MOST_AT_ONCE)
    verdict: Verdict
    why: Why = ""


class LinkRequest(BaseModel):
    """An answer by link."""

    model_config = ConfigDict(extra="forbid")

    verdict: Verdict
    digest: Digest | None = None
    why: Why = ""


class ApprovalQuery(BaseModel):
    """What a list of approvals is narrowed to, and the page of it."""

    state: State | None = None
    agent: Words = None
    tool: Words = None
    run: UUID | None = None
    risk: RiskLevel | None = None
    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="Items on a page.")
    cursor: str | None = Field(default=None, max_length=1024, description="`next_cursor` of the page before.")


class VoteRecord(BaseModel):
    """Somebody's yes to what is asked about now."""

    by: str
    at: datetime


class PreviousRecord(BaseModel):
    """The call of the same tool by the same agent that was approved last."""

    arguments: dict[str, JsonValue]
    at: datetime | None


class SimilarRecord(BaseModel):
    """How questions about the same tool of the same agent ended in the last 90 days; 1,000 is that or more."""

    approved: int
    denied: int
    expired: int


class LinkedRecord(BaseModel):
    """A question that a person has to answer before a call is made."""

    approval_id: UUID
    run_id: UUID
    call: str
    step: int
    tool: str
    agent: str
    release: str
    agent_version: str
    user_id: str
    effect: str
    risk_level: RiskLevel
    summary: str = Field(description="The exact effect in words.")
    arguments: dict[str, JsonValue] = Field(description="As the agent gave them.")
    edited: dict[str, JsonValue] | None = Field(description="As a reviewer changed them; these are asked about then.")
    origins: dict[str, str] = Field(description="Where the value at each path can have come from.")
    reason: str
    rule: str
    policies: list[str]
    effective: str = Field(description="Digest of the live settings that the question was decided under.")
    people: int = Field(description="How many have to say yes.")
    roles: list[str] = Field(description="Who may answer, besides owners.")
    votes: list[VoteRecord]
    state: State
    asked_at: datetime
    expires_at: datetime
    age_s: int = Field(description="How long it has waited, or had when it was answered.")
    digest: str
    answered_at: datetime | None
    answered_by: list[str]
    why: str
    consumed_at: datetime | None = Field(description="When the call that it allowed was about to be sent.")


class ApprovalRecord(LinkedRecord):
    """A question, with what was decided about its tool before."""

    previous: PreviousRecord | None
    similar: SimilarRecord


class ApprovalPage(BaseModel):
    """A page of approvals, newest first."""

    items: list[ApprovalRecord]
    next_cursor: str | None


class BatchItem(BaseModel):
    """What became of one answer of many. `code` and `detail` say why it did not count."""

    approval_id: UUID
    state: State | None
    code: str | None
    detail: str | None


class BatchRecord(BaseModel):
    """What became of each answer."""

    items: list[BatchItem]


class ApprovalFacets(BaseModel):
    """How many of the newest 10,000 pending there are of each, and how many in all."""

    state: dict[str, int]
    agent: dict[str, int]
    tool: dict[str, int]
    risk: dict[str, int]
