"""What `/v1/runs` takes and answers."""

from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from quarterdeck.http.pages import DEFAULT_LIMIT, MAX_LIMIT
from quarterdeck.runs.records import Status, Strategy

LONGEST_DELAY = timedelta(days=366)
MOST_TAGS = 20
MOST_MESSAGES = 1_000

AgentRef = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Why = Annotated[str, StringConstraints(max_length=1_000)]
UserRef = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Tags = Annotated[
    dict[
        Annotated[str, StringConstraints(min_length=1, max_length=64)],
        Annotated[str, StringConstraints(max_length=256)],
    ],
    Field(max_length=MOST_TAGS),
]
Priority = Annotated[int, Field(ge=-100, le=100, description="Higher goes first within the tenant.")]
Words = Annotated[str, StringConstraints(max_length=200)] | None
Risk = Literal["read", "write", "money", "irreversible"]


class Said(BaseModel):
    """One message of a conversation."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["user", "assistant"]
    content: Annotated[str, StringConstraints(min_length=1)]


class Conversation(BaseModel):
    """A conversation so far, its last message the user's."""

    model_config = ConfigDict(extra="forbid")

    messages: Annotated[list[Said], Field(min_length=1, max_length=MOST_MESSAGES)]


class Wanted(BaseModel):
    """What a run is asked to do, wherever it is asked for."""

    model_config = ConfigDict(extra="forbid")

    input: Annotated[str, StringConstraints(min_length=1)] | dict[str, JsonValue] = Field(
        description="Words; or `{messages: [{role: user|assistant, content}]}`; or any other object, given as JSON.",
        examples=["Where is order 1001?"],
    )
    release: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = Field(
        default=None, description="A label, or the first 8 or more digits of an id; absent = the agent's present one."
    )
    user_id: UserRef | None = Field(
        default=None, description="The end user that it is made for; needs a key with may_assert_user."
    )
    user_roles: Annotated[list[UserRef], Field(max_length=64)] = Field(
        default=[], description="The end user's roles, for policies; needs a key with may_assert_user."
    )
    user_claims: Annotated[dict[UserRef, JsonValue], Field(max_length=64)] = Field(
        default={}, description="What else policies and scopes may know of the user; needs a key with may_assert_user."
    )
    priority: Priority = 0
    delay_s: float | None = Field(default=None, ge=0, le=LONGEST_DELAY.total_seconds(), description="Not before then.")
    available_at: AwareDatetime | None = Field(default=None, description="Not before then.")
    tags: Tags = Field(default={}, description="Yours: shown, exported, sent along in webhooks.")
    variables: dict[str, JsonValue] = Field(default={}, description="Values for the prompt's declared variables.")
    multitask_strategy: Strategy = Field(default=Strategy.REJECT, description="Counts only in a thread.")


class RunRequest(Wanted):
    """A run to submit."""

    agent: AgentRef = Field(description="`agent`, `agent@label` or `agent@digits`.", examples=["support-desk"])
    thread_id: UUID | None = Field(default=None, description="The conversation that it goes on.")


class RunQuery(BaseModel):
    """What a list of runs is narrowed to, and the page of it."""

    status: list[Status] = Field(default=[], description="Once or several times.")
    agent: Words = None
    user_id: Words = None
    release: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")] | None = None
    thread_id: UUID | None = None
    cause: Words = Field(default=None, description="An error code or a reason.")
    q: Words = Field(default=None, description="Words in title, why, agent, user or id.")
    since: AwareDatetime | None = Field(default=None, description="ISO 8601 with a zone.")
    until: AwareDatetime | None = Field(default=None, description="ISO 8601 with a zone.")
    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="Items on a page.")
    cursor: str | None = Field(default=None, max_length=1024, description="`next_cursor` of the page before.")


class Reason(BaseModel):
    """Why somebody wants it; shown to people."""

    model_config = ConfigDict(extra="forbid")

    why: Why = ""


