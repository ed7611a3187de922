"""What a run does next: one table of situations, each a sentence."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from msgspec.structs import replace as replace_struct

from quarterdeck.guardrails.shape import Fits, Misfits, OutputCheck
from quarterdeck.loop import rules
from quarterdeck.loop.handoffs import handoff, parting_words
from quarterdeck.loop.rules import CallModel, CallTools, Close, Doubt, Finish, JudgeInput, Nudge, Park, Rest
from quarterdeck.releases.records import Limits
from quarterdeck.runs import events as e
from quarterdeck.runs.fold import RunState, apply
from quarterdeck.runs.messages import Call, Text, ToolMessage, Usage, UserMessage
from quarterdeck.runs.records import Status, StopReason

START = datetime(2026, 1, 1, tzinfo=UTC)
ALLOW = e.Decision("allow", "default")
LIMITS = Limits(max_steps=4, max_tool_calls=5, max_seconds=60, max_tokens=1000, max_repeats=2)


def story(*events: e.Event, attempt: int = 1) -> RunState:
    """The state after a run's opening and these events, one second apart."""
    opening = (
        e.RunAdmitted(agent="a", release="r", user="u", input=(UserMessage((Text("hello"),)),)),
        e.RunClaimed(worker="w", host="h", version="1", behaviour=1),
    )
    state = RunState()
    for second, event in enumerate((*opening, *events)):
        state = apply(state, event, attempt, START + timedelta(seconds=second))
    return state


def judged(edge: str = "input", verdict: str = "allow", rule: str = "", reason: str = "") -> e.GuardrailJudged:
    return e.GuardrailJudged(edge=edge, step=0, verdict=verdict, rule=rule, reason=reason)


def asked(step: int = 1) -> e.ModelCalled:
    return e.ModelCalled(step=step, call=f"m{step}", provider="p", model="m", decision=ALLOW)


def answered(*content: Text | Call, step: int = 1, finish: str = "stop", tokens: int = 10) -> e.ModelAnswered:
    return e.ModelAnswered(
        step=step, call=f"m{step}", content=content, finish=finish, served_model="m", usage=Usage(tokens, 0)
    )


def called(call: str, *, effect: str = "read", repeat: str = "never", step: int = 1) -> e.ToolCalled:
    return e.ToolCalled(
        step=step, call=call, tool="t", arguments={}, effect=effect, repeat=repeat, decision=ALLOW, not_after=5
    )


def got(call: str) -> e.ToolAnswered:
    return e.ToolAnswered(call=call, content=(Text("ok"),))


def turn(step: int, argument: int = 0) -> tuple[e.Event, ...]:
    """A whole turn with one call and its answer."""
    call = f"c{step}"
    ask = Call(call, "t", {"n": argument})
    return asked(step), answered(ask, step=step), called(call, step=step), got(call)


def next_step(state: RunState, *, after: float = 10, output: OutputCheck | None = None) -> rules.Step:
    return rules.next_step(state, LIMITS, START + timedelta(seconds=after), output)


def test_a_fresh_run_has_its_input_judged_and_then_asks_the_model() -> None:
    assert next_step(story()) == JudgeInput()
    assert next_step(story(judged())) == CallModel(1)


def test_a_run_of_an_older_behaviour_goes_on_as_it_began() -> None:
    assert rules.next_step(story(), LIMITS, START, behaviour=2) == CallModel(1)
    over = story(asked(), answered(Call("1", "t", {}), tokens=2000), called("1"), got("1"))
    step = rules.next_step(over, LIMITS, START, behaviour=2)
    assert isinstance(step, Finish)
    assert step.reason is StopReason.TOKENS


@pytest.mark.parametrize("edge", ["input", "output"])
def test_what_a_guardrail_refuses_stops_the_run_with_its_words(edge: str) -> None:
    judgement = judged(edge=edge, verdict="deny", rule="length", reason="Please write less.")
    step = next_step(story(judgement) if edge == "input" else story(judged(), asked(), answered(Text("x")), judgement))
    assert isinstance(step, Finish)
    assert (step.status, step.reason, step.text) == (Status.STOPPED, StopReason.POLICY, "Please write less.")


