from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.policies.compile import Short, compile_forms, misfits
from quarterdeck.policies.engine import PolicySet
from quarterdeck.policies.shapes import shape_of
from quarterdeck.policies.validation import validate
from quarterdeck.spec.control import PolicySections
from tests.unit.policies.granting import SCHEMA, Granted, Tool, request


def short(forms: dict[str, Any]) -> Short:
    return Short("pay", shape_of(SCHEMA), PolicySections.model_validate(forms))


def policies_of(forms: dict[str, Any]) -> PolicySet:
    text = compile_forms([short(forms)])
    assert text is not None
    release = Granted((Tool(),), (text,))
    assert validate(release, release.policies) == ()
    return PolicySet.of(release)


def verdict(forms: dict[str, Any], **arguments: Any) -> str:
    answer = policies_of(forms).judge(request({"to": "bob", **arguments}))
    assert answer.errors == ()
    return answer.verdict


# (form, the arguments, the verdict)
TABLE: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"allow": {"to": ["bob", "cy"]}}, {"to": "bob"}, "allow"),
    ({"allow": {"to": ["bob", "cy"]}}, {"to": "Bob"}, "deny"),
    ({"allow": {"to": ["bob"]}}, {"to": ""}, "deny"),
    ({"allow": {"note": ["hello"]}}, {}, "allow"),
    ({"allow": {"note": ["hello"]}}, {"note": None}, "allow"),
    ({"allow": {"note": ["hello"]}}, {"note": "bye"}, "deny"),
    ({"allow": {"copies": ["bob"]}}, {"copies": ["bob", "bob"]}, "allow"),
    ({"allow": {"copies": ["bob"]}}, {"copies": "bob"}, "allow"),
    ({"allow": {"copies": ["bob"]}}, {"copies": ["bob", "eve"]}, "deny"),
    ({"allow": {"copies": ["bob"]}}, {"copies": []}, "allow"),
    ({"allow": {"items[].account": ["DE*"]}}, {"items": [{"account": "DE1"}, {"account": "DE2"}]}, "allow"),
    ({"allow": {"items[].account": ["DE*"]}}, {"items": [{"account": "DE1"}, {"account": "FR2"}]}, "deny"),
    ({"allow": {"order.by": ["ada"]}}, {"order": {"by": "ada"}}, "allow"),
    ({"allow": {"order.by": ["ada"]}}, {"order": {"by": "eve"}}, "deny"),
    ({"allow": {"order.by": ["ada"]}}, {"order": {}}, "allow"),
    ({"deny": {"to": ["eve"]}}, {"to": "bob"}, "allow"),
    ({"deny": {"to": ["eve"]}}, {"to": "EVE "}, "deny"),
    ({"deny": {"to": ["*@Evil.com"]}}, {"to": "bob@\uff25vil.com"}, "deny"),
    ({"deny": {"copies": ["*@evil.com"]}}, {"copies": ["bob@good.com", "eve@evil.com"]}, "deny"),
    ({"deny": {"copies": ["*@evil.com"]}}, {"copies": ["bob@good.com"]}, "allow"),
    ({"bounds": {"amount": {"max": 500}}}, {"amount": 500}, "allow"),
    ({"bounds": {"amount": {"max": 500}}}, {"amount": 500.0001}, "deny"),
    ({"bounds": {"amount": {"max": 500}}}, {}, "allow"),
    ({"bounds": {"amount": {"min": 0, "max": 0.1}}}, {"amount": -0.01}, "deny"),
    ({"bounds": {"amount": {"min": 0, "max": 0.1}}}, {"amount": 0.1}, "allow"),
    ({"bounds": {"amount": {"min": -3}}}, {"amount": -3.5}, "deny"),
    ({"bounds": {"count": {"max": 9.5}}}, {"count": 9}, "allow"),
    ({"bounds": {"count": {"max": 9.5}}}, {"count": 10}, "deny"),
    ({"bounds": {"count": {"min": 9.5}}}, {"count": 9}, "deny"),
    ({"bounds": {"count": {"min": 9.5}}}, {"count": 10}, "allow"),
    ({"bounds": {"items[].sum": {"max": 5}}}, {"items": [{"sum": 5}, {"sum": 6}]}, "deny"),
    ({"ask_above": {"amount": 100}}, {"amount": 100}, "allow"),
    ({"ask_above": {"amount": 100}}, {"amount": 100.01}, "ask"),
    ({"ask_above": {"amount": 100}, "bounds": {"amount": {"max": 500}}}, {"amount": 501}, "deny"),
    ({"ask_above": {"items[].sum": 5}}, {"items": [{"sum": 5}, {"sum": 6}]}, "ask"),
    ({"ask": "always"}, {}, "ask"),
    ({"ask": "the boss wants to know"}, {}, "ask"),
]


