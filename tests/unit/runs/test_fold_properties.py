"""Whoever reads the same log goes on in the same way: at every prefix of every log that the rules can write."""

from hypothesis import given

from quarterdeck.loop import rules
from quarterdeck.runs import events as e
from quarterdeck.runs.conversation import told
from quarterdeck.runs.entries import opened, state_of
from quarterdeck.runs.fold import RunState, apply, fold
from quarterdeck.runs.messages import ModelMessage, ToolMessage
from quarterdeck.runs.records import StoredEvent
from tests.logs import LIMITS, logs, repeated_effects


@given(logs())
def test_folding_a_prefix_and_then_the_rest_is_folding_all(log: list[StoredEvent]):
    whole = fold(log)
    for cut in range(len(log) + 1):
        assert fold(log[cut:], fold(log[:cut])) == whole


@given(logs())
def test_at_every_prefix_any_process_takes_the_same_next_step(log: list[StoredEvent]):
    grown = RunState()
    for row in log:
        grown = fold([row], grown)
        fresh = fold(log[: row.seq])
        assert rules.next_step(fresh, LIMITS, row.at) == rules.next_step(grown, LIMITS, row.at)


@given(logs())
def test_a_worker_that_takes_over_at_any_prefix_repeats_no_effect_that_must_not_be(log: list[StoredEvent]):
    assert repeated_effects(log) == []
    for cut in range(1, len(log) + 1):
        state = fold(log[:cut])
        if state.finished:
            continue
        claimed = e.RunClaimed(worker="other", host="h", version="1", behaviour=1)
        taken = apply(state, claimed, state.attempt + 1, log[cut - 1].at)
        step = rules.next_step(taken, LIMITS, log[cut - 1].at)
        again = step.again if isinstance(step, rules.CallTools) else ()
        assert all(rules.may_repeat(call) for call in again)
        fresh = step.fresh if isinstance(step, rules.CallTools) else ()
        assert all(call.intent is None and call.outcome is None for call in fresh)


@given(logs())
def test_what_is_told_of_a_run_leaves_no_call_open(log: list[StoredEvent]):
    for cut in range(1, len(log) + 1):
        open_calls: list[str] = []
        for message in told(fold(log[:cut])):
            match message:
                case ModelMessage():
                    assert open_calls == []
                    open_calls = [call.id for call in message.calls]
                case ToolMessage(call=call):
                    open_calls.remove(call)
                case _:
                    assert open_calls == []
        assert open_calls == []


@given(logs())
def test_totals_are_what_the_log_holds(log: list[StoredEvent]):
    events = [entry.event for entry in opened(log)]
    state = fold(log)
    intents = {(event.step, event.call) for event in events if isinstance(event, e.ToolCalled)}
    answers = [event for event in events if isinstance(event, e.ModelAnswered)]
    assert state.tool_calls == len(intents) == sum(state.tools_called.values())
    assert state.usage.input == sum(answer.usage.input for answer in answers)
    assert state.cost == sum(answer.cost or 0 for answer in answers)
    assert state.last_seq == len(log)


@given(logs())
def test_entries_fold_to_the_same_state_as_rows(log: list[StoredEvent]):
    by_rows, by_entries = fold(log), state_of(opened(log))
    names = [name for name in RunState.__struct_fields__ if name != "last_seq"]
    assert all(getattr(by_rows, name) == getattr(by_entries, name) for name in names)


@given(logs())
def test_only_execution_counts_as_execution(log: list[StoredEvent]):
    state = fold(log)
    took = (log[-1].at - log[0].at).total_seconds() * 1000
    assert 0 <= state.active_ms_at(log[-1].at) <= took
