"""A conversation that an agent passed to a person, and what is wrong with taking it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from quarterdeck.core.errors import Conflict, Invalid, NotFound
from quarterdeck.core.ids import AgentName, RunId, TenantId, ThreadId, UserId


class State(StrEnum):
    """Where it stands: nobody's yet, somebody's, done."""

    OPEN = "open"
    CLAIMED = "claimed"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Escalation:
    """One row of `qd.escalations`. `owner_to` is whose queue it went to, `why` the agent's reason."""

    tenant: TenantId
    id: UUID
    run: RunId
    thread: ThreadId | None
    call: str
    agent: AgentName
    user_id: UserId
    owner_to: str
    summary: str
    why: str
    state: State
    opened_at: datetime
    claimed_by: str | None
    claimed_at: datetime | None
    closed_by: str | None
    closed_at: datetime | None
    note: str


class NoSuchEscalation(NotFound):
    """There is no such escalation here."""

    code = "escalation.not_found"


class ClaimedByOther(Conflict):
    """Somebody else has claimed this; talk to them, or send `take_over`."""

    code = "escalation.claimed_by_other"


class NotClaimed(Conflict):
    """Nobody has claimed this yet; claim it before you close it."""

    code = "escalation.not_claimed"


class AlreadyClosed(Conflict):
    """This is closed; `closed_by`, `closed_at` and `note` say how it ended."""

    code = "escalation.already_closed"


class NoteMissing(Invalid):
    """Closing needs a `note`: what came of it."""

    code = "escalation.note_missing"