@pytest.mark.parametrize(("forms", "arguments", "expected"), TABLE)
def test_short_forms_mean_what_they_say(forms: dict[str, Any], arguments: dict[str, Any], expected: str):
    assert verdict(forms, **arguments) == expected


# pattern: (what it means, what it does not mean though a plain comparison of text would)
PATTERNS = {
    "*@example.com": (
        ["bob@example.com", "b.o+b@example.com"],
        [
            "eve@evil.com,bob@example.com",
            "eve@evil.com bob@example.com",
            "eve@evil.com\nbob@example.com",
            "<eve@evil.com>bob@example.com",
            "eve@evil.com;bob@example.com",
            "eve@evil.com@example.com",
            "bob@example.com.evil.com",
            "bob@EXAMPLE.com",
            "bob@example.com\u200b",
        ],
    ),
    "https://api.example.com/*": (
        ["https://api.example.com/", "https://api.example.com/a/b?c=d#e"],
        [
            "http://api.example.com/",
            "https://api.example.com@evil.com/",
            "https://api.example.com.evil.com/",
            "https://api.example.com/../other",
            "https://api.example.com/%2e%2e/other",
            "https://api.example.com/ https://evil.com/",
        ],
    ),
    "https://*.example.com/*": (
        ["https://a.example.com/x", "https://a.b.example.com/"],
        [
            "https://evil.com/a.example.com/x",
            "https://evil.com?a.example.com/x",
            "https://evil.com#a.example.com/x",
            "https://evil.com:1.example.com/x",
            "https://evil.com\\a.example.com/x",
            "https://x@a.example.com/",
            "https://.evil.com/.example.com/",
        ],
    ),
    "/srv/data/*": (
        ["/srv/data/a.txt", "/srv/data/b/My file, new.txt", "/srv/data/a..b"],
        ["/srv/data/../secret", "/srv/data/b/../../../etc/passwd", "/srv/data/..", "/srv/data/a\\..\\b", "/srv/data"],
    ),
    "/srv/*/report.csv": (["/srv/2026/report.csv"], ["/srv/a/b/report.csv", "/srv/../report.csv"]),
    "DE*": (["DE89370400440532013000"], ["DE1, FR2", "FR DE1", "de1"]),
    "a*b*c": (["aXbYc", "abc"], ["abd"]),
}


@pytest.mark.parametrize(("pattern", "means", "does_not"), [(one, *two) for one, two in PATTERNS.items()])
def test_a_pattern_means_no_more_than_it_looks_like(pattern: str, means: list[str], does_not: list[str]):
    for form, argument in (("to", "to"), ("copies", "copies")):
        policies = policies_of({"allow": {form: [pattern]}})
        for text in means:
            assert (text, policies.judge(request({"to": "x", argument: text})).verdict) == (text, "allow")
        for text in does_not:
            assert (text, policies.judge(request({"to": "x", argument: text})).verdict) == (text, "deny")


@given(st.sampled_from(list(PATTERNS)), st.text("abDE@.:/?#,; \\%2ehtpsxlmcor-*\n", max_size=30))
def test_only_what_begins_and_ends_like_a_pattern_is_allowed(pattern: str, text: str):
    before, _, rest = pattern.partition("*")
    after = rest.rpartition("*")[2]
    if POLICIES[pattern].judge(request({"to": before + text + after})).verdict == "allow":
        assert "\n" not in text
        if "/" in pattern:
            assert "\\" not in text
            assert "/../" not in f"{before}{text}{after}/"
        else:
            assert not any(char in text for char in ",; ")
    if not text.startswith(before) or not text.endswith(after):
        assert POLICIES[pattern].judge(request({"to": text})).verdict == "deny"


