"""What stands for the conversation before: what a model is given to summarise, and what stands there without one."""

from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.context import summaries
from quarterdeck.context.view import words_of
from quarterdeck.runs.messages import (
    MODEL,
    USER,
    Call,
    Label,
    Message,
    ModelMessage,
    Text,
    ToolMessage,
    Trust,
    UserMessage,
)
from tests.talks import ASKED, result, talk, talks, turn

TRUSTED = [ASKED, *turn(1, 20, trusted=True)]


def test_a_summary_of_what_nobody_outside_wrote_is_a_models_own_words():
    assert summaries.label_of(TRUSTED) == MODEL


def test_a_summary_with_anything_untrusted_in_it_is_untrusted_and_names_all_sources():
    mail = result("m", "hello", "read_mail")
    label = summaries.label_of([*TRUSTED, *turn(2), mail, *turn(3)])
    assert label == Label("summary of tool:search, tool:read_mail", Trust.UNTRUSTED)


def test_one_untrusted_part_of_a_trusted_result_is_enough():
    part = Text("<b>hi</b>", Label("tool:web", Trust.UNTRUSTED))
    message = ToolMessage("c", "wiki", (Text("page"), part), label=Label("tool:wiki", Trust.TRUSTED))
    assert summaries.label_of([message]) == Label("summary of tool:web", Trust.UNTRUSTED)


def test_words_of_a_user_that_a_guardrail_distrusts_make_a_summary_untrusted():
    assert summaries.label_of([UserMessage((Text("hi"),), Label("user", Trust.UNTRUSTED))]).source == "summary of user"


def test_in_a_run_that_began_tainted_the_users_words_are_a_source_too():
    assert summaries.label_of([ASKED], lowered=True) == Label("summary of user", Trust.UNTRUSTED)


def test_the_model_is_given_the_notes_so_far_and_what_came_since():
    before = summaries.message_of("erika wants totals", 9, MODEL, by_model=True)
    text = summaries.material(turn(7, 20), 9, before)
    assert text.startswith("Notes so far:\nerika wants totals\n\nSince then:\n")
    assert 'assistant called search {"page":70}' in text
    assert "search returned (r10, 26 bytes): c7-0: xxxx" in text


def test_what_a_model_is_given_to_summarise_has_an_end():
    text = summaries.material(talk(500), 0, None)
    assert len(text) < 50_000
    assert "older lines are left out" in text


def test_the_digest_says_who_asked_what_and_how_results_began():
    text = summaries.digest(talk(2), 0, None, 1_000)
    lines = text.splitlines()
    assert lines[0] == "user: Find every order of erika@example.com and add the totals up."
    assert lines[1] == "assistant: Looking at page 0."
    assert lines[2] == 'assistant called search {"page":0}'
    assert lines[3].startswith("search returned (r2, 3,006 bytes): c0-0: xxx")


def test_calls_that_were_no_json_are_told_as_they_were():
    message = ModelMessage((Call("c", "search", {}, raw="{page: 1"),))
    assert summaries.digest([message], 0, None, 500) == "assistant called search {page: 1"


@given(talks(), st.integers(200, 1_500))
def test_a_digest_is_short_and_the_same_each_time(said: list[Message], tokens: int):
    text = summaries.digest(said, 0, None, tokens)
    assert text == summaries.digest(said, 0, None, tokens)
    assert len(text) <= tokens * 3 + 60


def test_digests_of_digests_do_not_grow():
    before: UserMessage | None = None
    for _ in range(30):
        text = summaries.digest(talk(30), 0, before, 400)
        assert len(text) <= 1_300
        before = summaries.message_of(text, 9, MODEL, by_model=False)
    assert before is not None
    assert words_of(before).count("Notes on the conversation") == 1


def test_a_summary_says_what_it_stands_for_and_who_wrote_it():
    by_model = summaries.message_of(" totals: 3 ", 1_234, USER, by_model=True)
    assert words_of(by_model).startswith("[Notes on the conversation before this point, which is put away: 1,234")
    assert "Written by a model" in words_of(by_model)
    assert "The beginnings" in words_of(summaries.message_of("x", 2, MODEL, by_model=False))
