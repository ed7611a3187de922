"""From what was sent to what is kept."""

from datetime import UTC, datetime, timedelta

import pytest

from quarterdeck.core.errors import Forbidden, Invalid
from quarterdeck.runs.bodies import Wanted
from quarterdeck.runs.messages import ModelMessage, Text, UserMessage
from quarterdeck.runs.rules import title
from quarterdeck.runs.submissions import available_at, messages_of, tags_of, user_of, version_of
from tests.unit.runs.test_desk import actor

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def wanted(**facts: object) -> Wanted:
    return Wanted.model_validate({"input": "x", **facts})


def test_words_are_one_message_of_the_user():
    assert messages_of("hi\x00") == (UserMessage((Text("hi\ufffd"),)),)


def test_an_object_is_given_as_its_json():
    assert messages_of({"order": 7}) == (UserMessage((Text('{"order":7}'),)),)
    assert messages_of({"messages": 1, "more": 2}) == (UserMessage((Text('{"messages":1,"more":2}'),)),)


def test_a_conversation_keeps_who_said_what():
    said = messages_of({"messages": [{"role": "assistant", "content": "hi"}, {"role": "user", "content": "yo"}]})
    assert said == (ModelMessage((Text("hi"),)), UserMessage((Text("yo"),)))


@pytest.mark.parametrize(
    "messages", [[], [{"role": "assistant", "content": "hi"}], [{"role": "user"}], [{"role": "x", "content": ""}], "no"]
)
def test_what_is_no_conversation_is_refused_with_its_place(messages: object):
    with pytest.raises(Invalid, match=r"body\.input"):
        messages_of({"messages": messages})  # pyright: ignore[reportArgumentType]  # the point of the test


def test_a_release_is_named_once():
    assert version_of("desk", None) == "desk"
    assert version_of("desk", "v3") == "desk@v3"
    assert version_of("desk@v3", None) == "desk@v3"
    with pytest.raises(Invalid):
        version_of("desk@v3", "v4")


def test_a_run_begins_at_once_later_or_at_a_time():
    assert available_at(wanted(), NOW) is None
    assert available_at(wanted(delay_s=0), NOW) is None
    assert available_at(wanted(delay_s=5), NOW) == NOW + timedelta(seconds=5)
    assert available_at(wanted(available_at="2026-01-02T00:00:00Z"), NOW) == NOW + timedelta(days=1)
    assert available_at(wanted(available_at="2025-01-02T00:00:00Z"), NOW) is None
    for bad in ({"available_at": "2099-01-01T00:00:00Z"}, {"delay_s": 1, "available_at": "2026-01-02T00:00:00Z"}):
        with pytest.raises(Invalid):
            available_at(wanted(**bad), NOW)


def test_a_user_is_named_only_by_who_may():
    assert user_of(actor(), None) == "key name"
    assert user_of(actor(may_assert_user=True), "ann") == "ann"
    with pytest.raises(Forbidden):
        user_of(actor(), "ann")
    for bad in ("a\x00", "a\nb", "\ud800"):
        with pytest.raises(Invalid):
            user_of(actor(may_assert_user=True), bad)


def test_tags_are_storable():
    assert tags_of({"a\x00": "b\x00"}) == {"a\ufffd": "b\ufffd"}


def test_a_title_is_the_users_first_words():
    assert title([ModelMessage((Text("hi"),)), UserMessage((Text("Where  is\nit? " * 20),))]).startswith("Where is it?")
    assert len(title([UserMessage((Text("x" * 500),))])) == 120
    assert title([]) == ""
