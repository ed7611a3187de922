import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.policies.records import PolicyFault, PolicyText
from quarterdeck.policies.statements import Statement, pieces, read
from quarterdeck.policies.validation import validate, validate_tenant
from tests.unit.policies.granting import Granted, Tool, granted

FORBID = "forbid (principal, action, resource)"


def one(text: str) -> Statement:
    (found,) = read(PolicyText("a.cedar", text))
    assert isinstance(found, Statement)
    return found


def faults(text: str, *, tenant: bool = False) -> list[str]:
    texts = [PolicyText("a.cedar", text)]
    found = validate_tenant(texts, [granted()]) if tenant else validate(granted(), texts)
    return [str(fault) for fault in found]


def test_each_policy_knows_its_line_whatever_stands_around_it():
    text = f"""// forbid; "
{FORBID} when {{ "a;//b" == "\\";" }}; {FORBID} // x;
when {{ true }};

  @reason("; // \\" x")
  {FORBID};"""
    found = [(each.line, each.column) for each in read(PolicyText("a", text)) if isinstance(each, Statement)]
    assert found == [(2, 1), (2, 65), (5, 3)]


def test_a_lone_carriage_return_ends_a_comment_for_us_as_it_does_for_cedar():
    assert one(f"// x\r{FORBID};").effect == "forbid"


MENTIONS = {
    "context.clean": {("clean",)},
    'context["clean"]': {("clean",)},
    "context has budget_left_micro_usd": {("budget_left_micro_usd",)},
    "context.arguments.order.total > 1": {("arguments", "order", "total")},
    "context.arguments has order.total": {("arguments", "order"), ("arguments", "order", "total")},
    'context.each["items[].sum"] > 1': {("each", "items[].sum")},
    "context == {clean: true}": {()},
    "context.arguments == {}": {("arguments",)},
    "if principal.roles.contains(context.autonomy) then context.clean else !context.tainted": {
        ("autonomy",),
        ("clean",),
        ("tainted",),
    },
    '{"left": context.clean}.left': {("clean",)},
    "true": set[tuple[str, ...]](),
}


@pytest.mark.parametrize(("condition", "mentions"), MENTIONS.items())
def test_what_a_policy_looks_at_is_known(condition: str, mentions: set[tuple[str, ...]]):
    assert one(f"{FORBID} when {{ {condition} }};").mentions == mentions


def test_only_a_policy_that_names_one_tool_is_about_one_tool():
    actions = {
        'action == Action::"pay"': "pay",
        "action": None,
        'action in [Action::"pay"]': None,
        'action in Action::"pay"': None,
        'action == Other::Action::"pay"': None,
    }
    for scope, tool in actions.items():
        assert one(f"forbid (principal, {scope}, resource);").action == tool


WRONG: dict[str, tuple[str, str]] = {
    "no Cedar": (
        f"\n\n  {FORBID} when {{",
        "a.cedar:3:3: this is no policy: unexpected end of input; correct it",
    ),
    "an argument that is not there": (
        f'{FORBID} when {{ context.arguments.tow == "x" }};',
        (
            'a.cedar:1:1: attribute `arguments.tow` in context for Action::"pay" not found; '
            "see with `qd policy schema` what there is; arguments without one plain type are left out"
        ),
    ),
    "an argument that may be missing": (
        f"{FORBID};\n{FORBID} when {{ context.arguments.count > 3 }};",
        (
            "a.cedar:2:1: unable to guarantee safety of access to optional attribute `arguments.count` in context for "
            'Action::"pay"; ask first whether it is there: `context.arguments has amount && ...`'
        ),
    ),
    "a tool that is not granted": (
        'forbid (principal, action == Action::"play", resource);',
        'a.cedar:1:1: unrecognized action `Action::"play"`; name a tool that is granted',
    ),
    "types": (
        f"{FORBID} when {{ context.arguments.to > 3 }};",
        "a.cedar:1:1: unexpected type: expected Long but saw String; correct it",
    ),
    "a useless question": (
        f'@ask("sure?") {FORBID};',
        "a.cedar:1:1: it asks, and a yes would change nothing; end it with `unless { context.approved }`",
    ),
    "a permit by elements": (
        'permit (principal, action, resource) when { context.each has "copies[]" };',
        "a.cedar:1:1: it permits by single elements of a list; write a forbid with `unless`",
    ),
    "a template": (
        "forbid (principal == ?principal, action, resource);",
        "a.cedar:1:1: it is a template (`?principal`, `?resource`); write it out",
    ),
    "an id of strange form": (
        f'@id("a b") {FORBID};',
        "a.cedar:1:1: its `@id` can't be used; use letters, digits and `_./[]-`",
    ),
    "an id that is taken": (
        f'@id("a") {FORBID};\n@id("a") {FORBID};',
        "a.cedar:2:1: another policy has this `@id` (line 1); give each an id of its own",
    ),
}


@pytest.mark.parametrize(("text", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_with_file_line_and_fix(text: str, said: str):
    assert said in faults(text)


def test_a_tenants_permits_are_refused_and_policies_about_other_tools_passed_over():
    assert faults("permit (principal, action, resource);", tenant=True) == [
        (
            "a.cedar:1:1: a tenant's policies only narrow, and this one permits; "
            "write a forbid, with `unless` for exceptions"
        )
    ]
    assert faults('forbid (principal, action == Action::"elsewhere", resource);', tenant=True) == []
    assert len(faults(f"{FORBID} when {{ context.arguments.count > 3 }};", tenant=True)) == 1


def test_a_policy_about_all_tools_has_to_fit_each_of_them():
    release = Granted((Tool(), Tool("send", parameters={"type": "object"})))
    guarded = PolicyText("a", f"{FORBID} when {{ context.arguments has count && context.arguments.count > 3 }};")
    bare = PolicyText("b", f'{FORBID} when {{ context.arguments.to == "x" }};')
    assert validate(release, [guarded]) == ()
    assert 'Action::"send"' in str(validate(release, [bare])[0])


def test_there_is_an_end_to_how_many_policies_there_may_be():
    assert faults(f"{FORBID};\n" * 2001) == ["a.cedar:1:1: there are 2,001 policies; write at most 2,000"]


@given(st.text("forbid permit(princ,actesu){};\"\\/\n\r@ '=:?", max_size=80))
def test_every_text_comes_apart_into_policies_and_faults(text: str):
    found = read(PolicyText("a", text))
    assert all(isinstance(each, Statement | PolicyFault) for each in found)
    assert "".join(piece for _, _, piece in pieces(text)).count(";") <= text.count(";")
    if any(char.isalpha() for line in text.splitlines() for char in line.partition("//")[0]):
        assert found
