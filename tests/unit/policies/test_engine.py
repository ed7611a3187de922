import string
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quarterdeck.policies import cedar
from quarterdeck.policies.engine import PolicySet
from quarterdeck.policies.records import PolicyText, PolicyVerdict
from tests.unit.policies.granting import Granted, Tool, granted, request

PAY = '(principal, action == Action::"pay", resource)'


def judged(*texts: str, tenants: tuple[str, ...] = (), **changes: Any) -> PolicyVerdict:
    policies = PolicySet.of(granted(*texts), [PolicyText(f"t{at}.cedar", text) for at, text in enumerate(tenants, 1)])
    return policies.judge(request(**changes))


# What a policy may go by. name: (policy, the request that it lets through, the one that it does not)
CONDITIONS: dict[str, tuple[str, Mapping[str, Any], Mapping[str, Any]]] = {
    "an argument": (
        'context.arguments.to == "eve"',
        {"arguments": {"to": "bob"}},
        {"arguments": {"to": "eve"}},
    ),
    "a number": (
        'context.arguments has amount && context.arguments.amount.greaterThan(decimal("9.99"))',
        {"arguments": {"to": "bob", "amount": 9.99}},
        {"arguments": {"to": "bob", "amount": 10}},
    ),
    "a whole number": (
        "context.arguments has count && context.arguments.count > 3",
        {"arguments": {"to": "bob", "count": 3}},
        {"arguments": {"to": "bob", "count": 4.0}},
    ),
    "a part of an argument": (
        "context.arguments has order.total && context.arguments.order.total > 3",
        {"arguments": {"to": "bob", "order": {"total": 3}}},
        {"arguments": {"to": "bob", "order": {"total": 4}}},
    ),
    "each element of a list": (
        'context.each has "items[].sum" && context.each["items[].sum"] > 3',
        {"arguments": {"to": "bob", "items": [{"sum": 1}, {}, {"sum": 3}]}},
        {"arguments": {"to": "bob", "items": [{"sum": 1}, {"sum": 4}]}},
    ),
    "one where a list may be": (
        'context.each has "copies[]" && context.each["copies[]"] == "eve"',
        {"arguments": {"to": "bob", "copies": ["bob", "cy"]}},
        {"arguments": {"to": "bob", "copies": "eve"}},
    ),
    "a set": (
        'context.arguments has copies && context.arguments.copies.contains("eve")',
        {"arguments": {"to": "bob", "copies": ["bob"]}},
        {"arguments": {"to": "bob", "copies": ["bob", "eve"]}},
    ),
    "a role": (
        'principal.roles.contains("intern")',
        {"roles": ("boss",)},
        {"roles": ("boss", "intern")},
    ),
    "a claim": (
        'principal.claims.contains("org.unit=7")',
        {"claims": {"org": {"unit": "8"}, "org.unit": 7, "org.unit=7": "x"}},
        {"claims": {"org": {"unit": 7}}},
    ),
    "the user": ('principal.user == "eve"', {}, {"user": "eve"}),
    "the tenant": (
        'principal in Tenant::"00000000-0000-0000-0000-000000000008"',
        {},
        {"tenant": "00000000-0000-0000-0000-000000000008"},
    ),
    "where a value comes from": (
        'context.origins has to && context.origins.to.contains("untrusted")',
        {"origins": {"to": "user", "note": "untrusted"}},
        {"origins": {"to": "untrusted"}},
    ),
    "where a part of a value comes from": (
        'context.origins has items && context.origins.items.contains("model")',
        {"origins": {"items[0].account": "user", "itemsx": "model"}},
        {"origins": {"items[0].account": "user", "items[11].account": "model"}},
    ),
    "how often it was called": ("context.calls_in_run >= 3", {"calls_in_run": 2}, {"calls_in_run": 3}),
    "how often a user called it": (
        "context.calls_by_user_today >= 3",
        {"calls_by_user_today": 2},
        {"calls_by_user_today": 3},
    ),
    "how much is left": (
        "context has budget_left_micro_usd && context.budget_left_micro_usd < 1000000",
        {"budget_left_micro_usd": None},
        {"budget_left_micro_usd": 999_999},
    ),
    "the time": (
        'context.now.toTime() < duration("8h") || context.now > datetime("2027-01-01")',
        {},
        {"now": request().now.replace(hour=7)},
    ),
    "the server": ('resource in Server::"bank" && context.tainted', {}, {"tainted": True}),
    "text without case": (
        'context.lower has to && context.lower.to like "*@evil.com"',
        {"arguments": {"to": "bob@good.com"}},
        {"arguments": {"to": "Eve@EVIL.com "}},
    ),
    "what may be several addresses": (
        'context.several.contains("to")',
        {"arguments": {"to": "bob@good.com"}},
        {"arguments": {"to": "bob@good.com,eve@evil.com"}},
    ),
    "what climbs out of a folder": (
        'context.climbing.contains("to")',
        {"arguments": {"to": "a/b..c/d.e"}},
        {"arguments": {"to": "a/../../b"}},
    ),
}


