"""Every provider's wire, whole and streamed: what a model says arrives in our words."""

import pytest

from quarterdeck.models.records import ModelAnswer
from quarterdeck.providers.records import Kind
from quarterdeck.runs.messages import Call, ModelMessage, Text, Thinking, Usage
from tests.fakes import provider as fake
from tests.fakes.asking import EXACT, result, user
from tests.fakes.provider import FakeProvider, Says
from tests.flow.providers.conftest import Asking


def words(answer: ModelAnswer) -> str:
    return "".join(part.text for part in answer.content if isinstance(part, Text))


def calls(answer: ModelAnswer) -> list[tuple[str, str, object, str | None]]:
    return [(part.id, part.tool, part.arguments, part.raw) for part in answer.content if isinstance(part, Call)]


async def test_words_arrive_and_are_streamed_when_somebody_listens(ask: Asking, provider: FakeProvider):
    provider.turns = [Says("It rains in Hamburg, as ever.")]
    answer = await ask()
    assert words(answer) == "It rains in Hamburg, as ever."
    assert (answer.finish, answer.served_model) == (
        "stop",
        EXACT[ask.kind],
    )
    assert provider.asked[0].streamed is ask.streamed
    assert ask.text() == ("It rains in Hamburg, as ever." if ask.streamed else "")
    assert (answer.first_token_ms is not None) is ask.streamed


async def test_parallel_calls_arrive_in_order_with_their_arguments(ask: Asking, provider: FakeProvider):
    provider.turns = [Says("Two looks.", calls=[fake.Call("look", {"x": 1}, "c1"), fake.Call("look", {"x": 2}, "c2")])]
    answer = await ask()
    assert calls(answer) == [("c1", "look", {"x": 1}, None), ("c2", "look", {"x": 2}, None)]
    assert (answer.finish, words(answer)) == ("calls", "Two looks.")


async def test_arguments_that_are_no_json_are_kept_as_they_came(ask: Asking, provider: FakeProvider):
    if ask.kind == Kind.GOOGLE or (ask.kind == Kind.ANTHROPIC and not ask.streamed):
        pytest.skip("this wire carries arguments as a JSON object already")
    provider.turns = [Says(calls=[fake.Call("look", '{"x": 1', "c1")])]
    assert calls(await ask()) == [("c1", "look", {}, '{"x": 1')]


async def test_arguments_that_are_json_but_no_object_are_kept_as_they_came(ask: Asking, provider: FakeProvider):
    if ask.kind in {Kind.GOOGLE, Kind.ANTHROPIC}:
        pytest.skip("this wire carries arguments as a JSON object already")
    provider.turns = [Says(calls=[fake.Call("look", "[1, 2]", "c1")])]
    assert calls(await ask()) == [("c1", "look", {}, "[1, 2]")]


async def test_usage_counts_cached_and_reasoning_tokens_within_the_totals(ask: Asking, provider: FakeProvider):
    provider.turns = [Says("ok", input=1000, output=50, cached=600, reasoning=30)]
    usage = (await ask()).usage
    reasoning = 0 if ask.kind == Kind.ANTHROPIC else 30
    assert usage == Usage(input=1000, output=50, cache_read=600, reasoning=reasoning)


async def test_tokens_written_to_a_cache_are_counted_once(ask: Asking, provider: FakeProvider):
    if ask.kind != Kind.ANTHROPIC:
        pytest.skip("only this wire tells of them")
    provider.turns = [Says("ok", input=1000, output=50, cached=600, written=300)]
    assert (await ask()).usage == Usage(input=1000, output=50, cache_read=600, cache_write=300)


async def test_a_call_has_its_price_where_the_list_knows_it(ask: Asking, provider: FakeProvider):
    provider.turns = [Says("ok", input=100_000, output=10_000)]
    expected = {Kind.OPENAI: 56_000, Kind.ANTHROPIC: 150_000, Kind.GOOGLE: 55_000}
    assert (await ask()).cost == expected.get(ask.kind)


@pytest.mark.parametrize("finish", ["length", "filtered", "refusal"])
async def test_the_reason_for_an_early_end_is_told(ask: Asking, provider: FakeProvider, finish: str):
    provider.turns = [Says("I can't" if finish != "filtered" else "", finish=finish)]
    answer = await ask()
    # Anthropic has one word for both, Gemini too.
    known = {(Kind.ANTHROPIC, "filtered"): "refusal", (Kind.GOOGLE, "refusal"): "filtered"}
    assert answer.finish == known.get((ask.kind, finish), finish)
    if finish == "refusal":
        assert words(answer) == "I can't"


