"""What later runs and people read of a run."""

from datetime import UTC, datetime, timedelta

from quarterdeck.runs import events as e
from quarterdeck.runs.conversation import NOT_AWAITED, NOT_KNOWN, NOT_MADE, told
from quarterdeck.runs.entries import Entry
from quarterdeck.runs.fold import RunState, apply
from quarterdeck.runs.messages import AUTHOR, Call, Label, Stored, Text, Thinking, ToolMessage, Trust, UserMessage
from quarterdeck.runs.turns import plain, show, show_part, turns
from tests.logs import ALLOW

AT = datetime(2026, 1, 1, tzinfo=UTC)


def story(*events: e.Event) -> list[Entry]:
    opening = e.RunAdmitted(agent="a", release="r", user="u", input=(UserMessage((Text("hello"),)),))
    return [Entry(seq, 1, AT + timedelta(seconds=seq), event) for seq, event in enumerate((opening, *events), 1)]


def folded(entries: list[Entry]) -> RunState:
    state = RunState()
    for entry in entries:
        state = apply(state, entry.event, entry.attempt, entry.at)
    return state


def answered(*content: Text | Call | Thinking) -> tuple[e.Event, ...]:
    asked = e.ModelCalled(step=1, call="m1", provider="p", model="m", decision=ALLOW)
    return asked, e.ModelAnswered(
        step=1, call="m1", content=content, finish="stop", served_model="m", usage=e.Usage(1, 1)
    )


def intent(call: str) -> e.ToolCalled:
    return e.ToolCalled(
        step=1, call=call, tool="refund", arguments={}, effect="payment", repeat="never", decision=ALLOW
    )


def test_each_open_call_is_closed_with_what_is_known_of_it():
    calls = [Call(call, "refund", {}) for call in ("done", "unknown", "sent", "fresh")]
    entries = story(
        *answered(*calls),
        intent("done"),
        intent("unknown"),
        intent("sent"),
        e.ToolAnswered(call="done", content=(Text("ok"),)),
        e.ToolUnknown(call="unknown", tool="refund", why="cut"),
        e.RunFinished(status="cancelled"),
    )
    closed = [message for message in told(folded(entries)) if isinstance(message, ToolMessage)]
    assert [(message.call, message.content[0], message.is_error) for message in closed] == [
        ("done", Text("ok"), False),
        ("unknown", Text(NOT_KNOWN), True),
        ("sent", Text(NOT_AWAITED), True),
        ("fresh", Text(NOT_MADE), True),
    ]


def test_a_conversation_without_open_calls_is_told_as_it_is():
    state = folded(story(*answered(Text("hi"))))
    assert told(state) == state.messages


def test_turns_say_who_spoke_when_and_why():
    nudge = e.MessageAdded(message=UserMessage((Text("again"),), AUTHOR), cause="empty")
    outcome = e.ToolAnswered(call="c1", content=(Text("ok"),), label=Label("tool:refund", Trust.TRUSTED))
    entries = story(*answered(Call("c1", "refund", {"n": 1})), intent("c1"), outcome, nudge)
    shown = [show(turn, 100) for turn in turns(entries)]
    assert [(turn["seq"], turn["role"]) for turn in shown] == [(1, "user"), (3, "model"), (5, "tool"), (6, "user")]
    assert shown[1]["step"] == 1
    assert (shown[2]["call"], shown[2]["tool"], shown[2]["is_error"]) == ("c1", "refund", False)
    assert shown[2]["label"] == {"source": "tool:refund", "trust": "trusted"}
    assert shown[3]["cause"] == "empty"


def test_a_refused_a_failed_and_a_resolved_call_each_have_their_turn():
    calls = [Call(call, "refund", {}) for call in ("a", "b", "c")]
    denied = e.ToolDenied(
        step=1, call="a", tool="refund", arguments={}, decision=e.Decision("deny", "x"), content=(Text("no"),)
    )
    entries = story(
        *answered(*calls),
        denied,
        e.ToolFailed(call="b", code="timeout", content=(Text("slow"),)),
        e.ToolResolved(call="c", outcome="did_not_happen", by="key:op", content=(Text("it did not"),)),
    )
    told_turns = [turn for turn in turns(entries) if turn.role == "tool"]
    assert [(turn.call, turn.is_error) for turn in told_turns] == [("a", True), ("b", True), ("c", True)]


def test_long_text_is_cut_and_says_so():
    assert show_part(Text("x" * 20), 10) == {"type": "text", "text": "x" * 9 + "…", "cut": True, "length": 20}
    assert show_part(Text("short"), 10) == {"type": "text", "text": "short"}


def test_what_only_a_provider_understands_is_not_shown():
    assert show_part(Thinking("hm", signature="s", opaque={"id": 1}), 10) == {"type": "thinking", "text": "hm"}
    call = show_part(Call("c", "t", {"a": 1}, opaque={"id": 1}), 10)
    assert call == {"type": "call", "id": "c", "tool": "t", "arguments": {"a": 1}, "raw": None}


def test_stored_text_is_shown_by_its_beginning():
    assert plain([Text("one\n two "), Stored("k", 9, begins="three")], 100) == "one two three"
    assert show_part(Stored("k", 9, begins="three"), 10)["key"] == "k"
