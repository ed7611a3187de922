"""Who may take a conversation and who may close it."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from quarterdeck.core.errors import Error
from quarterdeck.core.ids import AgentName, RunId, TenantId, UserId, uuid7
from quarterdeck.escalations import rules
from quarterdeck.escalations.records import AlreadyClosed, ClaimedByOther, Escalation, NotClaimed, NoteMissing, State

NOW = datetime(2026, 3, 1, tzinfo=UTC)
OPEN = Escalation(
    tenant=TenantId(uuid7()),
    id=uuid7(),
    run=RunId(uuid7()),
    thread=None,
    call="c1",
    agent=AgentName("desk"),
    user_id=UserId("ann"),
    owner_to="team-desk",
    summary="The customer wants a person.",
    why="",
    state=State.OPEN,
    opened_at=NOW,
    claimed_by=None,
    claimed_at=None,
    closed_by=None,
    closed_at=None,
    note="",
)
MINE = replace(OPEN, state=State.CLAIMED, claimed_by="key:me", claimed_at=NOW)
THEIRS = replace(MINE, claimed_by="key:them")
CLOSED = replace(MINE, state=State.CLOSED, closed_by="key:me", closed_at=NOW, note="called them")


@pytest.mark.parametrize(
    ("held", "take_over", "outcome"),
    [
        (OPEN, False, True),
        (MINE, False, False),
        (MINE, True, False),
        (THEIRS, False, ClaimedByOther),
        (THEIRS, True, True),
        (CLOSED, True, AlreadyClosed),
    ],
)
def test_claiming(held: Escalation, take_over: bool, outcome: bool | type[Error]):
    if isinstance(outcome, bool):
        assert rules.judge_claim(held, "key:me", take_over=take_over) is outcome
    else:
        with pytest.raises(outcome):
            rules.judge_claim(held, "key:me", take_over=take_over)


@pytest.mark.parametrize(
    ("held", "note", "anyone", "outcome"),
    [
        (MINE, "called them", False, True),
        (MINE, " ", False, NoteMissing),
        (OPEN, "called them", True, NotClaimed),
        (THEIRS, "called them", False, ClaimedByOther),
        (THEIRS, "called them", True, True),
        (CLOSED, "called them", False, False),
        (CLOSED, "something else", True, AlreadyClosed),
    ],
)
def test_closing(held: Escalation, note: str, anyone: bool, outcome: bool | type[Error]):
    if isinstance(outcome, bool):
        assert rules.judge_close(held, "key:me", note, anyone=anyone) is outcome
    else:
        with pytest.raises(outcome):
            rules.judge_close(held, "key:me", note, anyone=anyone)