@pytest.mark.parametrize(("condition", "passes", "fails"), CONDITIONS.values(), ids=CONDITIONS)
def test_a_policy_can_go_by(condition: str, passes: Mapping[str, Any], fails: Mapping[str, Any]):
    text = f'@reason("no") forbid {PAY} when {{ {condition} }};'
    assert judged(text, **passes).verdict == "allow"
    refused = judged(text, **fails)
    assert (refused.verdict, refused.policies, refused.reason, refused.errors) == ("deny", ("1.cedar:1",), "no", ())


def test_only_what_is_granted_can_be_allowed():
    answer = judged(tool="other")
    assert (answer.verdict, answer.reason) == ("deny", "`other` is not granted.")


def test_a_permit_of_the_release_takes_the_place_of_the_base_policys():
    text = f'permit {PAY} when {{ principal.roles.contains("boss") }};'
    assert judged(text, roles=("boss",)).verdict == "allow"
    answer = judged(text)
    assert (answer.verdict, answer.policies, answer.reason) == ("deny", (), "No policy permits this call.")


def test_a_forbid_wins_over_every_permit():
    assert judged(f'permit {PAY}; @reason("x") forbid {PAY};').verdict == "deny"


def test_policies_about_other_tools_are_not_asked():
    broken = 'forbid (principal, action == Action::"other", resource) when { context.arguments.nothing == 1 };'
    assert judged(broken).verdict == "allow"


ASK = f'@ask("sure?") forbid {PAY} when {{ context.arguments has amount }} unless {{ context.approved }};'
BAN = f'@reason("never") forbid {PAY} when {{ context.arguments.to == "eve" }};'


def test_a_denial_that_a_yes_would_lift_is_a_question():
    answer = judged(ASK)
    assert (answer.verdict, answer.policies, answer.reason) == ("ask", ("1.cedar:1",), "sure?")


def test_with_the_yes_it_is_allowed():
    assert judged(ASK, approved=True).verdict == "allow"


def test_nobody_is_asked_about_what_is_forbidden_anyway():
    answer = judged(ASK, BAN, arguments={"to": "eve", "amount": 1})
    assert (answer.verdict, answer.policies, answer.reason) == ("deny", ("2.cedar:1",), "never")


def test_nobody_is_asked_where_a_yes_would_change_nothing():
    stubborn = f'@ask("sure?") forbid {PAY};'
    assert judged(stubborn).verdict == "deny"
    afterwards = f'@reason("not even then") forbid {PAY} when {{ context.approved }};'
    answer = judged(ASK, afterwards)
    assert (answer.verdict, answer.policies, answer.reason) == ("deny", ("2.cedar:1",), "not even then")


def test_a_tenant_only_narrows():
    assert judged(tenants=(BAN,), arguments={"to": "eve"}).verdict == "deny"
    assert judged(tenants=(ASK,)).verdict == "ask"
    widened = judged(BAN, tenants=("permit (principal, action, resource);",), arguments={"to": "eve"})
    assert widened.verdict == "deny"
    assert "only narrow" in widened.errors[0]


def test_policies_have_the_ids_that_people_find_them_by():
    text = f'\n\n@id("night.shift") @reason("x") forbid {PAY};'
    assert judged(text).policies == ("1.cedar/night.shift",)
    assert judged(text.replace('@id("night.shift")', "")).policies == ("1.cedar:3",)


# --- Whatever goes wrong is a deny ------------------------------------------------------------------------------------

