"""One row of the usage ledger: a try of a model call, what it used and what it cost."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from quarterdeck.core.ids import AgentName, ReleaseId, RunId, TenantId, ThreadId, UserId


class State(StrEnum):
    """How sure the cost is."""

    SPENT = "spent"
    """The provider said what was used."""
    PRESUMED = "presumed"
    """It may have been used and nobody knows: the worst case counts, until the provider's word comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """What one try of one call used. Its key is (tenant, run, call, attempt, tried): the same again counts once.

    `input` includes the cached tokens and `output` the reasoning, as in `messages.Usage`. `cost` None = no price is
    known; then the row counts as unpriced and costs nothing. Money is integer micro-USD. `saved_cache` is negative
    where writing the cache cost more than reading it saved.
    """

    tenant: TenantId
    run: RunId
    call: str
    attempt: int
    """The run's attempt (its claim by a worker) that made the call."""
    tried: int = 1
    """Which try of this call within the attempt."""
    step: int
    at: datetime
    agent: AgentName
    release: ReleaseId
    user: UserId
    thread: ThreadId | None
    root_run: UUID
    """The run that started it all: the run itself, or the outermost of those that called it."""
    provider: str
    model: str
    served_model: str = ""
    route: str = ""
    purpose: str = ""
    """Empty = a step of the conversation, else `closing`, `summary` or `judge`."""
    tools: tuple[str, ...] = ()
    """The tools whose results this call was the first to read."""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0
    cost: int | None = None
    state: State = State.SPENT
    saved_cache: int = 0
    saved_route: int = 0
    saved_trim: int = 0
    trimmed_tokens: int = 0
    """Tokens that the conversation has and this call was not sent."""
    ms: int = 0