async def test_an_empty_answer_is_an_answer(ask: Asking, provider: FakeProvider):
    provider.turns = [Says("")]
    answer = await ask()
    assert (answer.content, answer.finish) == ((), "stop")


async def test_the_model_that_really_answered_is_named(ask: Asking, provider: FakeProvider):
    provider.turns = [Says("hello", model="some-other-model-2030-01-01")]
    answer = await ask()
    assert answer.served_model == "some-other-model-2030-01-01"


async def test_thinking_goes_back_to_its_provider_unchanged(ask: Asking, provider: FakeProvider):
    provider.turns = [Says("Let me look.", thinking="The user wants x.", calls=[fake.Call("look", {"x": 1}, "c1")])]
    model = {Kind.OPENAI: "o4-mini-2025-04-16"}.get(ask.kind, EXACT[ask.kind])
    first = await ask(user("look for x"), model=model)
    thoughts = [part for part in first.content if isinstance(part, Thinking)]
    assert [part.text for part in thoughts] == ["The user wants x."]
    assert ask.text("thinking") == ("The user wants x." if ask.streamed else "")
    provider.turns = [Says("Found.")]
    await ask(user("look for x"), ModelMessage(first.content), result("c1", "it is 7"), model=model)
    sent = str(provider.asked[-1].body)
    marks = {
        Kind.OPENAI: ("sig-abc", "rs_1", "fc_0"),
        Kind.ANTHROPIC: ("sig-abc", "The user wants x."),
        Kind.GOOGLE: ("c2lnLWFiYw==",),
    }
    for mark in marks.get(ask.kind, ()):
        assert mark in sent


async def test_results_of_parallel_calls_are_sent_with_their_calls(ask: Asking, provider: FakeProvider):
    provider.turns = [Says(calls=[fake.Call("look", {"x": 1}, "c1"), fake.Call("look", {"x": 2}, "c2")])]
    first = await ask(user("both"))
    provider.turns = [Says("Both found.")]
    answered = [result("c1", "one"), result("c2", "no such thing", is_error=True)]
    await ask(user("both"), ModelMessage(first.content), *answered)
    body = provider.asked[-1].body
    if ask.kind == Kind.ANTHROPIC:
        blocks = body["messages"][-1]["content"]
        assert [(block["tool_use_id"], block.get("is_error", False)) for block in blocks] == [
            ("c1", False),
            ("c2", True),
        ]
    elif ask.kind == Kind.GOOGLE:
        assert [part["functionResponse"]["id"] for part in body["contents"][-1]["parts"]] == ["c1", "c2"]
    elif ask.kind == Kind.OPENAI:
        outputs = [item["call_id"] for item in body["input"] if item.get("type") == "function_call_output"]
        assert outputs == ["c1", "c2"]
    else:
        assert [message["tool_call_id"] for message in body["messages"] if message["role"] == "tool"] == ["c1", "c2"]


async def test_system_prompt_tools_and_settings_are_sent_as_the_release_has_them(ask: Asking, provider: FakeProvider):
    await ask(user("hi"), temperature=0.25, max_output_tokens=77, system="Be brief.")
    body = provider.asked[0].body
    text = str(body)
    assert "Be brief." in text
    assert "0.25" in text
    assert "77" in text
    assert "Looks something up." in text
    # Not a word more than ours stands in the prompt.
    if ask.kind == Kind.OPENAI_COMPATIBLE:
        assert [message["content"] for message in body["messages"]] == ["Be brief.", "hi"]
    if ask.kind == Kind.OPENAI:
        assert body["store"] is False


async def test_an_output_schema_reaches_the_model(ask: Asking, provider: FakeProvider):
    schema = {"type": "object", "properties": {"verdict_of_the_desk": {"type": "string"}}}
    await ask(user("hi"), output_schema=schema)
    assert "verdict_of_the_desk" in str(provider.asked[0].body)


async def test_text_that_no_database_takes_is_made_storable(ask: Asking, provider: FakeProvider):
    provider.turns = [Says("a\0b", calls=[fake.Call("look", {"x": "c\0d"}, "c1")])]
    answer = await ask()
    assert words(answer) == "a\N{REPLACEMENT CHARACTER}b"
    assert calls(answer)[0][2] == {"x": "c\N{REPLACEMENT CHARACTER}d"}
