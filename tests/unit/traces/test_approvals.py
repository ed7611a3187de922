"""What a trace and its story tell of people who were asked, and of calls of other agents."""

from datetime import UTC, datetime, timedelta
from typing import Any

from quarterdeck.core.ids import RunId, uuid7
from quarterdeck.runs import events as e
from quarterdeck.runs.entries import Entry
from quarterdeck.runs.fold import RunState, apply
from quarterdeck.runs.messages import Call, Text, Usage, UserMessage
from quarterdeck.runs.records import StoredEvent
from quarterdeck.traces.records import Kind, Mark, Span
from quarterdeck.traces.spans import project
from quarterdeck.traces.story import tell
from tests.logs import run_of

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
ASK = e.Decision("ask", "permission", "Payments need a yes.", ("known",), ("base.cedar/dangerous",), "ef")
ALLOW = e.Decision("allow", "default")


def opening(call: str = "refund") -> list[e.Event]:
    answered = e.ModelAnswered(
        step=1, call="m1", content=(Call("c1", call, {"order": 7}),), finish="calls", served_model="m", usage=Usage()
    )
    return [
        e.RunAdmitted(agent="desk", release="ab" * 32, user="ann", input=(UserMessage((Text("go"),)),)),
        e.RunClaimed(worker="w", host="h", version="1", behaviour=2),
        e.ModelCalled(step=1, call="m1", provider="p", model="m", decision=ALLOW),
        answered,
    ]


def question() -> e.ApprovalAsked:
    return e.ApprovalAsked(
        step=1,
        call="c1",
        approval="a1",
        tool="refund",
        arguments={"order": 7},
        effect="payment",
        decision=ASK,
        digest="00",
        expires_at=0,
    )


def answer(state: str, **more: Any) -> e.ApprovalAnswered:
    return e.ApprovalAnswered(call="c1", approval="a1", state=state, by=("key:rev",), **more)


def entries(*events: e.Event) -> list[Entry]:
    return [Entry(seq, 1, START + timedelta(seconds=seq), event) for seq, event in enumerate(events, 1)]


def spans(*events: e.Event) -> dict[Kind, Span]:
    return {span.kind: span for span in project(RunId(uuid7()), entries(*events))}


def sentence(*events: e.Event) -> str:
    state = RunState()
    for entry in entries(*events):
        state = apply(state, entry.event, entry.attempt, entry.at)
    rows = [
        StoredEvent(entry.seq, entry.attempt, entry.event.kind, entry.event.v, entry.at, e.write(entry.event))
        for entry in entries(*events)
    ]
    return tell(run_of(rows, state, START), state, entries(*events), None, START + timedelta(seconds=60)).sentence


PARKED = e.RunParked(status="waiting_for_approval", why="refund needs a person's approval")


def test_a_question_is_a_span_that_waits_until_it_is_answered():
    asked = spans(*opening(), question(), PARKED)[Kind.APPROVAL]
    assert (asked.mark, asked.end, asked.risk) == (Mark.WAITING, None, "money")
    assert asked.attributes["policies"] == ["base.cedar/dangerous"]
    said = spans(*opening(), question(), PARKED, answer("approved"))[Kind.APPROVAL]
    assert (said.mark, said.attributes["by"]) == (Mark.OK, ["key:rev"])
    assert (said.end or START) - said.start == timedelta(seconds=2)
    assert spans(*opening(), question(), PARKED, answer("denied", why="no"))[Kind.APPROVAL].mark is Mark.DENIED


def test_a_decision_to_ask_is_not_a_refusal():
    judged = spans(*opening(), question(), PARKED)[Kind.POLICY]
    assert (judged.mark, judged.attributes["verdict"]) == (Mark.OK, "ask")


def test_the_story_names_who_said_what():
    told = sentence(*opening(), question(), PARKED, answer("approved", arguments={"order": 8}))
    assert "key:rev approved refund (order=8), changed." in told
    assert "key:rev denied refund (order=7): not ours." in sentence(
        *opening(), question(), PARKED, answer("denied", why="not ours.")
    )
    assert "Nobody said in time whether refund (order=7) may be made." in sentence(
        *opening(), question(), PARKED, answer("expired")
    )


def test_a_call_of_another_agent_goes_on_while_its_caller_is_parked():
    called = e.ToolCalled(
        step=1, call="c1", tool="helper", arguments={}, effect="read", repeat="keyed", decision=ALLOW, child="x"
    )
    parked = e.RunParked(status="waiting_for_retry", why="waiting for helper")
    found = spans(*opening("helper"), called, parked)
    assert (found[Kind.TOOL].mark, found[Kind.TOOL].end) == (Mark.RUNNING, None)
    assert found[Kind.WAIT].name == "waiting for helper"
