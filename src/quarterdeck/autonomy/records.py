"""Levels as they are set, what they may be set to, and what people's answers so far say for it."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from quarterdeck.core.errors import Conflict, Invalid, NotFound
from quarterdeck.core.ids import AgentName, TenantId
from quarterdeck.core.json import Json, JsonObject
from quarterdeck.db.records import Tx
from quarterdeck.spec.values import Autonomy

__all__ = ["Autonomy"]

EVIDENCE_DAYS = 90


@dataclass(frozen=True, slots=True)
class Granted:
    """A tool that an agent's present release grants, and the most that it allows."""

    agent: AgentName
    tool: str
    effect: str
    ceiling: Autonomy


class Grants(Protocol):
    """What agents were granted. Releases stand above this package; `serve` puts them here."""

    async def agents(self, tx: Tx, tenant: TenantId) -> list[AgentName]:
        """All agents, by name."""
        ...

    async def tools(self, tx: Tx, tenant: TenantId, agent: AgentName) -> list[Granted]:
        """The tools of an agent's present release, by name; none for an agent that is not there."""
        ...


@dataclass(frozen=True, slots=True)
class Evidence:
    """How questions about a tool ended in the last `days`. `edited` are among the approved."""

    approved: int = 0
    edited: int = 0
    denied: int = 0
    expired: int = 0
    days: int = EVIDENCE_DAYS

    @property
    def words(self) -> str:
        """The same for people: `approved 200 of 200 in 90 days, 3 of them edited`."""
        answered = self.approved + self.denied
        if not answered:
            return f"nobody was asked in {self.days} days"
        edited = f", {self.edited} of them edited" if self.edited else ""
        return f"approved {self.approved} of {answered} in {self.days} days{edited}"

    def shown(self) -> dict[str, Json]:
        """The same as JSON."""
        return {**asdict(self), "words": self.words}


@dataclass(frozen=True, slots=True)
class Setting:
    """A level as somebody set it, with what was known then."""

    agent: AgentName
    tool: str
    level: Autonomy
    set_by: str
    set_at: datetime
    why: str
    evidence: JsonObject


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `level` None = set back to what the release grants; `previous` None = that is what it was."""

    id: UUID
    agent: AgentName
    tool: str
    level: Autonomy | None
    previous: Autonomy | None
    set_by: str
    set_at: datetime
    why: str
    evidence: JsonObject


class NoSuchGrant(NotFound):
    """This agent has no such tool."""

    code = "autonomy.no_such_tool"


class AboveCeiling(Conflict):
    """The agent's release grants less than this; register a release that grants more first."""

    code = "autonomy.above_ceiling"


class NeedsNoLevel(Invalid):
    """Reads are not held to a level of autonomy; policies and switches decide about them."""

    code = "autonomy.needs_no_level"


class ReasonMissing(Invalid):
    """Changing how far an agent may go needs a reason in `why`."""

    code = "autonomy.reason_missing"


class NotSet(NotFound):
    """Nothing was set here: what the release grants holds."""

    code = "autonomy.not_set"