POLICIES = {pattern: policies_of({"allow": {"to": [pattern]}}) for pattern in PATTERNS}


@given(st.floats(-1e9, 1e9).map(lambda value: round(value, 4)), st.floats(-1e9, 1e9).map(lambda value: round(value, 4)))
def test_bounds_of_numbers_are_those_of_arithmetic(limit: float, amount: float):
    expected = "deny" if amount > limit else "allow"
    assert verdict({"bounds": {"amount": {"max": limit}}}, amount=amount) == expected


MISFITS: dict[str, tuple[dict[str, Any], tuple[str | int, ...], str]] = {
    "an argument that is not there": (
        {"allow": {"two": ["x"]}},
        ("allow", "two"),
        "`two` is no argument of `pay` that policies can speak of",
    ),
    "an object": ({"allow": {"order": ["x"]}}, ("allow", "order"), "`order` is no argument of `pay` that policies"),
    "text with bounds": ({"bounds": {"to": {"max": 3}}}, ("bounds", "to", "max"), "`to` is no number"),
    "a number with patterns": ({"allow": {"amount": ["5*"]}}, ("allow", "amount"), "`amount` is no text"),
    "no bound": ({"bounds": {"amount": {}}}, ("bounds", "amount"), "it has neither `min` nor `max`"),
    "too fine": ({"ask_above": {"amount": 0.00001}}, ("ask_above", "amount"), "1e-05 can't be compared exactly"),
    "too big": ({"ask_above": {"count": 10**19}}, ("ask_above", "count"), "can't be compared exactly"),
    "everything": ({"allow": {"to": ["a", "*"]}}, ("allow", "to", 1), "`*` means everything"),
    "a host that goes on": (
        {"allow": {"to": ["https://example.com*"]}},
        ("allow", "to", 0),
        "`https://example.com*` would go on into other hosts",
    ),
    "too many stars": ({"deny": {"to": ["*a*b*c*d*"]}}, ("deny", "to", 0), "has more than 4 stars"),
}


@pytest.mark.parametrize(("forms", "where", "problem"), MISFITS.values(), ids=MISFITS)
def test_what_can_not_become_a_policy_is_said(forms: dict[str, Any], where: tuple[str | int, ...], problem: str):
    found = misfits(short(forms))
    assert [one.where for one in found] == [where]
    assert problem in found[0].problem
    assert found[0].fix


def test_what_is_printed_can_be_read():
    text = compile_forms([short({"ask_above": {"amount": 100}, "allow": {"to": ["*@example.com"]}})])
    assert text is not None
    assert text.name == "agent.yaml"
    assert (
        text.text
        == """\
@id("tools.pay.allow.to")
@reason("`to` has to be one of: *@example.com.")
forbid (principal, action == Action::"pay", resource)
when { context.arguments has to }
unless { (context.arguments.to like "*@example.com" && !context.several.contains("to") && \
!(context.arguments.to like "*@*@example.com")) };

@id("tools.pay.ask_above.amount")
@ask("`amount` is above 100.")
forbid (principal, action == Action::"pay", resource)
when { context.arguments has amount && context.arguments.amount.greaterThan(decimal("100.0000")) }
unless { context.approved };
"""
    )


def test_decisions_name_the_short_form_that_made_them():
    answer = policies_of({"bounds": {"amount": {"max": 5}}}).judge(request({"to": "bob", "amount": 6}))
    assert answer.policies == ("agent.yaml/tools.pay.bounds.amount.max",)
    assert answer.reason == "`amount` has to be at most 5."


def test_nothing_declared_is_no_policy():
    assert compile_forms([short({})]) is None


@given(st.text(min_size=1, max_size=20), st.sampled_from(["allow", "deny"]))
def test_whatever_characters_a_pattern_holds_it_is_text_and_no_cedar(pattern: str, form: str):
    forms = {form: {"to": [pattern]}}
    if misfits(short(forms)):
        return
    answer = policies_of(forms).judge(request({"to": "\u2603 something else"}))
    assert answer.errors == ()