class TestARunThatIsClosing:
    """A limit is reached: one last answer, and only one question for it."""

    closing = e.RunClosing(reason="budget", why="the run's budget is spent")

    def test_asks_once_for_a_last_answer_whatever_is_open(self) -> None:
        state = story(judged(), asked(), answered(Call("1", "t", {})), self.closing)
        assert next_step(state) == CallModel(2, closing=True)

    def test_ends_with_the_models_own_words(self) -> None:
        last = e.ModelCalled(step=2, call="m2", provider="p", model="m", decision=ALLOW, purpose="closing")
        said = replace_struct(answered(Text(" I did half of it. "), step=2), purpose="closing")
        step = next_step(story(judged(), asked(), answered(Call("1", "t", {})), self.closing, last, said))
        assert step == Finish(
            Status.STOPPED, "I did half of it.", reason=StopReason.BUDGET, why="the run's budget is spent"
        )

    def test_calls_that_the_last_answer_asks_for_are_not_made(self) -> None:
        last = e.ModelCalled(step=2, call="m2", provider="p", model="m", decision=ALLOW, purpose="closing")
        said = replace_struct(answered(Text("half"), Call("9", "t", {}), step=2), purpose="closing")
        state = story(judged(), asked(), answered(Text("x")), self.closing, last, said)
        assert not state.calls
        assert isinstance(next_step(state), Finish)

    @pytest.mark.parametrize("died", [True, False])
    def test_is_not_asked_twice(self, *, died: bool) -> None:
        last = e.ModelCalled(step=2, call="m2", provider="p", model="m", decision=ALLOW, purpose="closing")
        lost = () if died else (e.ModelFailed(step=2, call="m2", code="timeout", message="", purpose="closing"),)
        state = story(judged(), asked(), answered(Text("x")), self.closing, last, *lost)
        step = next_step(state)
        assert step == Finish(Status.STOPPED, "", reason=StopReason.BUDGET, why="the run's budget is spent")
        words = parting_words(handoff(state, "the run's budget is spent"))
        assert "the run's budget is spent" in words
        assert "the rest of what was asked: “hello”" in words

    def test_goes_on_behind_its_last_answer_when_somebody_retries_it(self) -> None:
        last = e.ModelCalled(step=2, call="m2", provider="p", model="m", decision=ALLOW, purpose="closing")
        said = replace_struct(answered(Text("I had to stop."), step=2), purpose="closing")
        ended = e.RunFinished(status="stopped", reason="budget", text="I had to stop.")
        before = story(judged(), *turn(1))
        state = story(judged(), *turn(1), self.closing, last, said, judged("output"), ended, e.RunRetried(by="ann"))
        assert next_step(state) == CallModel(2)
        assert state.messages == before.messages


def test_a_run_whose_answer_was_withheld_asks_anew_when_somebody_retries_it() -> None:
    ended = e.RunFinished(status="stopped", reason="policy", text="I can't say that.")
    withheld = (answered(Text("[This answer was withheld.]")), judged("output", "deny", "pii"), ended)
    state = story(judged(), asked(), *withheld, e.RunRetried(by="ann"))
    assert next_step(state) == CallModel(2)
    assert len(state.messages) == 1


def test_questions_aside_change_nothing_but_the_bill() -> None:
    before = story(judged(), asked(), answered(Call("1", "t", {})))
    aside = e.ModelCalled(step=1, call="judge-1", provider="p", model="m", decision=ALLOW, purpose="judge")
    said = replace_struct(answered(Text("pass"), tokens=7), call="judge-1", purpose="judge", cost=90)
    after = story(judged(), asked(), answered(Call("1", "t", {})), aside, said)
    assert (after.messages, after.calls, after.asked, after.steps) == (before.messages, before.calls, None, 1)
    assert after.cost == before.cost + 90
    assert after.asides == 1


def test_a_question_that_died_with_its_worker_is_asked_again_in_the_same_step() -> None:
    reclaimed = apply(story(judged(), asked()), e.RunClaimed(worker="w2", host="h", version="1", behaviour=1), 2, START)
    assert next_step(reclaimed) == CallModel(1, again=True)


def test_an_answer_without_calls_is_the_result() -> None:
    assert next_step(story(asked(), answered(Text("done")))) == Finish(Status.SUCCEEDED, "done")


def test_all_calls_of_a_turn_are_put_before_the_gate_together() -> None:
    step = next_step(story(asked(), answered(Call("1", "t", {}), Call("2", "t", {"x": 1}))))
    assert isinstance(step, CallTools)
    assert [one.call.id for one in step.fresh] == ["1", "2"]
    assert step.again == ()


def test_the_model_is_asked_once_every_call_has_its_outcome() -> None:
    one = story(asked(), answered(Call("1", "t", {}), Call("2", "t", {})), called("1"), called("2"), got("2"))
    both = apply(one, got("1"), 1, START)
    assert next_step(both) == CallModel(2)
    assert [message.call for message in both.messages if isinstance(message, ToolMessage)] == ["1", "2"]


