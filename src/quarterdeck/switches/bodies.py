"""What `/v1/switches` takes and answers."""

from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from quarterdeck.switches.records import Action, InFlight, Scope
from quarterdeck.switches.rules import LONGEST_NAME, LONGEST_WHY

Name = Annotated[str, StringConstraints(max_length=LONGEST_NAME)]
LONGEST_FOR = 366 * 86_400.0


class Throw(BaseModel):
    """A switch to preview."""

    model_config = ConfigDict(extra="forbid")

    scope: Scope
    target: Name = Field(
        default="",
        description="The tool, server, model (`id` or `provider/id`), route, agent or tenant. Absent for `everything`; "
        "for `tenant` your own.",
        examples=["refund"],
    )
    agent: Name | None = Field(default=None, description="Only for this agent; fits tool, server, model and route.")
    action: Action
    value: JsonValue = Field(
        default=None,
        description="cap_steps: a number; cap_budget: USD that one run may spend; lower_autonomy: suggest, ask_always "
        "or ask_when_risky; switch_model: `{provider, id}`, an exact model.",
    )
    in_flight: InFlight = Field(
        default=InFlight.FINISH, description="Of calls under way; cancel fits disable, read_only."
    )
    until: AwareDatetime | None = Field(default=None, description="When it ends by itself; absent = when it is lifted.")
    for_s: float | None = Field(default=None, gt=0, le=LONGEST_FOR, description="The same as seconds from now.")


class NewSwitch(Throw):
    """A switch to throw."""

    why: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_WHY)] = Field(
        description="The reason, shown to everybody whom it hits."
    )


class LiftRequest(BaseModel):
    """Why a switch is lifted."""

    model_config = ConfigDict(extra="forbid")

    why: Annotated[str, StringConstraints(max_length=LONGEST_WHY)] = ""


class SwitchRecord(BaseModel):
    """A switch as it is shown. `tenant` is whom it hits, null = every tenant."""

    switch_id: UUID
    tenant: str | None
    deployment: bool = Field(description="Thrown by a deployment admin; only one may lift it.")
    scope: Scope
    target: str
    agent: str | None
    action: Action
    value: JsonValue
    in_flight: InFlight
    words: str = Field(description="What it does, in words.")
    why: str
    thrown_by: str
    thrown_at: str
    until: str | None
    state: str = Field(description="`standing`, `lifted`, or `expired` by itself.")
    lifted_at: str | None
    lifted_by: str | None
    lifted_why: str | None


class SwitchPage(BaseModel):
    """Switches: all that stand, oldest first, or a page of all that ever did, newest first."""

    items: list[SwitchRecord]
    next_cursor: str | None


class ReachRecord(BaseModel):
    """What a switch would hit now. At most 200 agents and tools are named; `tenant/agent` where there are several."""

    agents: list[str]
    tools: list[str]
    running_runs: int
    queued_runs: int
    waiting_runs: int
    calls_in_flight: int
