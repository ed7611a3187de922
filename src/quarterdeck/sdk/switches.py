"""Switches as a deployment shows them."""

from datetime import datetime

from quarterdeck.core.json import Json
from quarterdeck.sdk.records import Record


class Switch(Record, frozen=True, kw_only=True):
    """A switch. `tenant` is whom it hits, None = every tenant; `state` is `standing`, `lifted` or `expired`.

    `deployment`: a deployment admin threw it, and only one may lift it. `words` say what it does.
    """

    switch_id: str
    tenant: str | None = None
    deployment: bool = False
    scope: str = ""
    target: str = ""
    agent: str | None = None
    action: str = ""
    value: Json = None
    in_flight: str = "finish"
    words: str = ""
    why: str = ""
    thrown_by: str = ""
    thrown_at: datetime | None = None
    until: datetime | None = None
    state: str = ""
    lifted_at: datetime | None = None
    lifted_by: str | None = None
    lifted_why: str | None = None


class Reach(Record, frozen=True, kw_only=True):
    """What a switch would hit now. At most 200 agents and tools are named; the counts are of all."""

    agents: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    running_runs: int = 0
    queued_runs: int = 0
    waiting_runs: int = 0
    calls_in_flight: int = 0
