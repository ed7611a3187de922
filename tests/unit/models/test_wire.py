"""Our messages in the model layer's form: grouped, cached, and back without loss."""

from pydantic_ai import messages as theirs

from quarterdeck.core.ids import new_run_id
from quarterdeck.models.wire import Conversations, spoken_parts
from quarterdeck.runs.messages import Call, Message, ModelMessage, Text, Thinking
from tests.fakes.asking import RUN, result, user


def conversation() -> list[Message]:
    return [
        user("both please"),
        ModelMessage((Text("Looking."), Call("c1", "look", {"x": 1}), Call("c2", "look", {"x": 2}))),
        result("c1", "one"),
        result("c2", "none", is_error=True),
    ]


def test_results_of_parallel_calls_make_one_request():
    first, answer, results = Conversations("openai", "openai").convert(RUN, conversation())
    assert isinstance(first, theirs.ModelRequest)
    assert isinstance(answer, theirs.ModelResponse)
    assert isinstance(results, theirs.ModelRequest)
    parts = [part for part in results.parts if isinstance(part, theirs.ToolReturnPart)]
    assert [(part.tool_call_id, part.content, part.outcome) for part in parts] == [
        ("c1", "one", "success"),
        ("c2", "none", "failed"),
    ]


def test_what_was_converted_once_is_not_converted_again():
    conversations, messages = Conversations("openai", "openai"), conversation()
    before = conversations.convert(RUN, messages)
    longer = [*messages, ModelMessage((Text("Done."),)), user("thanks")]
    after = conversations.convert(RUN, longer)
    assert all(one is other for one, other in zip(before, after, strict=False))
    assert len(after) == len(before) + 2


def test_a_request_in_flight_is_not_changed_by_what_is_added_later():
    conversations, messages = Conversations("openai", "openai"), conversation()
    sent = conversations.convert(RUN, messages)
    parts = list(sent[-1].parts)
    conversations.convert(RUN, [*messages, user("hurry")])
    assert sent[-1].parts == parts
    assert len(sent) == 3


def test_a_run_that_was_folded_anew_is_converted_anew():
    conversations = Conversations("openai", "openai")
    first = conversations.convert(RUN, conversation())
    again = conversations.convert(RUN, conversation())
    assert first[0] is not again[0]
    assert len(again) == 3


def test_a_shorter_conversation_than_before_is_not_mixed_up_with_it():
    conversations, messages = Conversations("openai", "openai"), conversation()
    conversations.convert(RUN, messages)
    assert len(conversations.convert(RUN, messages[:1])) == 1


def test_runs_do_not_share_anything():
    conversations = Conversations("openai", "openai")
    conversations.convert(RUN, [user("mine")])
    other = conversations.convert(new_run_id(), [user("yours")])
    assert [part.content for message in other for part in message.parts] == ["yours"]  # pyright: ignore[reportAttributeAccessIssue]


def test_old_conversations_make_room(monkeypatch):
    monkeypatch.setattr("quarterdeck.models.wire._KEPT_MESSAGES", 10)
    conversations = Conversations("openai", "openai")
    for _ in range(20):
        conversations.convert(new_run_id(), conversation())
    assert conversations._kept <= 12
    assert len(conversations._runs) == 2


def test_ids_and_signatures_survive_the_log():
    response = theirs.ModelResponse(
        [
            theirs.ThinkingPart("hm", id="rs_1", signature="sig", provider_name="openai", provider_details={"a": 1}),
            theirs.TextPart("so", id="msg_1", provider_name="openai"),
            theirs.ToolCallPart("look", '{"x": 1}', "c1", id="fc_1", provider_name="openai"),
        ]
    )
    said = spoken_parts(response)
    assert said[0] == Thinking("hm", "sig", {"id": "rs_1", "provider": "openai", "details": {"a": 1}})
    back = Conversations("openai", "openai").convert(RUN, [ModelMessage(said)])[0]
    assert isinstance(back, theirs.ModelResponse)
    thinking, text, call = back.parts
    assert isinstance(thinking, theirs.ThinkingPart)
    assert (thinking.id, thinking.signature, thinking.provider_details) == ("rs_1", "sig", {"a": 1})
    assert isinstance(text, theirs.TextPart)
    assert text.id == "msg_1"
    assert isinstance(call, theirs.ToolCallPart)
    assert (call.id, call.tool_call_id, call.args) == ("fc_1", "c1", {"x": 1})


def test_broken_arguments_go_back_as_an_object():
    message = ModelMessage((Call("c1", "look", {}, '{"x": '),))
    back = Conversations("openai", "openai").convert(RUN, [message])[0]
    part = back.parts[0]
    assert isinstance(part, theirs.ToolCallPart)
    assert part.args == {"malformed": '{"x": '}
