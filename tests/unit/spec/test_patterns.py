"""Regular expressions of authors: linear in time, line by line."""

import time

import pytest

from quarterdeck.spec.patterns import BadPattern, Pattern


def test_it_finds_every_place_in_characters_and_not_in_bytes():
    assert list(Pattern(r"PRJ-\d+").spans("é PRJ-1, PRJ-22")) == [(2, 7), (9, 15)]


def test_case_counts_unless_it_is_said_not_to():
    assert list(Pattern("secret").spans("Secret")) == []
    assert list(Pattern("secret", ignore_case=True).spans("Secret")) == [(0, 6)]


def test_each_line_is_looked_at_by_itself():
    assert list(Pattern("a[^x]*b").spans("a\nb")) == []
    assert list(Pattern("^b$").spans("a\nb\nc")) == [(2, 3)]


def test_what_matches_nothing_is_found_nowhere():
    assert list(Pattern("x*").spans("abc")) == []


@pytest.mark.parametrize("expression", ["(?=a)b", r"(a)\1", "[", "(a{1000}){1000}"])
def test_what_could_not_be_matched_in_linear_time_is_refused_in_words(expression: str):
    with pytest.raises(BadPattern, match=r"\w"):
        Pattern(expression)


def test_nested_repetition_does_not_take_for_ever():
    began = time.thread_time()
    assert list(Pattern("(a+)+$").spans("a" * 200_000 + "b")) == []
    assert time.thread_time() - began < 0.5


def test_the_ends_of_a_line_are_those_of_a_text_of_its_own():
    assert list(Pattern(r"\Ab\z").spans("a\nb\nc")) == [(2, 3)]
    assert list(Pattern(r"a\s+b").spans("a \n b and a  b")) == [(10, 14)]
    assert list(Pattern("(?-m:^b$)").spans("a\nb\nc")) == [(2, 3)]
    assert list(Pattern(r"(?i)B$").spans("ab\nac")) == [(1, 2)]
