"""How far agents may go by themselves, as a deployment shows it."""

from datetime import datetime

from quarterdeck.sdk.records import Record


class Evidence(Record, frozen=True, kw_only=True):
    """How questions about a tool ended in the last `days`; `edited` are among the approved."""

    approved: int = 0
    edited: int = 0
    denied: int = 0
    expired: int = 0
    days: int = 0
    words: str = ""


class Setting(Record, frozen=True, kw_only=True):
    """A level as somebody set it, with the evidence of that moment."""

    level: str
    set_by: str = ""
    set_at: datetime | None = None
    why: str = ""
    evidence: Evidence | None = None


class Level(Record, frozen=True, kw_only=True):
    """One tool of one agent. `level` is what holds: the lower of the release's `ceiling` and what was set."""

    agent: str
    tool: str
    level: str
    ceiling: str = ""
    effect: str = ""
    setting: Setting | None = None
    evidence: Evidence | None = None


class Change(Record, frozen=True, kw_only=True):
    """One change of a level. `level` None = set back to what the release grants."""

    id: str
    agent: str = ""
    tool: str = ""
    level: str | None = None
    previous: str | None = None
    set_by: str = ""
    set_at: datetime | None = None
    why: str = ""
    evidence: Evidence | None = None
