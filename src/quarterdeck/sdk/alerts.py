"""Alerts as a deployment shows them, and runs that are near a limit."""

from collections.abc import Mapping
from datetime import datetime

from quarterdeck.core.json import Json
from quarterdeck.sdk.records import Record


class Alert(Record, frozen=True, kw_only=True):
    """What somebody should know. `state` is `raised`, `acknowledged` or `resolved`; `deployment`: no tenant's own."""

    alert_id: str
    kind: str = ""
    severity: str = ""
    state: str = ""
    subject: str = ""
    agent: str | None = None
    words: str = ""
    facts: Mapping[str, Json] = {}
    count: int = 1
    deployment: bool = False
    raised_at: datetime | None = None
    last_at: datetime | None = None
    resolved_at: datetime | None = None
    resolved_why: str = ""
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None


class AlertCounts(Record, frozen=True, kw_only=True):
    """How many stand that nobody has acknowledged, by severity."""

    severity: Mapping[str, int] = {}


class Use(Record, frozen=True, kw_only=True):
    """How much of one limit a run has used: `budget` (micro-USD), `tokens`, `steps` or `tool_calls`."""

    limit: str
    used: int = 0
    most: int = 0
    used_percent: int = 0


class NearLimit(Record, frozen=True, kw_only=True):
    """A run that is near a limit, and what brought it there."""

    run_id: str
    agent: str = ""
    user_id: str = ""
    release: str = ""
    status: str = ""
    title: str = ""
    limits: tuple[Use, ...] = ()
    cause: str = ""
    words: str = ""
    tool: str | None = None