@pytest.mark.parametrize(
    ("effect", "repeat", "expected"),
    [
        ("read", "never", CallTools),
        ("write", "safe", CallTools),
        ("payment", "keyed", CallTools),
        ("write", "never", Doubt),
        ("payment", "never", Doubt),
        ("deletion", "never", Doubt),
    ],
)
def test_a_call_whose_worker_died_is_repeated_only_where_that_does_no_harm(
    effect: str, repeat: str, expected: type
) -> None:
    dead = story(asked(), answered(Call("1", "t", {})), called("1", effect=effect, repeat=repeat))
    reclaimed = apply(dead, e.RunClaimed(worker="w2", host="h", version="1", behaviour=1), 2, START)
    step = next_step(reclaimed)
    assert isinstance(step, expected)
    if isinstance(step, CallTools):
        assert [one.call.id for one in step.again] == ["1"]


def test_a_run_with_an_unknown_outcome_parks_until_somebody_says() -> None:
    doubt = story(
        asked(),
        answered(Call("1", "t", {})),
        called("1", effect="payment"),
        e.ToolUnknown(call="1", tool="t", why="died", ask_after=1),
    )
    assert next_step(doubt) == Park(Status.WAITING_FOR_OUTCOME, "nobody knows whether t took effect")
    said = apply(doubt, e.ToolResolved(call="1", outcome="happened", by="me", content=(Text("it did"),)), 1, START)
    assert next_step(said) == CallModel(2)


def test_a_cancel_request_ends_the_run_whatever_it_was_doing() -> None:
    for events in ((), (asked(),), (asked(), answered(Call("1", "t", {})), called("1", effect="payment"))):
        cancelled = apply(story(*events), e.CancelRequested(by="ann"), 1, START)
        step = next_step(cancelled)
        assert isinstance(step, Finish)
        assert step.status is Status.CANCELLED


def test_a_run_that_ends_accounts_for_effects_that_were_sent_and_never_heard_of() -> None:
    sent = story(
        asked(),
        answered(*(Call(call, "t", {}) for call in "12345")),
        called("1", effect="payment"),
        called("2", effect="payment", repeat="keyed"),
        called("3"),
        called("4", effect="payment"),
        got("4"),
    )
    assert [call.call.id for call in rules.lost(sent)] == ["1", "2"]
    told = apply(sent, e.ToolUnknown(call="1", tool="t", why="died", ask_after=1), 2, START)
    assert [call.call.id for call in rules.lost(told)] == ["2"]


def test_the_step_limit_stops_the_run_after_its_last_step() -> None:
    events = [event for step in range(1, 5) for event in turn(step, argument=step)]
    step = next_step(story(*events))
    assert isinstance(step, Close)
    assert step.reason is StopReason.STEPS


def test_a_turn_that_would_pass_the_call_limit_is_not_begun() -> None:
    calls = tuple(Call(str(n), "t", {"n": n}) for n in range(6))
    step = next_step(story(asked(), answered(*calls)))
    assert isinstance(step, Close)
    assert step.reason is StopReason.CALLS


def test_the_token_limit_stops_the_run() -> None:
    step = next_step(story(asked(), answered(Call("1", "t", {}), tokens=2000), called("1"), got("1")))
    assert isinstance(step, Close)
    assert step.reason is StopReason.TOKENS


def test_the_time_limit_counts_execution_only() -> None:
    assert isinstance(next_step(story(judged()), after=61 + 2), Close)
    released = apply(story(judged()), e.RunReleased(why="drain"), 1, START + timedelta(seconds=2))
    later = START + timedelta(hours=1)
    again = apply(released, e.RunClaimed(worker="w2", host="h", version="1", behaviour=1), 2, later)
    assert rules.next_step(again, LIMITS, later + timedelta(seconds=1)) == CallModel(1)


def test_the_same_turn_again_and_again_is_first_told_and_then_stopped() -> None:
    twice = story(*turn(1), *turn(2))
    nudge = next_step(twice)
    assert isinstance(nudge, Nudge)
    assert nudge.cause == rules.LOOPING
    told = apply(twice, e.MessageAdded(message=UserMessage((Text(nudge.text),)), cause=nudge.cause), 1, START)
    assert next_step(told) == CallModel(3)
    fourth = told
    for event in (*turn(3), asked(4), answered(Call("c4", "t", {"n": 0}), step=4)):
        fourth = apply(fourth, event, 1, START)
    step = next_step(fourth)
    assert isinstance(step, Close)
    assert step.reason is StopReason.LOOP


@pytest.mark.parametrize(
    ("turns", "expected"),
    [((), 0), (("a",), 1), (("a", "a", "a"), 3), (("a", "b", "a", "b"), 2), (("a", "b", "c"), 1), (("b", "a", "a"), 2)],
)
def test_cycles_of_several_turns_count_as_repeats_too(turns: tuple[str, ...], expected: int) -> None:
    assert rules.repeats(turns) == expected


