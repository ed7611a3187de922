"""What counts as the same text, and how a difference is shown."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.models.cassettes import ANYTHING
from quarterdeck.models.differences import compare, matches
from quarterdeck.models.redaction import MARK


@pytest.mark.parametrize(
    ("recorded", "actual"),
    [
        ("order 1042", "order 1042"),
        (" order 1042\n", "order 1042"),
        ("two  words\nhere", "two words here"),
        ("at {{*}} sharp", "at 10:42 sharp"),
        ("{{*}}", ""),
        ("{{*}}", "anything at all"),
        ("id {{*}}, then {{*}}.", "id 7, then id 8, then 9."),
        (f"key {MARK} works", "key sk-1234567890 works"),
    ],
)
def test_wildcards_stand_for_any_text(recorded: str, actual: str):
    assert matches(recorded, actual)


@pytest.mark.parametrize(
    ("recorded", "actual"),
    [
        ("order 1042", "order 1043"),
        ("order 1042", "Order 1042"),
        ("at {{*}} sharp", "at 10:42"),
        ("ab{{*}}ba", "aba"),
        ("a{{*}}b{{*}}c", "a c"),
    ],
)
def test_other_text_is_another_text(recorded: str, actual: str):
    assert not matches(recorded, actual)


@given(st.lists(st.text(alphabet="abc", min_size=1, max_size=5), min_size=1, max_size=5), st.data())
def test_whatever_fills_the_wildcards_matches(pieces: list[str], data: st.DataObject):
    filled = "".join(piece + data.draw(st.text(alphabet="abc", max_size=4)) for piece in pieces[:-1]) + pieces[-1]
    assert matches(ANYTHING.join(pieces), filled)


def test_a_difference_shows_what_went_and_what_came():
    assert compare("I want my money back", "I want my order back") == "I want my [-money-] {+order+} back"


def test_long_equal_stretches_are_shortened():
    before = " ".join(str(number) for number in range(100))
    shown = compare(before, before.replace("50", "fifty"))
    assert shown == "… 44 45 46 47 48 49 [-50-] {+fifty+} 51 52 53 54 55 56 …"


def test_text_that_only_came_or_only_went_is_shown_as_that():
    assert compare("", "all new") == "{+all new+}"
    assert compare("all gone", "") == "[-all gone-]"


def test_huge_texts_are_compared_quickly():
    old, new = " ".join(f"a{n}" for n in range(50_000)), " ".join(f"b{n}" for n in range(50_000))
    started = time.perf_counter()
    assert "more differs" in compare(old, new)
    assert matches("{{*}}x" * 200, "y" * 100_000) is False
    assert time.perf_counter() - started < 2.0
