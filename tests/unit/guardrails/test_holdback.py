"""What is shown while an answer is written is never more than what is left of it in the end."""

import asyncio
import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.guardrails import holdback
from quarterdeck.guardrails.holdback import Holdback
from quarterdeck.guardrails.outputs import MAKERS, judge
from quarterdeck.guardrails.records import Ports, Verdict
from quarterdeck.releases.records import GuardrailRule
from tests.unit.guardrails.answers import rule, said

SYSTEM = (
    "You are the assistant of Acme. Never tell anybody about the discount code WINTER before the first of December, and"
    " always speak kindly to those who write to you about their orders."
)
CANARY = "ref-0123456789abcdef0123"
REDACTING = (
    rule("secrets", "redact"),
    rule("pii", "redact", regions=["US", "GB", "DE"]),
    rule("links", "redact", hosts=["example.com"]),
    rule("prompt_leak", "redact"),
    rule("patterns", "redact", patterns=[r"PRJ-\d+( [A-Z]+)*", "internal.*only"]),
)
COMMON = (
    "Hello there. ",
    "Your order ",
    "is on its way! ",
    "\n",
    " ",
    "- ",
    "1. ",
    "on 2026-11-20, ",
    "a",
    "I ",
    "é",
    "\u00a0",
)
BITS = {
    "pii": (
        *(
            "call ",
            "Phone: ",
            "phone:\n",
            "office",
            " fax ",
            "order ",
            "(415) 555-2671",
            "+49 89 1234 5678",
            "416 60 039 ",
        ),
        *(
            "0490 75 40 81",
            " ext. 22",
            "x12 ",
            "555 ",
            "12 ",
            "3 ",
            "%",
            "ann@example.org",
            "bob",
            "@",
            "10.1.2.3",
            "SSN ",
        ),
        *(
            "4111 1111 1111 1111",
            "4111 ",
            "1111 1111 ",
            "DE89 3704 0044 0532 0130 00",
            "DE",
            "89 3704 ",
            "0044 0532 0130 00",
        ),
        *(
            "123-45-6789",
            "123456789",
            "2001:db8::1",
            "version ",
            "\u2011",
            "\N{DEVANAGARI DIGIT FOUR}",
            "GB29 NWBK 6016 ",
        ),
    ),
    "secrets": (
        *(
            "sk-proj-abcdefghijklmnop1234567890",
            "token: ",
            "api_key",
            '": "',
            "h8Kq2Lm9Zx4Vb7Nc1Rt5Wy",
            "bearer ",
            "MIIEvQ\n",
        ),
        *(
            "-----BEGIN RSA PRIVATE KEY-----",
            "-----END RSA PRIVATE KEY-----",
            "-----",
            "secret",
            ":\n",
            "postgres://ann:hunter22@",
        ),
    ),
    "links": (
        *(
            "![a picture](",
            "[text](",
            "https://evil.example/?q=",
            ")",
            "https://example.com/a ",
            "https://evil.example/b",
            "]: ",
        ),
        *(
            "<https://evil.example>",
            "www.evil.example",
            '<img src = "',
            "![",
            "](",
            "//evil.example/x",
            "javascript:x",
            " (y)",
        ),
    ),
    "prompt_leak": (
        *("never tell anybody about the discount code WINTER before ", "the first of December, ", CANARY, CANARY[:9]),
        *(
            "and always speak kindly to ",
            "those who write to you ",
            "about their orders",
            "never tell anybody about the ",
        ),
    ),
    "patterns": ("PRJ-17", "PRJ-", "17", " ABC", " DEF", "internal ", "only"),
}
"""What texts are put together from: for each check what it looks for, whole and in parts."""


def texts(*checks: str) -> st.SearchStrategy[str]:
    """Texts in which checks find things, nearly find them, and find nothing."""
    own = [bit for check in checks for bit in BITS[check]]
    return st.lists(st.one_of(st.sampled_from(own), st.sampled_from(COMMON)), min_size=1, max_size=20).map("".join)


CUTS = st.one_of(
    st.lists(st.integers(min_value=0, max_value=600), max_size=60),
    st.integers(min_value=1, max_value=9).map(lambda size: [*range(0, 1200, size)]),
)
PATIENCE = st.sampled_from([1, 1, 30, holdback.PATIENCE])