FAULTS = {
    # Each forbid would stand in the way, and can't be evaluated: Cedar alone would pass over it and allow.
    "an attribute that is missing": f'forbid {PAY} when {{ context.arguments.nothing == "x" }};',
    "an optional argument that is not there": f"forbid {PAY} when {{ context.arguments.count > 3 }};",
    "types that don't compare": f"forbid {PAY} when {{ context.arguments.to > 3 }};",
    "an extension that fails": f"forbid {PAY} when {{ ip(context.arguments.to).isLoopback() }};",
    "a number that is no decimal": f'forbid {PAY} when {{ decimal(context.arguments.to).lessThan(decimal("1.0")) }};',
    "an overflow": f"forbid {PAY} when {{ context.calls_in_run + 1 + 9223372036854775807 > 0 }};",
    "an entity that nobody knows": f'forbid {PAY} when {{ User::"x".age > 3 }};',
    "an attribute of the principal": f"forbid {PAY} when {{ principal.nothing }};",
    "an element without a guard": f'forbid {PAY} when {{ context.each["copies[]"] == "x" }};',
    "an element of nothing": f'forbid {PAY} when {{ context.each["nothing[]"] == "x" }};',
    "a permit by elements": f'permit {PAY} when {{ context.each has "copies[]" }};',
    "a permit that fails beside one that holds": f"permit {PAY}; permit {PAY} when {{ principal.nothing }};",
    "no Cedar": "forbid (principal, action, resource) when {",
    "a template": "forbid (principal == ?principal, action, resource);",
    "an unfinished text": 'forbid (principal, action, resource) when { "x };',
    "an id that is taken": f'@id("a") forbid {PAY} when {{ false }};\n@id("a") forbid {PAY} when {{ false }};',
    "an ask on a permit": f'@ask("x") permit {PAY};',
}


