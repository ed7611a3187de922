"""What the model is shown, and how it reads again what it is shown no more."""

import pytest

from quarterdeck.context import rules
from quarterdeck.context.records import WHOLE, Marks
from quarterdeck.context.view import (
    MOST,
    PAGE,
    NotKept,
    Page,
    assemble,
    first_request,
    read_again,
    short,
    size_of,
    words_of,
)
from quarterdeck.runs.messages import AUTHOR, MODEL, Label, Stored, Text, ToolMessage, Trust, UserMessage
from tests.talks import ASKED, is_whole, result, talk

SUMMARY = UserMessage((Text("notes"),), MODEL)


def test_everything_is_shown_as_long_as_nothing_is_marked():
    said = talk(4)
    assert assemble(said, WHOLE, 0, 100) == said


def test_an_old_big_result_is_shown_as_a_reference_that_says_how_to_read_it():
    said = talk(3)
    view = assemble(said, Marks(results_upto=5), 0, 2_000)
    assert words_of(view[2]) == '[result of search, 3,006 bytes, kept as r2; read_result("r2") shows it again]'
    assert isinstance(view[2], ToolMessage)
    assert view[2].call == "c0-0"
    assert view[5:] == said[5:]


def test_a_model_that_may_not_read_again_is_not_told_that_it_could():
    [shown] = assemble([result("c", "x" * 3_000)], Marks(results_upto=1), 0, 2_000, readable=False)
    assert words_of(shown) == "[result of search, 3,000 bytes, not shown any more]"


def test_small_results_stay_as_they_are():
    said = talk(3, size=10)
    assert assemble(said, Marks(results_upto=7), 0, 2_000) == said


def test_a_failure_stays_a_failure_when_it_is_shown_in_short():
    failed = ToolMessage("c", "search", (Text("x" * 5_000),), is_error=True)
    shown = short(failed, 3, 2_000)
    assert isinstance(shown, ToolMessage)
    assert shown.is_error


def test_the_request_and_the_summary_stand_before_what_is_left():
    said = talk(6)
    begin = rules.turns(said)[3]
    assert assemble(said, Marks(begin, begin, SUMMARY), 0, 2_000) == [ASKED, SUMMARY, *said[begin:]]


def test_a_summary_of_earlier_runs_stands_before_this_runs_request():
    earlier, own = talk(2), talk(2)
    said = [*earlier, *own]
    view = assemble(said, Marks(len(earlier), len(earlier), SUMMARY), len(earlier), 2_000)
    assert view == [SUMMARY, *own]


def test_a_mark_in_the_middle_of_a_turn_leaves_no_result_without_its_call():
    said = talk(4, calls=3)
    for at in range(len(said)):
        assert is_whole(assemble(said, Marks(at, at, SUMMARY), 0, 2_000))


def test_the_first_request_of_a_run_is_its_users_and_not_the_runtimes():
    nudge = UserMessage((Text("again"),), AUTHOR)
    assert first_request([*talk(1), nudge, ASKED], 3) == 4
    assert first_request([nudge], 0) == 0


def test_a_result_is_read_again_page_by_page_with_its_own_label():
    whole = "".join(f"{number:05}" for number in range(3_000))
    said = [*talk(1), result("c", whole)]
    first = read_again(said, "r3")
    assert isinstance(first, Page)
    assert words_of(UserMessage(first.content)).startswith(whole[:PAGE])
    assert 'read_result("r3", from=6000) goes on' in words_of(UserMessage(first.content))
    assert first.label == Label("tool:search", Trust.UNTRUSTED)
    read, begin = "", 0
    while begin < len(whole):
        page = read_again(said, "r3", begin, begin + 4_000)
        assert isinstance(page, Page)
        assert isinstance(page.content[0], Text)
        read += page.content[0].text
        begin = len(read)
    assert read == whole


def test_a_whole_result_comes_without_a_word_about_pages():
    page = read_again([result("c", "short")], "r0")
    assert isinstance(page, Page)
    assert page.content == (Text("short"),)


def test_one_page_is_never_longer_than_the_most():
    page = read_again([result("c", "x" * 50_000)], "r0", 0, 50_000)
    assert isinstance(page, Page)
    assert size_of(UserMessage(page.content[:1])) == MOST


@pytest.mark.parametrize("ref", ["r99", "r1", "r-1", "12", "", "r01", "r2 or r3", "R2"])
def test_what_is_no_kept_result_is_named_in_the_refusal(ref: str):
    refused = read_again(talk(1), ref)
    assert isinstance(refused, NotKept)
    assert refused.why == f"There is no result kept as {ref!r}."


def test_nothing_stands_behind_the_end():
    refused = read_again([result("c", "short")], "r0", 5)
    assert isinstance(refused, NotKept)
    assert "5 characters" in refused.why


def test_where_parts_have_labels_of_their_own_the_worst_one_counts():
    trusted, untrusted = Label("tool:a", Trust.TRUSTED), Label("tool:b", Trust.UNTRUSTED)
    page = read_again([ToolMessage("c", "a", (Text("one"), Text("two", untrusted)), label=trusted)], "r0")
    assert isinstance(page, Page)
    assert page.label == untrusted


def test_what_is_not_text_counts_as_much_as_is_shown_of_it():
    assert size_of(ToolMessage("c", "a", (Stored("key", 1_000_000, "image/png", "abc"),))) == 3
