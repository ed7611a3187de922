"""Prompt caches: the same bytes for what questions have in common, and marks where a provider wants them."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from quarterdeck.models.native import open_native
from quarterdeck.models.records import ModelRequest
from quarterdeck.providers.options import WireOptions
from quarterdeck.providers.records import Kind
from quarterdeck.runs.messages import Call, Message, ModelMessage, Text
from tests.fakes.asking import EXACT, LOOK, asked, connection, result, user
from tests.fakes.provider import FakeProvider
from tests.flow.providers.conftest import KEY, KINDS, Asking

NOTICE = "[Left for this run: $0.02 of $0.50.]"


def steps(count: int) -> list[Message]:
    """A conversation of so many calls and results."""
    said: list[Message] = [user("look at everything")]
    for number in range(count):
        said += [ModelMessage((Text(f"Page {number}."), Call(f"c{number}", "look", {"x": number})))]
        said += [result(f"c{number}", f"result {number}")]
    return said


def marked(value: Any, path: str = "") -> Iterator[str]:
    """Where cache marks stand in a body."""
    if isinstance(value, dict):
        if "cache_control" in value:
            yield path
        for name, item in value.items():
            yield from marked(item, f"{path}/{name}")
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from marked(item, f"{path}/{at}")


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, str):
        yield value


def told(body: dict[str, Any]) -> Sequence[Any]:
    """The messages of a body, whatever its wire calls them, without marks."""
    found = body.get("messages") or body.get("input") or body.get("contents")
    assert isinstance(found, list)
    return json.loads(json.dumps(found).replace(', "cache_control": {"type": "ephemeral", "ttl": "5m"}', ""))


@pytest.fixture
async def claude(provider: FakeProvider):
    model = open_native(connection(Kind.ANTHROPIC, provider.url), WireOptions(), KEY)
    yield Asking(model, Kind.ANTHROPIC, streamed=False)
    await model.close()


async def test_what_stays_the_same_is_sent_as_the_same_bytes(ask: Asking, provider: FakeProvider):
    for count in (1, 2, 5):
        await ask(*steps(count))
    bodies = [one.body for one in provider.asked]
    for before, after in pairwise(bodies):
        assert before.keys() == after.keys()
        for name in before.keys() - {"messages", "input", "contents"}:
            assert list(texts(before[name])) == list(texts(after[name])), name
        earlier, later = told(before), told(after)
        assert list(later[: len(earlier)]) == list(earlier)


async def test_two_workers_send_the_same_bytes(kind: Kind, provider: FakeProvider):
    for _ in range(2):
        model = open_native(connection(kind, provider.url), WireOptions(), KEY)
        await model.answer(asked(*steps(3), model=EXACT[kind]), None)
        await model.close()
    first, second = (json.dumps(one.body) for one in provider.asked)
    assert first == second


async def test_the_notice_is_the_last_that_is_said_and_no_part_of_what_comes_after(ask: Asking, provider: FakeProvider):
    await ask(*steps(2))
    model, request = ask.model, asked(*steps(2), model=EXACT[ask.kind])
    await model.answer(_with_notice(request), None)
    await ask(*steps(3))
    plain, noticed, after = (one.body for one in provider.asked)
    assert NOTICE not in json.dumps(plain) + json.dumps(after)
    assert [text for text in texts(told(noticed)) if text not in {"user", "text", "input_text"}][-1] == NOTICE
    assert list(told(after)[: len(told(plain))]) == list(told(plain))


async def test_claude_is_shown_where_tools_system_and_conversation_can_be_cached(
    claude: Asking, provider: FakeProvider
):
    await claude(*steps(3))
    body = provider.asked[0].body
    last = len(body["messages"]) - 1
    assert set(marked(body)) == {
        "/tools/0",
        "/system/0",
        f"/messages/{last - 2}/content/0",
        f"/messages/{last}/content/0",
    }


async def test_the_mark_of_one_step_is_still_there_at_the_next(claude: Asking, provider: FakeProvider):
    await claude(*steps(3))
    await claude(*steps(4))
    first, second = (set(marked(one.body)) for one in provider.asked)
    assert f"/messages/{len(provider.asked[0].body['messages']) - 1}/content/0" in first & second


async def test_no_mark_stands_behind_the_notice(claude: Asking, provider: FakeProvider):
    await claude.model.answer(_with_notice(asked(*steps(3), model=EXACT[Kind.ANTHROPIC])), None)
    body = provider.asked[0].body
    content = body["messages"][-1]["content"]
    assert content[-1]["text"] == NOTICE
    assert "cache_control" not in content[-1]
    assert "cache_control" in content[-2]


async def test_results_of_parallel_calls_and_long_conversations_have_no_more_than_four_marks(
    claude: Asking, provider: FakeProvider
):
    many = ModelMessage(tuple(Call(f"p{at}", "look", {"x": at}) for at in range(12)))
    said = [*steps(40), many, *(result(f"p{at}", "found") for at in range(12))]
    await claude(*said)
    assert len(list(marked(provider.asked[0].body))) == 4


async def test_a_question_after_which_nothing_follows_writes_no_conversation_to_the_cache(
    claude: Asking, provider: FakeProvider
):
    await claude(user("summarise this"), tools=())
    assert [path for path in marked(provider.asked[0].body) if path.startswith("/messages")] == []


async def test_an_author_may_switch_caching_off(claude: Asking, provider: FakeProvider):
    await claude(*steps(3), extra={"cache": False})
    assert list(marked(provider.asked[0].body)) == []


async def test_openai_is_told_which_questions_belong_together(provider: FakeProvider):
    model = open_native(connection(Kind.OPENAI, provider.url), WireOptions(), KEY)
    for said in (steps(1), steps(2), [user("something else")]):
        await model.answer(asked(*said, model=EXACT[Kind.OPENAI]), None)
    await model.close()
    keys = {one.body["prompt_cache_key"] for one in provider.asked}
    assert len(keys) == 1
    assert "r" * 8 not in keys.pop()


async def test_an_authors_own_key_holds(provider: FakeProvider):
    model = open_native(connection(Kind.OPENAI, provider.url), WireOptions(), KEY)
    extra = {"openai_prompt_cache_key": "mine"}
    await model.answer(asked(model=EXACT[Kind.OPENAI], extra=extra), None)
    await model.close()
    assert provider.asked[0].body["prompt_cache_key"] == "mine"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in {Kind.OPENAI, Kind.ANTHROPIC}], ids=str)
async def test_servers_that_may_not_know_them_are_sent_no_marks_and_no_key(kind: Kind, provider: FakeProvider):
    model = open_native(connection(kind, provider.url), WireOptions(), KEY)
    await model.answer(asked(*steps(2), model=EXACT[kind], tools=(LOOK,)), None)
    await model.close()
    sent = json.dumps(provider.asked[0].body)
    assert "cache" not in sent


def _with_notice(request: ModelRequest) -> ModelRequest:
    return replace(request, notice=NOTICE)
