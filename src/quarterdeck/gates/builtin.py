"""What every agent is offered beside its own tools: `escalate`, with which it passes the conversation to a person, and,
where a conversation can be shown in short, `read_result`, with which it sees again what it is shown no more.

Giving up in good order must always be possible: no check stands before an escalation. Reading again is a call like any
other (`gates.again`), of something that this run has been told already.
"""

from quarterdeck.context import rules
from quarterdeck.context.view import MOST, PAGE, READ_RESULT
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
_ESCALATE = ToolOffer(
    ESCALATE,
    "Pass this conversation to a person, when you can't or may not help, or the user asks for one. It ends your part.",
    _PARAMETERS,
    builtin=True,
)
READING: JsonObject = {
    "type": "object",
    "properties": {
        "ref": {"type": "string", "description": "The mark under which the result is kept, for example r12."},
        "from": {"type": "integer", "minimum": 0, "description": "The first character to show; 0 if you leave it out."},
        "to": {"type": "integer", "minimum": 1, "description": f"Where to stop, at most {MOST:,} characters on."},
    },
    "required": ["ref"],
    "additionalProperties": False,
}
_READ_RESULT = ToolOffer(
    READ_RESULT,
    f"Show an earlier tool result again that is shown as a reference by now. One call shows {PAGE:,} characters, "
    "from the beginning unless you say otherwise.",
    READING,
    builtin=True,
)


def offers_of(release: Release) -> tuple[ToolOffer, ...]:
    """What the release's agent is offered beside its own tools."""
    escalate = () if person_for(release) is None else (_ESCALATE,)
    return (*escalate, _READ_RESULT) if reads_again(release) else escalate


def person_for(release: Release) -> str | None:
    """Who takes over: whom the author names, else the agent's owner. None where the author wants no escalation."""
    if release.escalate_to == "" or release.tool(ESCALATE) is not None:
        return None
    return release.escalate_to or release.owner


def is_escalation(release: Release, call: Call) -> bool:
    """Whether this call is the built-in one, and not a tool of the same name that the release grants."""
    return call.tool == ESCALATE and person_for(release) is not None


def reads_again(release: Release) -> bool:
    """Whether its agent may read results again: where some can be shown as references, and no own tool is called so."""
    return rules.limited(release.context) and release.tool(READ_RESULT) is None


def is_reading(release: Release, call: Call) -> bool:
    """Whether this call reads a kept result again."""
    return call.tool == READ_RESULT and reads_again(release)