def test_an_empty_answer_is_asked_for_once_more_and_then_fails() -> None:
    empty = story(asked(), answered(Text("  ")))
    nudge = next_step(empty)
    assert isinstance(nudge, Nudge)
    again = apply(empty, e.MessageAdded(message=UserMessage((Text(nudge.text),)), cause=nudge.cause), 1, START)
    assert next_step(again) == CallModel(2)
    second = apply(apply(again, asked(2), 1, START), answered(step=2), 1, START)
    step = next_step(second)
    assert isinstance(step, Finish)
    assert step.error_code == "model.empty"


@pytest.mark.parametrize("finish", ["refusal", "filtered"])
def test_a_refusal_stops_the_run_with_the_models_own_words(finish: str) -> None:
    step = next_step(story(asked(), answered(Text("I can't help with that."), finish=finish)))
    assert isinstance(step, Finish)
    assert (step.status, step.reason, step.text) == (Status.STOPPED, StopReason.POLICY, "I can't help with that.")


def test_an_answer_that_was_cut_off_is_asked_for_again_shorter() -> None:
    cut = story(asked(), answered(Text("once upon a"), finish="length"))
    nudge = next_step(cut)
    assert isinstance(nudge, Nudge)
    assert nudge.cause == rules.CUT_OFF


def test_structured_output_gets_one_repair_and_then_fails_with_its_errors() -> None:
    output = OutputCheck({"type": "object", "required": ["total"], "properties": {"total": {"type": "integer"}}})
    wrong = story(asked(), answered(Text('{"total": "a lot"}')))
    nudge = next_step(wrong, output=output)
    assert isinstance(nudge, Nudge)
    assert "total" in nudge.errors[0]
    told = apply(wrong, e.OutputRejected(step=1, errors=nudge.errors), 1, START)
    told = apply(told, e.MessageAdded(message=UserMessage((Text(nudge.text),)), cause=nudge.cause), 1, START)
    told = apply(told, asked(2), 1, START)
    right = apply(told, answered(Text('{"total": 3}'), step=2), 1, START)
    assert next_step(right, output=output) == Finish(Status.SUCCEEDED, '{"total": 3}', {"total": 3})
    still = apply(told, answered(Text("no idea"), step=2), 1, START)
    step = next_step(still, output=output)
    assert isinstance(step, Finish)
    assert step.error_code == "output.invalid"


def test_a_fenced_block_of_json_is_accepted_as_json() -> None:
    output = OutputCheck({"type": "object"})
    assert output.judge('```json\n{"a": 1}\n```') == Fits({"a": 1})
    assert isinstance(output.judge("{'a': 1}"), Misfits)


def test_an_ended_run_has_nothing_left_to_do() -> None:
    ended = apply(story(), e.RunFinished(status="succeeded", text="x"), 1, START)
    assert next_step(ended) == Rest()


def test_a_retried_run_goes_on_from_its_last_checkpoint_without_repeating_effects() -> None:
    failed = story(*turn(1), asked(2), e.ModelFailed(step=2, call="m2", code="unreachable", message="away"))
    failed = apply(failed, e.RunFinished(status="failed", error_code="model.unreachable"), 1, START)
    retried = apply(failed, e.RunRetried(by="ann"), 1, START)
    assert next_step(retried) == CallModel(3)
    assert len(retried.messages) == 3


def test_a_handoff_names_what_was_done_and_what_is_left() -> None:
    state = story(
        *turn(1),
        asked(2),
        answered(Text("Refunding now."), Call("p", "pay", {"order": "88121"}), step=2),
        replace_tool(called("p", effect="payment", step=2), "pay"),
        e.ToolUnknown(call="p", tool="pay", why="died"),
    )
    left = handoff(state, "cancelled by ann")
    assert left.done == ("t (n: 0)",)
    assert left.left == ("find out whether pay (order: 88121) took effect",)
    assert left.last_words == "Refunding now."


def test_a_handoff_tells_calls_in_words_and_money_as_people_write_it() -> None:
    arguments = {"number": 1042, "amount_cents": 4950, "reason": "a dented lid"}
    state = story(
        asked(1),
        answered(Call("p", "refund_order", arguments)),
        replace_tool(called("p", effect="payment"), "refund_order"),
        got("p"),
    )
    left = handoff(state, "the budget is used up")
    assert left.done == ("refund order (number: 1042, amount: 49.50, reason: a dented lid)",)
    assert left.left == ("the rest of what was asked: “hello”",)


def replace_tool(event: e.ToolCalled, tool: str) -> e.ToolCalled:
    return msgspec.structs.replace(event, tool=tool)


def test_limits_are_those_of_the_release() -> None:
    generous = replace(LIMITS, max_steps=100)
    events = [event for step in range(1, 5) for event in turn(step, argument=step)]
    assert rules.next_step(story(*events), generous, START + timedelta(seconds=20)) == CallModel(5)