@pytest.mark.parametrize("text", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("approved", [True, False])
def test_a_policy_that_can_not_be_evaluated_denies(text: str, approved: bool):
    for answer in (judged(text, approved=approved), judged(tenants=(text,), approved=approved)):
        assert answer.verdict == "deny"
        assert answer.errors


@pytest.mark.parametrize("amount", [10**30, 1.00001, 2**63, 1e300, -(2**70), 922337203685477.6])
def test_a_number_without_an_exact_form_is_denied_where_a_policy_looks_at_it(amount: float):
    looks = (
        f'forbid {PAY} when {{ context.arguments has amount && context.arguments.amount.greaterThan(decimal("5.0")) }};'
    )
    answer = judged(looks, arguments={"to": "bob", "amount": amount})
    assert answer.verdict == "deny"
    assert "`amount` has no exact form" in answer.errors[0]
    whole = f"forbid {PAY} when {{ context.arguments == {{}} }};"
    assert judged(whole, arguments={"to": "bob", "amount": amount}).verdict == "deny"
    assert judged(arguments={"to": "bob", "amount": amount}).verdict == "allow"


def test_more_elements_than_can_be_judged_are_denied():
    text = f'forbid {PAY} when {{ context.each has "copies[]" && context.each["copies[]"] == "eve" }};'
    assert judged(text, arguments={"to": "bob", "copies": ["bob"] * 200}).verdict == "allow"
    assert judged(text, arguments={"to": "bob", "copies": ["bob"] * 201}).verdict == "deny"


def test_arguments_can_not_pass_themselves_off_as_entities_or_other_values():
    parameters = {"type": "object", "properties": {"a": {"type": "string"}, "__entity": {"type": "string"}}}
    release = granted(f'@reason("x") forbid {PAY} when {{ context.arguments == {{a: "b"}} }};', parameters=parameters)
    asked = request({"a": "b", "__entity": {"type": "Agent", "id": "clerk"}, "__extn": {"fn": "ip", "arg": "::1"}})
    assert PolicySet.of(release).judge(asked).policies == ("1.cedar:1",)


@pytest.mark.parametrize("fault", [RuntimeError, ValueError, MemoryError, RecursionError, KeyError, UnicodeError])
def test_a_fault_of_the_engine_itself_denies(monkeypatch: pytest.MonkeyPatch, fault: type[Exception]):
    def breaks(*_: object) -> None:
        raise fault("boom")

    for verb in ("load", "entities", "joined", "decide"):
        with monkeypatch.context() as patched:
            patched.setattr(cedar, verb, breaks)
            answer = PolicySet.of(granted()).judge(request())
        assert (answer.verdict, bool(answer.errors)) == ("deny", True)


def test_half_a_surrogate_pair_denies_instead_of_raising():
    text = f'forbid {PAY} when {{ context.arguments.to == "x" }};'
    assert judged(text, arguments={"to": "\ud800"}).verdict == "deny"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
some_arguments = st.dictionaries(
    st.sampled_from(["to", "amount", "count", "note", "copies", "items", "order", "__extn", "x"]),
    json_values,
    max_size=5,
)


@given(
    st.sampled_from(list(FAULTS.values())),
    some_arguments,
    st.booleans(),
    st.sampled_from(["suggest", "ask_always", "ask_when_risky", "free", ""]),
    st.booleans(),
)
@settings(max_examples=120, deadline=None)
def test_no_error_ever_ends_in_allow(text: str, arguments: dict[str, Any], approved: bool, level: str, tenant: bool):
    # `to` is always there, as the schema check before this one makes sure.
    arguments = {"to": "bob", **arguments}
    asked = {"arguments": arguments, "approved": approved, "autonomy": level, "clean": False}
    judge = judged(tenants=(text,), **asked) if tenant else judged(text, **asked)
    if judge.errors:
        assert judge.verdict == "deny"
    elif judge.verdict == "allow":
        # The fault did not show: the policy could be evaluated, and said nothing against it.
        assert text in {FAULTS["an optional argument that is not there"], FAULTS["an extension that fails"]}
        assert "count" in arguments or "." in str(arguments["to"]) or ":" in str(arguments["to"])


WORDS = 'forbid permit when{ unless{ } ; context .to .arguments .each ["copies[]"] has approved == "eve" 1 && ! @ask //'
pieces = st.lists(st.sampled_from([*WORDS.split(), "(principal, action, resource)", PAY, "\n", '("x")']), max_size=14)


@given(pieces.map(" ".join) | st.text(string.printable, max_size=60), some_arguments)
@settings(max_examples=120, deadline=None)
def test_whatever_is_written_is_answered_and_text_that_is_no_policy_denies(text: str, arguments: dict[str, Any]):
    policies = PolicySet.of(granted(text))
    answer = policies.judge(request({"to": "bob", **arguments}))
    assert answer.verdict in {"allow", "ask", "deny"}
    if policies.faults or answer.errors:
        assert answer.verdict == "deny"


@given(st.sampled_from([policy for policy, _, _ in CONDITIONS.values()]), some_arguments, st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_tenants_policy_never_widens(condition: str, arguments: dict[str, Any], approved: bool):
    order = ["deny", "ask", "allow"]
    asked = {"arguments": {"to": "bob", **arguments}, "approved": approved}
    for text in (
        f"forbid {PAY} when {{ {condition} }};",
        f'@ask("x") forbid {PAY} when {{ {condition} }} unless {{ context.approved }};',
    ):
        without, with_it = judged(ASK, **asked), judged(ASK, tenants=(text,), **asked)
        assert order.index(with_it.verdict) <= order.index(without.verdict)


# --- A policy set as a whole ------------------------------------------------------------------------------------------


def test_a_set_knows_whether_users_calls_have_to_be_counted():
    assert not PolicySet.of(granted(ASK)).needs_user_counts
    assert PolicySet.of(granted(f"forbid {PAY} when {{ context.calls_by_user_today > 3 }};")).needs_user_counts
    assert PolicySet.of(granted(f"forbid {PAY} when {{ context == {{a: 1}} }};")).needs_user_counts


def test_the_digest_changes_with_every_policy_and_with_nothing_else():
    one, same, other = (PolicySet.of(granted(text)).digest for text in (ASK, ASK, BAN))
    tenants = PolicySet.of(granted(ASK), [PolicyText("t.cedar", BAN)]).digest
    assert one == same
    assert len({one, other, tenants, PolicySet.of(granted()).digest}) == 4


def test_each_tool_is_asked_about_by_its_own_policies():
    text = f'{BAN}\n@reason("x") forbid (principal, action == Action::"send", resource);'
    release = Granted((Tool(), Tool("send")), (PolicyText("1.cedar", text),))
    policies = PolicySet.of(release)
    assert policies.judge(request(tool="send")).policies == ("1.cedar:2",)
    assert policies.judge(request()).verdict == "allow"
    assert [one.id for one in policies.about("send")][-1] == "1.cedar:2"


def test_people_are_shown_all_that_policies_can_see():
    policies = PolicySet.of(granted())
    asked = request({"to": "a, b", "count": 3, "free": {}}, origins={"to": "user"}, budget_left_micro_usd=5)
    shown = policies.context(asked)
    assert shown["arguments"] == {"to": "a, b", "count": 3}
    assert (shown["several"], shown["origins"], shown["budget_left_micro_usd"]) == (["to"], {"to": ["user"]}, 5)
