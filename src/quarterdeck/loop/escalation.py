"""Passing a conversation to a person: what `escalate` comes to in the log."""

from quarterdeck.core.ids import uuid7
from quarterdeck.core.text import shorten, storable
from quarterdeck.gates.builtin import person_for
from quarterdeck.releases.records import Release
from quarterdeck.runs.events import Event, RunEscalated, ToolAnswered
from quarterdeck.runs.messages import AUTHOR, Call, Text

_LONGEST_SUMMARY = 4_000
_LONGEST_REASON = 1_000


def escalate(release: Release, call: Call, step: int) -> list[Event]:
    """What passing the conversation on comes to. Without a summary it is passed on all the same."""
    summary, reason = (str(call.arguments.get(name) or "") for name in ("summary", "reason"))
    words = storable(shorten(summary, _LONGEST_SUMMARY)) or "The agent gave no summary."
    to = person_for(release) or release.owner
    passed = RunEscalated(
        step=step,
        call=call.id,
        escalation=str(uuid7()),
        to=to,
        summary=words,
        why=storable(shorten(reason, _LONGEST_REASON)),
    )
    closed = ToolAnswered(call=call.id, content=(Text(f"The conversation was passed to {to}."),), label=AUTHOR)
    return [passed, closed]
