"""Scripts: what tests and benches let a model say."""

import time

import pytest

from quarterdeck.core.ids import new_run_id
from quarterdeck.models.records import Fault, ModelFault
from quarterdeck.models.scripted import Scripted
from quarterdeck.providers.options import ScriptedOptions, read_options
from quarterdeck.providers.records import Kind
from quarterdeck.runs.messages import Call, ModelMessage, Text, Usage
from tests.fakes.asking import asked, result, user


def scripted(latency_ms: float = 0.0, **script) -> Scripted:
    options = read_options(Kind.SCRIPTED, {"script": script, "latency_ms": latency_ms})
    assert isinstance(options, ScriptedOptions)
    return Scripted.read(options)


async def said(model: Scripted, step: int, **more):
    return await model.answer(asked(step=step, **more), None)


async def test_steps_are_taken_in_order_with_their_repetitions():
    steps = [
        {"call": "look", "arguments": {"x": "{n}", "why": "time {n}", "deep": {"a": 1}}, "times": 2},
        {"text": "done"},
    ]
    model = scripted(steps=steps)
    first, second, third, fourth = [await said(model, step) for step in (1, 2, 3, 4)]
    assert first.content == (Call("call_1_0", "look", {"x": 1, "why": "time 1", "deep": {"a": 1}}),)
    assert second.content == (Call("call_2_0", "look", {"x": 2, "why": "time 2", "deep": {"a": 1}}),)
    assert (first.finish, third.finish) == ("calls", "stop")
    assert third.content == fourth.content == (Text("done"),)


async def test_several_calls_come_at_once():
    model = scripted(steps=[{"text": "Both.", "calls": [{"call": "a"}, {"call": "b", "arguments": {"x": 1}}]}])
    answer = await said(model, 1)
    assert answer.content == (Text("Both."), Call("call_1_1", "a", {}), Call("call_1_2", "b", {"x": 1}))


async def test_a_fault_is_met_by_one_try_each():
    model = scripted(steps=[{"fault": "rate_limited", "retry_after": 2, "times": 2}, {"text": "at last"}])
    for _ in range(2):
        with pytest.raises(ModelFault) as caught:
            await said(model, 1)
        assert (caught.value.fault, caught.value.retryable, caught.value.retry_after) == (Fault.RATE_LIMITED, True, 2)
    assert (await said(model, 1)).content == (Text("at last"),)
    with pytest.raises(ModelFault):
        await said(model, 1, run=new_run_id())


async def test_the_first_rule_that_matches_what_the_user_said_decides():
    rules = [{"when": "(?i)refund", "steps": [{"text": "money"}]}, {"when": ".", "steps": [{"text": "other"}]}]
    model = scripted(rules=rules)
    one = await model.answer(asked(user("A REFUND please"), run=new_run_id()), None)
    two = await model.answer(asked(user("hello"), run=new_run_id()), None)
    assert (one.content, two.content) == ((Text("money"),), (Text("other"),))


async def test_the_rule_stays_the_same_through_a_run():
    model = scripted(rules=[{"when": "go", "steps": [{"call": "look"}, {"text": "done"}]}])
    run = new_run_id()
    first = await model.answer(asked(user("go"), run=run), None)
    request = asked(user("go"), ModelMessage(first.content), result("call_1_0", "7"), run=run, step=2)
    assert (await model.answer(request, None)).content == (Text("done"),)


async def test_latency_usage_cost_and_another_model_can_be_set():
    step = {"text": "x", "usage": {"input": 7, "output": 3}, "cost": 11, "served_model": "other", "finish": "length"}
    model = scripted(latency_ms=50, steps=[step])
    started = time.monotonic()
    answer = await said(model, 1)
    assert time.monotonic() - started > 0.045
    assert (answer.usage, answer.cost, answer.served_model) == (Usage(7, 3), 11, "other")
    assert (answer.finish, answer.ms >= 45) == ("length", True)


async def test_words_are_streamed_to_a_listener():
    pieces: list[tuple[str, str]] = []
    model = scripted(steps=[{"thinking": "hm", "text": "so"}])
    await model.answer(asked(), lambda kind, text: pieces.append((kind, text)))
    assert pieces == [("thinking", "hm"), ("text", "so")]


@pytest.mark.parametrize(
    "script",
    [{"steps": []}, {"steps": [{"say": "x"}]}, {"rules": [{"when": "(", "steps": [{"text": "x"}]}]}, {"stepz": []}],
)
def test_a_script_that_can_not_be_read_is_refused(script):
    with pytest.raises(ValueError):
        scripted(**script)
