"""Whether an answer counts: the order of the checks, as a table."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from quarterdeck.approvals import rules
from quarterdeck.approvals.records import (
    AlreadyAnswered,
    Approval,
    Changed,
    EditRefused,
    NotYourRole,
    OwnRun,
    Person,
    ReasonMissing,
    Said,
    State,
    Verdict,
    Vote,
)
from quarterdeck.core.errors import Error
from quarterdeck.core.ids import AgentName, ReleaseId, RunId, TenantId, UserId, uuid7
from quarterdeck.core.json import digest
from quarterdeck.core.money import MicroUsd
from quarterdeck.runs.records import ENDED, Run, Status

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ARGUMENTS = {"order": 1}
BEN = Person("key:ben", "ben", frozenset({"reviewer"}))
CAT = Person("key:cat", "cat", frozenset({"reviewer"}))

RUN = Run(
    tenant=TenantId(uuid7()),
    id=RunId(uuid7()),
    kind="agent",
    agent=AgentName("desk"),
    release=ReleaseId("ab" * 32),
    behaviour=2,
    user_id=UserId("ann"),
    thread=None,
    thread_position=None,
    parent=None,
    priority=0,
    tags={},
    submitted_by="key:app",
    title="",
    traceparent=None,
    created_at=NOW,
    status=Status.WAITING_FOR_APPROVAL,
    available_at=NOW,
    delivered_at=None,
    worker=None,
    started_at=NOW,
    finished_at=None,
    attempt=1,
    last_seq=5,
    last_event_at=NOW,
    parked_at=NOW,
    waited_ms=0,
    step="",
    steps_used=1,
    tool_calls=0,
    failed_calls=0,
    input_tokens=0,
    output_tokens=0,
    cost=MicroUsd(0),
    risk_level="read",
    reason=None,
    why="",
    error_code=None,
    cancel_requested_at=None,
)
HELD = Approval(
    tenant=RUN.tenant,
    id=uuid7(),
    run=RUN.id,
    call="c1",
    step=1,
    tool="refund",
    agent=RUN.agent,
    release=RUN.release,
    user_id=RUN.user_id,
    effect="payment",
    risk="money",
    arguments=ARGUMENTS,
    digest=digest(ARGUMENTS),
    origins={},
    decision={},
    effective="",
    template="refund order {order}",
    summary="refund order 1",
    people=1,
    roles=(),
    state=State.PENDING,
    votes=(),
    edited=None,
    asked_at=NOW,
    expires_at=NOW + timedelta(hours=1),
    answered_at=None,
    answered_by=(),
    why="",
    consumed_at=None,
)
YES = Said(Verdict.APPROVE, BEN, digest=HELD.digest)
NO = Said(Verdict.DENY, BEN, why="no")
ANSWERED = {
    state: replace(HELD, state=state, answered_by=("key:cat",)) for state in State if state is not State.PENDING
}


def judged(held: Approval = HELD, said: Said = YES, run: Run = RUN, now: datetime = NOW) -> rules.Outcome:
    return rules.judge(held, run, said, now)


def test_one_persons_yes_settles_a_plain_question():
    outcome = judged()
    assert isinstance(outcome, rules.Settled)
    assert (outcome.state, outcome.by) == (State.APPROVED, ("key:ben",))
    assert outcome.approval.votes == (Vote("key:ben", "ben", NOW, HELD.digest),)


@pytest.mark.parametrize("state", [state for state in State if state is not State.PENDING])
@pytest.mark.parametrize("said", [YES, NO], ids=["yes", "no"])
def test_what_has_its_answer_stays_answered(state: State, said: Said):
    with pytest.raises(AlreadyAnswered) as told:
        judged(ANSWERED[state], said)
    assert told.value.facts["approval_state"] == state.value


@pytest.mark.parametrize("status", sorted(ENDED))
def test_nothing_is_answered_for_a_run_that_has_ended(status: Status):
    assert judged(run=replace(RUN, status=status)) == rules.lapse(HELD, replace(RUN, status=status), NOW)
    outcome = judged(run=replace(RUN, status=status), said=NO)
    assert isinstance(outcome, rules.Lapsed)
    assert outcome.state is State.WITHDRAWN


@pytest.mark.parametrize(
    ("run", "after", "state"),
    [
        (RUN, timedelta(minutes=59), None),
        (RUN, timedelta(hours=1), State.EXPIRED),
        (replace(RUN, status=Status.CANCELLING), timedelta(), State.WITHDRAWN),
        (replace(RUN, cancel_requested_at=NOW), timedelta(), State.WITHDRAWN),
        (replace(RUN, status=Status.CANCELLED), timedelta(days=9), State.WITHDRAWN),
    ],
)
def test_time_and_the_run_end_a_question(run: Run, after: timedelta, state: State | None):
    lapsed = rules.lapse(HELD, run, NOW + after)
    assert (lapsed.state if lapsed else None) == state


@pytest.mark.parametrize(
    ("roles", "person", "refused"),
    [
        ((), BEN, None),
        ((), replace(BEN, roles=frozenset({"owner"})), None),
        ((), replace(BEN, roles=frozenset({"operator", "caller"})), NotYourRole),
        (("operator",), BEN, NotYourRole),
        (("operator", "reviewer"), BEN, None),
        (("finance",), BEN, NotYourRole),
        (("finance",), replace(BEN, roles=frozenset({"owner"})), None),
    ],
)
def test_who_may_answer(roles: tuple[str, ...], person: Person, refused: type[Error] | None):
    said = replace(YES, person=person)
    if refused is None:
        assert isinstance(judged(replace(HELD, roles=roles), said), rules.Settled)
    else:
        with pytest.raises(refused):
            judged(replace(HELD, roles=roles), said)


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        (replace(YES, digest="00"), Changed),
        (replace(NO, why=""), ReasonMissing),
        (replace(YES, arguments={"n": float("nan")}), EditRefused),
    ],
)
def test_what_does_not_count(said: Said, refused: type[Error]):
    with pytest.raises(refused):
        judged(said=said)


@pytest.mark.parametrize(
    ("person", "refused"),
    [
        (CAT, False),
        (replace(CAT, by="key:app"), True),
        (replace(CAT, by="key:app as cat"), True),
        (replace(CAT, user="ann"), True),
    ],
)
def test_whose_run_it_is_matters_where_two_have_to_agree_and_only_there(person: Person, refused: bool):
    said = replace(YES, person=person)
    assert isinstance(judged(HELD, said), rules.Settled)
    if refused:
        with pytest.raises(OwnRun):
            judged(replace(HELD, people=2), said)
    else:
        assert isinstance(judged(replace(HELD, people=2), said), rules.Counted)


def test_an_edit_that_changes_nothing_is_none():
    outcome = judged(said=replace(YES, arguments=dict(ARGUMENTS)))
    assert isinstance(outcome, rules.Settled)
    assert outcome.approval.edited is None


def test_an_edit_that_is_taken_back_is_none_any_more():
    edited = replace(HELD, people=2, edited={"order": 2}, digest=digest({"order": 2}))
    outcome = judged(edited, replace(YES, digest=edited.digest, arguments=dict(ARGUMENTS)))
    assert isinstance(outcome, rules.Counted)
    assert (outcome.approval.edited, outcome.approval.digest) == (None, HELD.digest)
    assert outcome.approval.summary == "refund order 1"


def test_a_second_click_on_an_edit_is_the_same_answer():
    first = judged(said=replace(YES, arguments={"order": 2}))
    assert isinstance(first, rules.Settled)
    approved = replace(first.approval, state=State.APPROVED, answered_by=first.by)
    assert judged(approved, replace(YES, arguments={"order": 2})) == rules.Same()
    with pytest.raises(AlreadyAnswered):
        judged(approved, replace(YES, arguments={"order": 3}))
    with pytest.raises(AlreadyAnswered):
        judged(approved, YES)


@pytest.mark.parametrize("people", [2, 3])
def test_so_many_people_as_were_asked_for_have_to_agree(people: int):
    held = replace(HELD, people=people)
    for n in range(people):
        outcome = judged(held, replace(YES, person=Person(f"key:{n}", f"u{n}", frozenset({"reviewer"}))))
        if n < people - 1:
            assert isinstance(outcome, rules.Counted)
            held = outcome.approval
        else:
            assert isinstance(outcome, rules.Settled)
            assert outcome.by == tuple(f"key:{m}" for m in range(people))
