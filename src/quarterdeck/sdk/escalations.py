"""Conversations that agents passed to people, as a deployment shows them."""

from datetime import datetime

import msgspec

from quarterdeck.sdk.records import Record


class Escalation(Record, frozen=True, kw_only=True):
    """A conversation that an agent passed on. `owner` is whose queue it went to; `note` is what came of it."""

    escalation_id: str
    run_id: str
    state: str
    thread_id: str | None = None
    call: str = ""
    agent: str = ""
    user_id: str = ""
    owner: str = ""
    summary: str = ""
    why: str = ""
    opened_at: datetime | None = None
    age_s: int = 0
    claimed_by: str | None = None
    claimed_at: datetime | None = None
    closed_by: str | None = None
    closed_at: datetime | None = None
    note: str = ""


class Queue(Record, frozen=True, kw_only=True):
    """How many escalations there are of each state, and of those not closed of each agent and owner."""

    state: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    agent: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    owner: dict[str, int] = msgspec.field(default_factory=dict[str, int])
