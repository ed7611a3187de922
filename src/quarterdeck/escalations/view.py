"""The public record of an escalation."""

from datetime import datetime

from quarterdeck.core.clock import moment
from quarterdeck.core.json import Json
from quarterdeck.escalations.records import Escalation


def show(escalation: Escalation, now: datetime) -> dict[str, Json]:
    """An escalation as JSON."""
    return {
        "escalation_id": str(escalation.id),
        "run_id": str(escalation.run),
        "thread_id": str(escalation.thread) if escalation.thread else None,
        "call": escalation.call,
        "agent": escalation.agent,
        "user_id": escalation.user_id,
        "owner": escalation.owner_to,
        "summary": escalation.summary,
        "why": escalation.why,
        "state": escalation.state.value,
        "opened_at": moment(escalation.opened_at),
        "age_s": max(0, int(((escalation.closed_at or now) - escalation.opened_at).total_seconds())),
        "claimed_by": escalation.claimed_by,
        "claimed_at": moment(escalation.claimed_at),
        "closed_by": escalation.closed_by,
        "closed_at": moment(escalation.closed_at),
        "note": escalation.note,
    }
