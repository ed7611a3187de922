"""Who may do what, what nobody uses, and what a tenant's policy must be."""

from dataclasses import replace

import pytest

from quarterdeck.policies.narrowing import examine
from quarterdeck.policies.records import PolicyText
from quarterdeck.policies.reports import permissions, unused
from quarterdeck.policies.simulate import is_clean, leaves
from tests.toolbox import a_grant, a_release

PARAMETERS = {"type": "object", "properties": {"amount": {"type": "integer"}}, "required": ["amount"]}
READ = a_grant("look", effect="read")
WRITE = a_grant("note", effect="write")
PAY = a_grant("pay", effect="payment", parameters=PARAMETERS)
RELEASE = a_release(READ, WRITE, PAY)


def verdicts(*tenant: str, release=RELEASE, user: str | None = None) -> dict[str, str]:
    texts = [PolicyText(f"t{at}", text) for at, text in enumerate(tenant)]
    return {may.tool.name: may.verdict for may in permissions(release, texts, user=user)}


def test_without_policies_reads_are_free_writes_depend_and_danger_asks():
    assert verdicts() == {"look": "allow", "note": "depends", "pay": "ask"}


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("suggest", {"look": "allow", "note": "deny", "pay": "deny"}),
        ("ask_always", {"look": "allow", "note": "ask", "pay": "ask"}),
        ("free", {"look": "allow", "note": "allow", "pay": "depends"}),
        ("nonsense", {"look": "deny", "note": "deny", "pay": "deny"}),
    ],
)
def test_the_release_s_autonomy_counts(level: str, expected: dict[str, str]):
    grants = [replace(grant, autonomy=level) for grant in (READ, WRITE, PAY)]
    assert verdicts(release=a_release(*grants)) == expected


def test_a_tenants_forbid_wins_and_one_with_conditions_makes_it_depend():
    assert verdicts('forbid(principal, action == Action::"look", resource);')["look"] == "deny"
    some = 'forbid(principal, action == Action::"pay", resource) when { context.arguments.amount > 5 };'
    assert verdicts(some) == {"look": "allow", "note": "depends", "pay": "depends"}


def test_a_policy_about_another_server_tenant_or_agent_does_not_count():
    for scope in ('resource in Server::"other"', 'resource == Tool::"note"'):
        assert verdicts(f"forbid(principal, action, {scope});")["look"] == "allow"
    for scope in ('principal == Agent::"other"', 'principal in Tenant::"other"'):
        assert verdicts(f"forbid({scope}, action, resource);")["look"] == "allow"
    for scope in ('principal == Agent::"desk"', f'principal in Tenant::"{RELEASE.tenant}"'):
        assert verdicts(f"forbid({scope}, action, resource);")["look"] == "deny"
    assert verdicts('forbid(principal, action, resource in Server::"code");')["look"] == "deny"


def test_a_policy_about_one_user_decides_when_it_is_asked_about_that_user():
    policy = 'forbid(principal, action == Action::"look", resource) when { principal.user == "ann" };'
    assert verdicts(policy)["look"] == "depends"
    assert verdicts(policy, user="ann")["look"] == "deny"
    assert verdicts(policy, user="bob")["look"] == "allow"


def test_a_releases_own_permit_takes_the_place_of_the_base_policys():
    permit = 'permit(principal, action == Action::"look", resource) when { principal.roles.contains("staff") };'
    release = replace(RELEASE, policies=(PolicyText("policies/a.cedar", permit),))
    (may,) = permissions(release, [], tool="look")
    assert (may.verdict, may.roles) == ("depends", ("staff",))
    assert [each.policy for each in may.conditions] == ["policies/a.cedar:1"]


def test_policies_that_can_not_be_read_deny_everything():
    assert set(verdicts("forbid(").values()) == {"deny"}


def test_what_is_granted_and_not_called_is_unused():
    found = unused([RELEASE], {("desk", "look"): 3, ("other", "pay"): 1})
    assert [each.tool.name for each in found] == ["note", "pay"]


def test_a_policy_that_fits_has_no_findings():
    text = 'forbid(principal, action == Action::"pay", resource) when { context.arguments.amount > 5 };'
    assert examine(PolicyText("t", text), [RELEASE]) == ()


def test_a_policy_over_tools_of_several_agents_is_held_against_those_that_have_all_of_them():
    other = a_release(a_grant("mail"))
    text = 'forbid(principal, action in [Action::"pay", Action::"note"], resource);'
    assert examine(PolicyText("t", text), [RELEASE, other]) == ()
    across = 'forbid(principal, action in [Action::"pay", Action::"mail"], resource);'
    assert examine(PolicyText("t", across), [RELEASE, other]) == ()


def test_each_misfit_is_told_once_with_its_place_and_the_release():
    text = "\n\n" + 'forbid(principal, action == Action::"pay", resource) when { context.arguments.sum > 5 };'
    twin = replace(RELEASE, tools=(*RELEASE.tools, a_grant("more")))
    (found,) = examine(PolicyText("t", text), [RELEASE, twin])
    assert (found.place.file, found.place.line, found.place.column, found.warning) == ("t", 3, 1, False)
    assert RELEASE.version in found.problem
    assert found.fix


def test_an_ask_that_no_yes_can_lift_is_a_finding():
    (found,) = examine(PolicyText("t", '@ask("?") forbid(principal, action, resource);'), [RELEASE])
    assert "approved" in found.fix


@pytest.mark.parametrize(
    ("destinations", "origins", "clean"),
    [
        (("to",), {"to": "user", "body": "untrusted"}, True),
        (("to",), {"to": "untrusted"}, False),
        (("to",), {"to": "model"}, False),
        (("to[]",), {"to[0]": "user", "to[1]": "untrusted"}, False),
        (("to",), {"to[0]": "untrusted"}, False),
        (("items[].account",), {"items[3].account": "model", "items[3].note": "user"}, False),
        (("items[].account",), {"items[3].accounts": "model"}, True),
        (("to",), {"to.street": "model"}, False),
        (("to",), {"to": "a word of tomorrow"}, False),
        ((), {"to": "untrusted"}, True),
    ],
)
def test_a_call_is_clean_when_the_origins_of_all_destinations_are(destinations, origins, clean):
    assert is_clean(destinations, origins) is clean


def test_leaves_are_named_as_origins_name_them():
    arguments = {"to": ["a", "b"], "items": [{"account": 1, "note": None}], "deep": {"er": True}, "none": {}}
    assert leaves(arguments) == ["to[0]", "to[1]", "items[0].account", "items[0].note", "deep.er"]
