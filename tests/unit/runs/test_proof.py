"""The proof of a run from its log alone: what a sound log shows, and that nothing can be missing from it unseen."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from msgspec.structs import replace

from quarterdeck.runs import events as e
from quarterdeck.runs.crossings import Proof
from quarterdeck.runs.demands import MODEL, READING, TOOL, Demands
from quarterdeck.runs.messages import Call, Label, Text, Trust, Usage, UserMessage
from quarterdeck.runs.proof import prove
from quarterdeck.runs.records import StoredEvent
from tests.logs import logs

START = datetime(2026, 1, 1, tzinfo=UTC)
DEMANDS = Demands(3, TOOL[3], MODEL[3], ("length", "injection"), ("pii",), {"look": "untrusted", "pay": "trusted"})
YES_MODEL = e.Decision("allow", "default", checks=MODEL[3], effective="aa")
YES_TOOL = e.Decision("allow", "default", checks=TOOL[3], effective="bb")
ASKED = e.Decision("ask", "permission", checks=TOOL[3], effective="bb")
REFUSED = e.Decision("deny", "schema", "No.", TOOL[3][:3], effective="bb")
UNTRUSTED = Label("tool:look")


def called(step: int, call: str = "", purpose: str = "") -> e.ModelCalled:
    name = call or f"m{step}"
    return e.ModelCalled(step=step, call=name, provider="p", model="m", decision=YES_MODEL, purpose=purpose)


def answered(step: int, *calls: tuple[str, str], call: str = "", purpose: str = "") -> e.ModelAnswered:
    content = (Text("So."), *(Call(id_, tool, {}) for id_, tool in calls))
    return e.ModelAnswered(
        step=step,
        call=call or f"m{step}",
        content=content,
        finish="stop",
        served_model="m",
        usage=Usage(1, 1),
        purpose=purpose,
    )


def tool(call: str, name: str, **more: object) -> e.ToolCalled:
    plain = e.ToolCalled(step=1, call=call, tool=name, arguments={}, effect="read", repeat="safe", decision=YES_TOOL)
    return replace(plain, **more)


WHOLE: tuple[e.Event, ...] = (
    e.RunAdmitted(agent="desk", release="ab", user="ann", input=(UserMessage((Text("Hello"),)),)),
    e.RunClaimed(worker="w", host="h", version="1", behaviour=3),
    e.GuardrailJudged(edge="input", step=0, verdict="allow", checks=("length", "injection")),
    called(1),
    answered(1, ("c1", "look"), ("c2", "pay"), ("c3", "look"), ("c4", "delegate")),
    tool("c1", "look"),
    e.ToolAnswered(call="c1", content=(Text("x"),), label=UNTRUSTED),
    e.ToolDenied(step=1, call="c3", tool="look", arguments={}, decision=REFUSED, content=(Text("No."),)),
    e.ApprovalAsked(
        step=1, call="c2", approval="a1", tool="pay", arguments={}, effect="payment", decision=ASKED, digest="d",
        expires_at=1,
    ),
    tool("c4", "delegate", child="run-2"),
    e.ToolAnswered(call="c4", content=(Text("helped"),), label=Label("agent:helper")),
    e.RunParked(status="waiting_for_approval", why="asked"),
    e.ApprovalAnswered(call="c2", approval="a1", state="approved", by=("bob",)),
    e.RunResumed(why="answered"),
    e.RunClaimed(worker="w", host="h", version="1", behaviour=3),
    tool("c2", "pay", approval="a1", approved_by=("person:bob",)),
    e.ToolAnswered(call="c2", content=(Text("paid"),), label=Label("tool:pay", Trust.TRUSTED)),
    called(1, "summary-1", "summary"),
    answered(1, call="summary-1", purpose="summary"),
    e.ContextShortened(
        step=2, results_upto=2, messages_upto=2, summary=UserMessage((Text("Short."),), Label("tool:look"))
    ),
    called(2),
    called(2, "judge-2", "judge"),
    answered(2, call="judge-2", purpose="judge"),
    answered(2),
    e.GuardrailJudged(edge="output", step=2, verdict="allow", checks=("pii",)),
    e.RunFinished(status="succeeded", text="So."),
)  # fmt: skip


def rows(events: Sequence[e.Event]) -> list[StoredEvent]:
    return [
        StoredEvent(at + 1, 1, one.kind, one.v, START + timedelta(seconds=at), e.write(one))
        for at, one in enumerate(events)
    ]


def proof(events: Sequence[e.Event], demands: Demands = DEMANDS) -> Proof:
    return prove(rows(events), demands, len(events))


def test_a_sound_log_shows_each_edge_with_its_decision():
    shown = proof(WHOLE)
    assert (shown.gaps, shown.proven, shown.ended) == ((), True, True)
    assert [(edge.edge.value, edge.name, edge.verdict) for edge in shown.edges] == [
        ("input", "input", "allow"),
        ("model", "m", "allow"),
        ("tool", "look", "allow"),
        ("result", "look", "untrusted"),
        ("tool", "look", "deny"),
        ("approval", "pay", "ask"),
        ("tool", "delegate", "allow"),
        ("child", "delegate", "allow"),
        ("result", "delegate", "untrusted"),
        ("tool", "pay", "allow"),
        ("result", "pay", "trusted"),
        ("model", "m", "allow"),
        ("summary", "summary", "untrusted"),
        ("model", "m", "allow"),
        ("model", "m", "allow"),
        ("output", "output", "allow"),
    ]
    paid = shown.edges[9]
    assert (paid.checks, paid.effective, paid.by, paid.call) == (TOOL[3], "bb", ("person:bob",), "c2")
    assert shown.edges[7].child == "run-2"


@pytest.mark.parametrize("at", range(len(WHOLE)), ids=[f"{at}-{one.kind}" for at, one in enumerate(WHOLE)])
def test_no_event_can_be_taken_out_of_a_log_unseen(at: int):
    left = rows(WHOLE)
    del left[at]
    shown = prove(left, DEMANDS, len(WHOLE))
    assert not shown.proven


DECISIVE = [at for at, one in enumerate(WHOLE) if one.kind.split(".")[0] in {"guardrail", "model", "tool", "approval"}]


@pytest.mark.parametrize("at", DECISIVE, ids=[f"{at}-{WHOLE[at].kind}" for at in DECISIVE])
def test_what_decides_is_missed_even_where_the_numbers_were_put_right(at: int):
    left = [*WHOLE[:at], *WHOLE[at + 1 :]]
    harmless = {"tool.answered", "model.answered"}
    inner = WHOLE[at].kind == "model.answered" and getattr(WHOLE[at], "purpose", "") != ""
    if WHOLE[at].kind == "tool.answered" or inner:
        # What came back and was never shown to anybody crosses no edge; the numbers tell that it is gone.
        assert WHOLE[at].kind in harmless
        return
    assert not proof(left).proven, WHOLE[at].kind


def changed(at: int, **members: object) -> list[e.Event]:
    return [*WHOLE[:at], replace(WHOLE[at], **members), *WHOLE[at + 1 :]]


def at_of(kind: str, number: int = 0) -> int:
    return [at for at, one in enumerate(WHOLE) if one.kind == kind][number]


WRONG: dict[str, tuple[list[e.Event], str]] = {
    "a tool that was called against the gate": (
        changed(at_of("tool.called"), decision=REFUSED),
        "`look` was called although the gate did not allow it",
    ),
    "a question against the gate": (
        changed(at_of("model.called"), decision=e.Decision("deny", "limits.steps", checks=MODEL[3], effective="x")),
        "`m1` was answered although the gate did not allow it",
    ),
    "a call that nobody asked for": (
        changed(at_of("tool.called"), call="c9"),
        "`look` was called, and no model asked for it",
    ),
    "an answer to no call": (
        changed(at_of("tool.answered"), call="c9"),
        "the call `c9` was answered, and nobody decided to make it",
    ),
    "a result without a label": (changed(at_of("tool.answered"), label=None), "without label"),
    "a result that is called trusted": (
        changed(at_of("tool.answered"), label=Label("tool:look", Trust.TRUSTED)),
        "without label",
    ),
    "a summary that is called trusted": (
        changed(
            at_of("context.shortened"),
            messages_upto=6,
            summary=UserMessage((Text("Short."),), Label("author", Trust.TRUSTED)),
        ),
        "without label",
    ),
    "an approval that was a no": (
        changed(at_of("approval.answered"), state="denied"),
        "`pay` uses an approval that nobody gave",
    ),
    "an approval of another call": (
        changed(at_of("approval.asked"), call="c1"),
        "`pay` uses an approval that nobody was asked for",
    ),
    "an approval of too few": (
        changed(at_of("approval.asked"), people=2),
        "`pay` needed a yes of 2 people and has 1",
    ),
    "a decision without what was in force": (
        changed(at_of("tool.called"), decision=e.Decision("allow", "default", checks=TOOL[3])),
        "without effective",
    ),
    "an input that was refused": (
        changed(at_of("guardrail.judged"), verdict="deny", rule="length", checks=("length",)),
        "a model is asked although what came in was refused",
    ),
    "a denial by nobody": (
        changed(at_of("tool.denied"), decision=e.Decision("deny", "magic", checks=TOOL[3][:3], effective="x")),
        "without the check `magic`",
    ),
    "a run that is not over": (
        [*WHOLE[:3], e.RunFinished(status="succeeded", text="So.")],
        "the run succeeded, and no model has answered",
    ),
}


@pytest.mark.parametrize(("events", "what"), WRONG.values(), ids=WRONG.keys())
def test_what_does_not_fit_together_is_a_gap(events: list[e.Event], what: str):
    assert what in [gap.what for gap in proof(events).gaps]


@pytest.mark.parametrize("check", TOOL[3])
def test_a_tool_call_without_one_of_its_checks_is_a_gap(check: str):
    made = tuple(one for one in TOOL[3] if one != check)
    less = e.Decision("allow", "default", checks=made, effective="bb")
    shown = proof(changed(at_of("tool.called"), decision=less))
    assert [(gap.edge, gap.what) for gap in shown.gaps] == [("tool", f"without {check}")]
    assert shown.edges[2].missing == (check,)


@pytest.mark.parametrize("check", READING)
def test_reading_a_kept_result_again_has_checks_of_its_own(check: str):
    asks = replace(WHOLE[at_of("model.answered")], content=(Call("c1", "read_result", {}),))
    made = tuple(one for one in READING if one != check)
    before = WHOLE[: at_of("model.called") + 1]
    for checks, missing in ((READING, []), (made, [f"without {check}"])):
        again = tool("c1", "read_result", decision=e.Decision("allow", "default", checks=checks, effective="cc"))
        assert [gap.what for gap in proof([*before, asks, again]).gaps] == missing


@pytest.mark.parametrize("check", MODEL[3])
def test_a_question_without_one_of_its_checks_is_a_gap(check: str):
    made = tuple(one for one in MODEL[3] if one != check)
    less = e.Decision("allow", "default", checks=made, effective="aa")
    for number in range(4):
        shown = proof(changed(at_of("model.called", number), decision=less))
        assert [(gap.edge, gap.what) for gap in shown.gaps] == [("model", f"without {check}")]


def test_a_guardrail_that_was_left_out_is_a_gap():
    for checks, missing in (((), "length, injection"), (("length",), "injection"), (("injection",), "length")):
        shown = proof(changed(at_of("guardrail.judged"), checks=checks))
        assert [gap.what for gap in shown.gaps] == [f"without {missing}"]
    assert not proof(changed(at_of("guardrail.judged", 1), checks=())).proven


def test_a_release_without_guardrails_demands_none_and_an_older_one_no_judgement():
    plain = [one for one in WHOLE if not (isinstance(one, e.GuardrailJudged) and one.edge == "output")]
    assert proof(plain, Demands(3, TOOL[3], MODEL[3])).proven
    assert not proof(plain).proven
    older = [one for one in WHOLE if not isinstance(one, e.GuardrailJudged)]
    assert proof(older, Demands(2, TOOL[2], MODEL[2])).proven
    assert not proof(older, Demands(3, TOOL[3], MODEL[3])).proven


def test_a_log_that_ends_too_early_is_no_proof():
    assert prove(rows(WHOLE[:5]), DEMANDS, 5).proven
    assert not prove(rows(WHOLE[:5]), DEMANDS, 6).proven
    assert not prove([], DEMANDS, 0).proven
    assert not prove([], DEMANDS, 26).proven


def sound(log: Sequence[StoredEvent]) -> list[StoredEvent]:
    """A simulated log, its decisions as real gates make them."""
    made: list[e.Event] = []
    for row in log:
        event = e.read(row.kind, row.v, row.data)
        match event:
            case e.ModelCalled():
                event = replace(event, decision=YES_MODEL)
            case e.ToolCalled():
                event = replace(event, decision=YES_TOOL)
            case e.ToolDenied(decision=decision):
                named = decision.rule.partition(".")[0]
                upto = TOOL[3][: TOOL[3].index(named) + 1]
                event = replace(event, decision=replace(decision, checks=upto, effective="bb"))
            case e.ApprovalAsked():
                event = replace(event, decision=ASKED)
            case e.ToolAnswered(label=None):
                event = replace(event, label=UNTRUSTED)
            case _:
                pass
        made.append(event)
    return [
        StoredEvent(row.seq, row.attempt, row.kind, row.v, row.at, e.write(one))
        for row, one in zip(log, made, strict=True)
    ]


@given(logs())
def test_whatever_happens_to_a_run_its_log_is_proven_and_less_of_it_is_not(log: list[StoredEvent]):
    whole = sound(log)
    shown = prove(whole, Demands(3, TOOL[3], MODEL[3]), len(whole))
    assert shown.gaps == ()
    for at in range(0, len(whole), max(1, len(whole) // 5)):
        left = [*whole[:at], *whole[at + 1 :]]
        assert not prove(left, Demands(3, TOOL[3], MODEL[3]), len(whole)).proven
