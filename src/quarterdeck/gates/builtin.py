"""What every agent is offered beside its own tools: `escalate`, with which it passes the conversation to a person.

It is no tool of the world's, so no check stands before it: giving up in good order must always be possible.
"""

from quarterdeck.core.json import JsonObject
from quarterdeck.models.records import ToolOffer
from quarterdeck.releases.records import Release
from quarterdeck.runs.messages import Call

ESCALATE = "escalate"
_PARAMETERS: JsonObject = {
    "type": "object",
    "properties": {
        "summary": {"type": "string", "description": "What the user wants, what was done, and what is left to do."},
        "reason": {"type": "string", "description": "Why a person has to take over."},
    },
    "required": ["summary"],
    "additionalProperties": False,
}
_OFFER = ToolOffer(
    ESCALATE,
    "Pass this conversation to a person, when you can't or may not help, or the user asks for one. It ends your part.",
    _PARAMETERS,
    builtin=True,
)


def offers_of(release: Release) -> tuple[ToolOffer, ...]:
    """What the release's agent is offered beside its own tools."""
    return () if person_for(release) is None else (_OFFER,)


def person_for(release: Release) -> str | None:
    """Who takes over: whom the author names, else the agent's owner. None where the author wants no escalation."""
    if release.escalate_to == "" or release.tool(ESCALATE) is not None:
        return None
    return release.escalate_to or release.owner


def is_escalation(release: Release, call: Call) -> bool:
    """Whether this call is the built-in one, and not a tool of the same name that the release grants."""
    return call.tool == ESCALATE and person_for(release) is not None