class OutcomeRequest(BaseModel):
    """What became of a call whose outcome nobody knew."""

    model_config = ConfigDict(extra="forbid")

    call: Annotated[str, StringConstraints(min_length=1, max_length=256)] = Field(
        description="Its id in `unknown_outcomes`."
    )
    outcome: Literal["happened", "did_not_happen"]
    result: Annotated[str, StringConstraints(max_length=100_000)] = Field(
        default="", description="What the model is told of it."
    )
    why: Why = ""


class TokenRequest(BaseModel):
    """For how long."""

    model_config = ConfigDict(extra="forbid")

    ttl_s: float = Field(default=600, ge=1, le=3600)


class HandoffRecord(BaseModel):
    """What a run that did not succeed leaves behind."""

    done: list[str]
    left: list[str]
    why: str
    last_words: str


class ResultRecord(BaseModel):
    """What a run came to."""

    text: str
    output: JsonValue
    error: str | None
    handoff: HandoffRecord | None


class LimitsRecord(BaseModel):
    """The run's limits and what it has used of them."""

    max_steps: int
    steps_used: int
    max_tool_calls: int
    tool_calls: int
    max_tokens: int
    tokens_used: int
    max_seconds: float
    seconds_used: float


class EffectiveRecord(BaseModel):
    """Everything that configured the run. Two runs share the digest only if all of it was the same."""

    release: str
    behaviour: int
    limits: dict[str, float]
    digest: str


class DoubtRecord(BaseModel):
    """A call that may or may not have taken effect. Nobody may answer for it before `ask_after` (Unix milliseconds)."""

    call: str
    tool: str
    arguments: dict[str, JsonValue]
    ask_after: int


class PendingApproval(BaseModel):
    """A question of the run that nobody has answered."""

    approval_id: UUID
    call: str
    tool: str
    arguments: dict[str, JsonValue]
    summary: str = Field(description="The exact effect in words.")
    effect: str
    risk_level: Risk
    digest: str
    people: int
    expires_at: datetime


class RunRecord(BaseModel):
    """A run, as lists show it."""

    run_id: UUID
    kind: str
    tenant: str
    agent: str
    release: str
    agent_version: str
    user_id: str
    thread_id: UUID | None
    parent_run_id: UUID | None
    status: Status
    reason: str | None
    why: str
    current_step: str
    priority: int
    tags: dict[str, str]
    title: str
    submitted_by: str
    owner: str | None
    created_at: datetime
    available_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    parked_at: datetime | None
    attempt: int
    worker_id: str | None
    last_seq: int
    duration_ms: int
    queued_ms: int
    waiting_ms: int = Field(description="Of the duration, parked for people.")
    age_s: int | None = Field(description="How long it has been waiting for a person.")
    steps_used: int
    tool_calls: int
    failed_calls: int
    input_tokens: int
    output_tokens: int
    cost_micro_usd: int
    estimated_cost_usd: float
    risk_level: Risk
    error_code: str | None
    pending_approvals: list[PendingApproval] = Field(description="What people were asked; empty in lists.")


class WholeRunRecord(RunRecord):
    """A run with what its log tells."""

    tools_called: list[str]
    budget: LimitsRecord
    effective: EffectiveRecord
    unknown_outcomes: list[DoubtRecord]
    result: ResultRecord | None


class RunPage(BaseModel):
    """A page of runs, newest first."""

    items: list[RunRecord]
    next_cursor: str | None


class FacetsRecord(BaseModel):
    """How many of the newest runs there are of each."""

    status: dict[str, int]
    agent: dict[str, int]
    cause: dict[str, int]


class EventRecord(BaseModel):
    """One event of a run's log."""

    seq: int
    kind: str
    v: int
    attempt: int
    at: datetime
    data: dict[str, JsonValue]


class EventPage(BaseModel):
    """A page of a run's log, in order."""

    items: list[EventRecord]
    next_cursor: str | None


class TokenRecord(BaseModel):
    """A token for reading one run: its record, its events, and nothing else."""

    token: str
    expires_at: datetime
