"""Policies in words: what they say, what is known already left out, and what two texts say differently."""

import pytest
from cedarpy import pst
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.policies.base import base
from quarterdeck.policies.folding import FALSE, TRUE, Facts, fold, text, texts
from quarterdeck.policies.records import PolicyText
from quarterdeck.policies.sayings import Saying, differences, saying_of, sayings, tools_of
from quarterdeck.policies.statements import Statement, read

REFUND = 'action == Action::"refund"'


def told(policy: str) -> str:
    (saying,) = sayings(PolicyText("x", policy))
    return str(saying)


def when(condition: str, facts: Facts | None = None) -> Saying | None:
    (one,) = read(PolicyText("x", f"forbid(principal, {REFUND}, resource) when {{ {condition} }};"))
    assert isinstance(one, Statement), one
    return saying_of(one, facts)


@pytest.mark.parametrize(
    ("policy", "sentence"),
    [
        ("forbid(principal, action, resource);", "forbids every tool"),
        (f"permit(principal, {REFUND}, resource);", "permits `refund`"),
        (
            'forbid(principal, action in [Action::"b", Action::"a"], resource);',
            "forbids `a`, `b`",
        ),
        (
            f'@ask("Look.") forbid(principal, {REFUND}, resource) unless {{ context.approved }};',
            "asks a person before `refund` (Look.)",
        ),
        (
            f"@ask forbid(principal, {REFUND}, resource) when {{ context.tainted && !context.approved }};",
            "asks a person before `refund` when untrusted content was read before",
        ),
        (
            f"forbid(principal, {REFUND}, resource) unless {{ context.approved }};",
            "forbids `refund` when nobody has approved it",
        ),
        (
            'forbid(principal == Agent::"desk", action, resource in Server::"bank");',
            "forbids every tool when the agent is `desk` and the server is `bank`",
        ),
        (
            f'forbid(principal, {REFUND}, resource) unless {{ principal.roles.contains("boss") || context.clean }};',
            (
                "forbids `refund` when the user does not have the role `boss` and "
                "a destination comes from a source that is not clean"
            ),
        ),
    ],
)
def test_a_policy_is_told_as_a_sentence(policy: str, sentence: str):
    assert told(policy) == sentence


@pytest.mark.parametrize(
    ("condition", "phrase"),
    [
        ("context.arguments.amount > 1000", "`amount` is more than 1,000"),
        ("!(context.arguments.amount <= 5)", "`amount` is more than 5"),
        ('["a", "b"].contains(context.arguments.to)', "`to` is one of `a`, `b`"),
        ('!["a"].contains(context.arguments.to)', "`to` is not `a`"),
        ('context.arguments.to like "*@acme.com"', "`to` looks like `*@acme.com`"),
        ('!(context.arguments.to like "*@acme.com")', "`to` does not look like `*@acme.com`"),
        ("context.arguments has note", "`note` is given"),
        ('context.origins.to.contains("untrusted")', "the origin of `to` contains `untrusted`"),
        ('context.each["to[]"] == "x"', "each `to[]` is `x`"),
        ('context.lower.to like "*@acme.com"', "`to` in lower case looks like `*@acme.com`"),
        ('context.several.contains("to")', "`to` can be several values at once"),
        ('!context.climbing.contains("path")', "`path` climbs to no other folder"),
        ('context.arguments.a.greaterThan(decimal("100.0000"))', "`a` is more than 100"),
        ('context.arguments.a.lessThan(decimal("0.2500"))', "`a` is less than 0.25"),
        ('context.now < datetime("2027-01-01")', "now is less than 2027-01-01"),
        ("context.calls_in_run >= 3", "calls in run is at least 3"),
        ('principal.claims.contains("plan=gold")', "the user has the claim `plan=gold`"),
        ('principal.user == "ann"', "the user is `ann`"),
        ("resource.destinations.isEmpty()", "the tool's destinations is empty"),
        (
            "context.tainted && (context.arguments.a == 1 || context.arguments.b == 2)",
            "untrusted content was read before and `a` is 1 or `b` is 2",
        ),
    ],
)
def test_a_condition_is_told_in_words(condition: str, phrase: str):
    saying = when(condition)
    assert saying is not None
    assert " and ".join(saying.conditions) == phrase


def test_every_policy_that_ships_has_words():
    for saying in sayings(base()):
        assert "BinaryOp" not in str(saying)
        assert "UnaryOp" not in str(saying)


def test_what_is_known_is_left_out_and_what_can_not_apply_is_not_told():
    facts: Facts = {
        ("resource", "effect"): text("read"),
        ("resource", "destinations"): texts(()),
        ("context", "autonomy"): text("free"),
    }
    assert when('resource.effect == "read" && context.tainted', facts) == when("context.tainted")
    assert when('resource.effect != "read"', facts) is None
    assert when("!resource.destinations.isEmpty()", facts) is None
    assert when('["suggest", "free"].contains(context.autonomy)', facts) == when("true")
    left = when('context.tainted || resource.effect == "write"', facts)
    assert left == when("context.tainted")


@given(st.booleans(), st.booleans(), st.booleans())
def test_folding_agrees_with_logic(a: bool, b: bool, c: bool):
    facts: Facts = {("context", name): pst.BoolLit(value) for name, value in (("a", a), ("b", b), ("c", c))}
    (policy,) = read(
        PolicyText("x", "forbid(principal, action, resource) when { context.a && !(context.b || context.c) };")
    )
    assert isinstance(policy, Statement)
    saying = saying_of(policy, facts)
    assert (saying is not None and not saying.conditions) is (a and not (b or c))
    assert fold(pst.BoolLit(a), facts) == (TRUE if a else FALSE)


def test_what_two_texts_say_differently_is_told_policy_by_policy():
    before = f"""
    @id("a") forbid(principal, {REFUND}, resource) when {{ context.arguments.amount > 100 }};
    forbid(principal, action == Action::"mail", resource);
    """
    after = f"""
    // another layout and another order are no difference
    forbid(principal, action == Action::"delete", resource);
    forbid( principal, {REFUND}, resource )
      when {{ context.arguments.amount > 50 }};
    """
    assert differences(before, after) == (
        (
            "changed: forbids `refund` when `amount` is more than 50; "
            "before, it forbids `refund` when `amount` is more than 100"
        ),
        "no longer forbids `mail`",
        "new: forbids `delete`",
    )
    assert differences(before, before) == ()
    assert differences("", "") == ()


def test_the_tools_that_a_policy_names_are_found():
    (one, other, every) = read(
        PolicyText(
            "x",
            f"forbid(principal, {REFUND}, resource);\n"
            'forbid(principal, action in [Action::"a", Action::"b"], resource);\n'
            "forbid(principal, action, resource);",
        )
    )
    assert isinstance(one, Statement)
    assert isinstance(other, Statement)
    assert isinstance(every, Statement)
    assert (tools_of(one), tools_of(other), tools_of(every)) == ({"refund"}, {"a", "b"}, None)
