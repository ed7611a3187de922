"""What the model is shown: the same bytes for the same words, whoever assembles them."""

from dataclasses import replace

import pytest

from quarterdeck.context.records import WHOLE, Marks
from quarterdeck.core.json import encode
from quarterdeck.loop.prompt import Conversation
from quarterdeck.releases.view import prompt_for
from quarterdeck.runs.messages import AUTHOR, Label, Message, Stored, Text, ToolMessage, Trust, UserMessage
from tests.talks import ASKED, talk, turn
from tests.toolbox import a_release

KINDS = {"type": "string", "required": False, "default": "nobody", "description": ""}


def test_the_system_prompt_is_the_same_bytes_for_the_same_release_and_variables():
    release = replace(a_release(), prompt="You help {{who}} in {{where}}.", variables={"who": KINDS, "where": KINDS})
    one = prompt_for(release, {"who": "erika", "where": "Köln"})
    other = prompt_for(replace(release), {"where": "Köln", "who": "erika"})
    assert one.encode() == other.encode() == "You help erika in Köln.".encode()


def test_adding_messages_one_by_one_or_at_once_comes_to_the_same():
    said = talk(5)
    slowly, at_once = Conversation("system"), Conversation("system")
    for upto in range(1, len(said) + 1):
        slowly.extend(said[:upto], {})
    at_once.extend(said, {})
    assert encode(slowly.messages) == encode(at_once.messages)
    assert slowly.digest() == at_once.digest()


def test_another_prompt_or_another_word_has_another_digest():
    digests = set[str]()
    for system, said in (("a", talk(2)), ("b", talk(2)), ("a", talk(3)), ("a", talk(2, size=9))):
        one = Conversation(system)
        one.extend(said, {})
        digests.add(one.digest())
    assert len(digests) == 4


def test_what_was_shown_already_stays_the_very_objects():
    conversation, said = Conversation("system", results_over=500), talk(5)
    conversation.extend(said, {})
    conversation.show(Marks(results_upto=7))
    before = list(conversation.messages)
    said += turn(9)
    conversation.extend(said, {})
    conversation.show(Marks(results_upto=7))
    assert all(one is other for one, other in zip(before, conversation.messages, strict=False))
    assert len(conversation.messages) == len(before) + 2


def test_showing_everything_again_gives_the_first_digest_back():
    conversation = Conversation("system", results_over=500)
    conversation.extend(talk(5), {})
    whole = conversation.digest()
    conversation.show(Marks(results_upto=7))
    assert conversation.digest() != whole
    assert conversation.left_out > 5_000
    conversation.show(WHOLE)
    assert conversation.digest() == whole
    assert conversation.left_out == 0


def test_whoever_hears_hears_everything_once_and_in_order_whatever_is_shown():
    heard: list[Message] = []
    conversation, said = Conversation("system", hear=heard.append, results_over=500), talk(5)
    conversation.extend(said[:5], {})
    conversation.show(Marks(results_upto=3))
    conversation.extend(said, {})
    conversation.show(Marks(5, 5, UserMessage((Text("notes"),), AUTHOR)))
    assert heard == said


def test_history_is_shown_and_not_heard():
    heard: list[Message] = []
    conversation = Conversation("system", talk(2), heard.append)
    conversation.extend([ASKED], {})
    assert list(conversation.messages) == [*talk(2), ASKED]
    assert heard == [ASKED]
    assert conversation.first == 5


@pytest.mark.parametrize(
    ("media_type", "words"), [("text/plain", "all of it"), ("image/png", "[image/png, 9,000 bytes")]
)
def test_stored_words_are_read_back_and_count_at_their_length(media_type: str, words: str):
    part = Stored("ab" * 32, 9_000, media_type, "all", Label("tool:search", Trust.UNTRUSTED))
    own: list[Message] = [ASKED, ToolMessage("c", "search", (part,))]
    conversation = Conversation("system", results_over=500)
    assert conversation.missing(own) == [part]
    conversation.extend(own, {part.key: "all of it" * 1_000})
    [text] = conversation.messages[1].content
    assert isinstance(text, Text)
    assert text.text.startswith(words)
    assert text.label == part.label