def streamed(
    text: str, cuts: Sequence[int], rules: Sequence[GuardrailRule], patience: int = holdback.PATIENCE
) -> tuple[list[str], str]:
    """What was shown after each piece, and what the rules leave of the whole."""
    shown: list[str] = [""]
    subject = said(text, system=SYSTEM, canary=CANARY)
    judgement = asyncio.run(judge(rules, subject, Ports()))
    held = Holdback(rules, MAKERS, subject, lambda _, words: shown.append(shown[-1] + words), patience=patience)
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    for start, end in itertools.pairwise(places):
        held.take("text", text[start:end])
    held.end(None if judgement.verdict is Verdict.DENY else judgement.text)
    return shown, judgement.text


@given(texts(*BITS), CUTS, PATIENCE)
def test_what_is_streamed_is_at_any_time_a_beginning_of_what_is_left_in_the_end(
    text: str, cuts: list[int], patience: int
):
    shown, left = streamed(text, cuts, REDACTING, patience)
    assert shown[-1] == left
    assert all(left.startswith(one) for one in shown)


@pytest.mark.parametrize("one", REDACTING, ids=lambda one: one.check)
def test_it_is_so_for_each_check_by_itself(one: GuardrailRule):
    @given(texts(one.check), CUTS, PATIENCE)
    def judge_one(text: str, cuts: list[int], patience: int):
        shown, left = streamed(text, cuts, [one], patience)
        assert shown[-1] == left
        assert all(left.startswith(words) for words in shown)

    judge_one()


BLOCKING = (
    rule("secrets", "block"),
    rule("pii", "block"),
    rule("links", "block"),
    rule("topics", "block", topics={"plans": ["your order", "hello"]}, matches=2),
)


@given(texts("pii", "secrets", "links"), CUTS, PATIENCE)
def test_of_an_answer_that_is_blocked_only_what_stands_before_the_first_finding_was_seen(
    text: str, cuts: list[int], patience: int
):
    shown, _ = streamed(text, cuts, BLOCKING, patience)
    for one in shown:
        assert asyncio.run(judge(BLOCKING, said(one, system=SYSTEM, canary=CANARY), Ports())).verdict is Verdict.ALLOW


def test_prose_is_shown_sentence_by_sentence():
    text = "The first sentence is here. The second one follows at once. " + "And a third one " * 30
    shown, _ = streamed(text, range(0, 600, 3), REDACTING[:3])
    assert shown[1] == "The first sentence is here. "
    assert len(shown) > 4


@pytest.mark.parametrize(
    "whole",
    [
        rule("judge", "block", model={"provider": "p", "id": "m"}, rubric="Be kind."),
        rule("grounding", "block"),
        rule("schema", "block", schema={"type": "object"}),
        rule("pii", "ask"),
        rule("pii", "retry"),
        rule("python", "block", function="checks.py:judge"),
        rule("http", "block", url="https://checks.example.com"),
    ],
)
def test_a_rule_that_needs_the_whole_answer_lets_nothing_through_before_it_was_judged(whole: GuardrailRule):
    shown: list[str] = []
    held = Holdback([REDACTING[0], whole], MAKERS, said(""), lambda _, words: shown.append(words))
    held.take("text", "A sentence. Another one.\nAnd a line. ")
    held.take("thinking", "Thoughts. ")
    assert shown == []
    held.end("What is left.")
    assert shown == ["What is left."]


def test_a_rule_that_only_records_holds_nothing_back():
    shown: list[str] = []
    rules = [rule("judge", "record", model={"provider": "p", "id": "m"}, rubric="Be kind.")]
    held = Holdback(rules, MAKERS, said(""), lambda _, words: shown.append(words))
    held.take("text", "A word")
    assert shown == ["A word"]


def test_thoughts_are_cleaned_like_the_answer():
    shown: list[tuple[str, str]] = []
    held = Holdback([rule("pii", "redact")], MAKERS, said(""), lambda *one: shown.append(one))
    held.take("thinking", "The user is ann@exa")
    held.take("thinking", "mple.org")
    held.take("text", "Hello.")
    held.end("Hello.")
    assert shown == [("thinking", "The user is [e-mail removed]"), ("text", "Hello.")]


def test_where_the_judged_answer_begins_in_another_way_no_more_is_shown():
    shown: list[str] = []
    held = Holdback([rule("pii", "redact")], MAKERS, said(""), lambda _, words: shown.append(words))
    held.take("text", "A sentence. ")
    held.end("Something else.")
    assert shown == ["A sentence. "]
