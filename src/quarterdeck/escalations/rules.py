"""Who may take a conversation and who may close it. Pure."""

from quarterdeck.core.clock import moment
from quarterdeck.escalations.records import AlreadyClosed, ClaimedByOther, Escalation, NotClaimed, NoteMissing, State


def judge_claim(held: Escalation, by: str, *, take_over: bool) -> bool:
    """Whether a claim changes anything: a second one of the same person does not. Raises why it may not be made."""
    if held.state is State.CLOSED:
        raise _closed(held)
    if held.claimed_by == by:
        return False
    if held.state is State.CLAIMED and not take_over:
        raise ClaimedByOther(claimed_by=held.claimed_by, claimed_at=moment(held.claimed_at))
    return True


def judge_close(held: Escalation, by: str, note: str, *, anyone: bool) -> bool:
    """Whether closing changes anything: repeating it does not. `anyone`: also what somebody else has claimed.

    Raises why it may not be done.
    """
    if held.state is State.CLOSED:
        if held.closed_by == by and held.note == note:
            return False
        raise _closed(held)
    if not note.strip():
        raise NoteMissing
    if held.state is State.OPEN:
        raise NotClaimed
    if held.claimed_by != by and not anyone:
        raise ClaimedByOther(claimed_by=held.claimed_by, claimed_at=moment(held.claimed_at))
    return True


def _closed(held: Escalation) -> AlreadyClosed:
    return AlreadyClosed(closed_by=held.closed_by, closed_at=moment(held.closed_at), note=held.note)
