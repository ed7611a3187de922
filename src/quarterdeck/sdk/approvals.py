"""Questions for people as a deployment shows them."""

from datetime import datetime

import msgspec

from quarterdeck.core.json import Json
from quarterdeck.sdk.records import Record


class Vote(Record, frozen=True, kw_only=True):
    """Somebody's yes to what is asked about now."""

    by: str
    at: datetime | None = None


class Previous(Record, frozen=True, kw_only=True):
    """The call of the same tool by the same agent that was approved last."""

    arguments: dict[str, Json]
    at: datetime | None = None


class Similar(Record, frozen=True, kw_only=True):
    """How questions about the same tool of the same agent ended in the last 90 days; 1,000 is that or more."""

    approved: int = 0
    denied: int = 0
    expired: int = 0


class Approval(Record, frozen=True, kw_only=True):
    """A question that a person has to answer before a call is made.

    `summary` is the exact effect in words, `origins` where each value can have come from. A yes is to `digest` and to
    nothing else. `edited` are the arguments as a reviewer changed them; these are asked about then.
    """

    approval_id: str
    run_id: str
    state: str
    digest: str
    call: str = ""
    step: int = 0
    tool: str = ""
    agent: str = ""
    release: str = ""
    agent_version: str = ""
    user_id: str = ""
    effect: str = ""
    risk_level: str = ""
    summary: str = ""
    arguments: dict[str, Json] = msgspec.field(default_factory=dict[str, Json])
    edited: dict[str, Json] | None = None
    origins: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    reason: str = ""
    rule: str = ""
    policies: tuple[str, ...] = ()
    effective: str = ""
    people: int = 1
    roles: tuple[str, ...] = ()
    votes: tuple[Vote, ...] = ()
    asked_at: datetime | None = None
    expires_at: datetime | None = None
    age_s: int = 0
    answered_at: datetime | None = None
    answered_by: tuple[str, ...] = ()
    why: str = ""
    consumed_at: datetime | None = None
    previous: Previous | None = None
    similar: Similar | None = None

    @property
    def pending(self) -> bool:
        """Whether it waits for an answer."""
        return self.state == "pending"


class BatchItem(Record, frozen=True, kw_only=True):
    """What became of one answer of many. `code` and `detail` say why it did not count."""

    approval_id: str
    state: str | None = None
    code: str | None = None
    detail: str | None = None


class Batch(Record, frozen=True, kw_only=True):
    """What became of each answer of many."""

    items: tuple[BatchItem, ...]


class Waiting(Record, frozen=True, kw_only=True):
    """How many questions wait for an answer: in all, and by agent, tool and risk."""

    state: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    agent: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    tool: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    risk: dict[str, int] = msgspec.field(default_factory=dict[str, int])
