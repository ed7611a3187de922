"""What authors say of control in `agent.yaml` on its way into a release: read, judged, pinned, and read again."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from quarterdeck.core.ids import TenantId
from quarterdeck.policies.engine import PolicySet
from quarterdeck.policies.records import PolicyText
from quarterdeck.releases.build import Draft, build
from quarterdeck.releases.records import Asking, Release, ToolRate, ToolSchema
from quarterdeck.releases.rules import judge, needs_code
from quarterdeck.releases.service import read_manifest
from quarterdeck.releases.view import view
from quarterdeck.spec.findings import AgentInvalid
from tests.unit.policies.granting import SCHEMA, request
from tests.unit.releases.builders import FILES, another_tool, manifest, offering, raw
from tests.unit.spec.folders import HEAD, read, write

CRM = HEAD + "tools:\n  - name: crm\n    mcp: {url: 'https://example.com/mcp'}\n    tools:\n      pay:\n"
OWN = HEAD + "tools:\n  - python: tools.py\n    tools:\n      pay:\n"
CODE = {"tools_dot_py": "x = 1\n"}
EVERYTHING = (
    OWN
    + """\
        effect: payment
        destinations: [to, "items[].account"]
        payload: [note]
        autonomy: ask_always
        allow: {to: [bob, "*@example.com"]}
        bounds: {amount: {max: 500}}
        ask_above: {amount: 100}
        rates: [{calls: 10, every: 2m, per: user}]
        concurrency: 3
        secrets: [crm-token]
        scan: [secrets, pii]
        approval: {roles: [boss], people: 2, expires: 4h, summary: "Pay {amount} to {to}"}
        scope: {order: {claim: org}}
        affects: {argument: items, per_call: 20, per_run: 100}
policies: [policies/*.cedar]
escalate: {to: night-shift@example.com}
agents:
  - agent: researcher@2026-11-20
    description: Finds sources.
    tools: [search, fetch]
    autonomy: suggest
    limits: {max_steps: 5, max_seconds: 60}
"""
)
NIGHT = '@reason("not at night") forbid (principal, action, resource) when { context.now.toTime() < duration("6h") };'


def drafted(root: Path, agent: str, *, schema: object = SCHEMA, marks: object = None, **files: str) -> Draft:
    pay = ToolSchema("pay", "Pays.", schema, marks=marks or {})  # pyright: ignore[reportArgumentType]
    return asyncio.run(build(read(write(root, agent, **{**CODE, **files})), offering(crm=[pay], tools=[pay])))


def released(draft: Draft) -> Release:
    tenant, at = TenantId(UUID(int=1)), datetime(2026, 11, 20, tzinfo=UTC)
    return view(tenant, draft.id, read_manifest(draft.manifest), label=None, by="ada", at=at)


def refused(root: Path, agent: str, **files: str) -> list[str]:
    with pytest.raises(AgentInvalid) as caught:
        drafted(root, agent, **files)
    return [str(finding) for finding in caught.value.findings if not finding.warning]


def test_everything_that_is_said_arrives_in_the_release(tmp_path: Path):
    draft = drafted(tmp_path, EVERYTHING, policies__night_dot_cedar=NIGHT)
    assert judge(read_manifest(draft.manifest), draft.files, "openai") == ()
    release = released(draft)
    pay, researcher = release.tools
    assert (pay.destinations, pay.payload, pay.autonomy) == (("to", "items[].account"), ("note",), "ask_always")
    assert (pay.rates, pay.concurrency) == ((ToolRate(10, 120, "user"),), 3)
    assert (pay.secrets, pay.scan) == (("crm-token",), ("pii", "secrets"))
    assert pay.asking == Asking(("boss",), 2, 14_400.0, "Pay {amount} to {to}")
    assert (pay.scope, pay.affects) == (
        {"order": {"claim": "org"}},
        {"argument": "items", "per_call": 20, "per_run": 100},
    )
    assert [policy.name for policy in release.policies] == ["agent.yaml", "policies/night.cedar"]
    assert release.policies[1] == PolicyText("policies/night.cedar", NIGHT)
    assert release.escalate_to == "night-shift@example.com"
    server = release.server("agent-researcher")
    assert (server.kind, server.agent) == ("agent", "researcher@2026-11-20")
    assert server.narrowed == {
        "tools": ["fetch", "search"],
        "autonomy": "suggest",
        "max_steps": 5,
        "max_seconds": 60,
    }
    assert (researcher.name, researcher.effect, researcher.repeat, researcher.trust, researcher.timeout) == (
        *("researcher", "read", "keyed", "untrusted"),
        60,
    )
    assert "policies/night.cedar" not in release.files


def test_the_policies_of_a_release_decide(tmp_path: Path):
    policies = PolicySet.of(released(drafted(tmp_path, EVERYTHING, policies__night_dot_cedar=NIGHT)))
    assert policies.faults == ()
    pay = {"autonomy": "free", "effect": "payment"}
    assert policies.judge(request({"to": "bob", "amount": 5}, **pay)).verdict == "allow"
    assert policies.judge(request({"to": "bob", "amount": 101}, **pay)).verdict == "ask"
    assert policies.judge(request({"to": "bob", "amount": 501}, **pay)).verdict == "deny"
    assert policies.judge(request({"to": "eve", "amount": 5}, **pay)).verdict == "deny"
    night = policies.judge(request({"to": "bob"}, now=datetime(2026, 11, 20, 3, tzinfo=UTC), **pay))
    assert (night.verdict, night.policies) == ("deny", ("policies/night.cedar:1",))
    assert policies.judge(request({"task": "look"}, tool="researcher", effect="read")).verdict == "allow"


def test_each_word_of_a_policy_is_covered_by_the_releases_id(tmp_path: Path):
    one = drafted(tmp_path / "a", EVERYTHING, policies__night_dot_cedar=NIGHT)
    same = drafted(tmp_path / "b", EVERYTHING, policies__night_dot_cedar=NIGHT)
    file = drafted(tmp_path / "c", EVERYTHING, policies__night_dot_cedar=NIGHT.replace("6h", "5h"))
    form = drafted(tmp_path / "d", EVERYTHING.replace("max: 500", "max: 501"), policies__night_dot_cedar=NIGHT)
    assert one.id == same.id
    assert len({one.id, file.id, form.id}) == 3


def test_nothing_said_is_the_default(tmp_path: Path):
    release = released(drafted(tmp_path, CRM + "        effect: write\n"))
    tool = release.tools[0]
    assert (tool.autonomy, tool.destinations, tool.rates, tool.asking) == ("ask_when_risky", (), (), Asking())
    assert (release.policies, release.escalate_to) == ((), None)


def test_an_agent_can_be_kept_from_asking_for_a_person(tmp_path: Path):
    assert released(drafted(tmp_path, CRM + "        effect: write\nescalate: false\n")).escalate_to == ""


def test_marks_in_code_count_until_agent_yaml_says_otherwise(tmp_path: Path):
    agent = HEAD + "tools:\n  - python: tools.py\n"
    marks = {"destinations": ["to"], "payload": ["note"]}
    marked = released(drafted(tmp_path / "a", agent, marks=marks)).tools[0]
    assert (marked.destinations, marked.payload) == (("to",), ("note",))
    over = agent + "    tools: {pay: {destinations: []}}\n"
    assert released(drafted(tmp_path / "b", over, marks=marks)).tools[0].destinations == ()
    others = released(drafted(tmp_path / "c", CRM + "        effect: write\n", marks=marks)).tools[0]
    assert others.destinations == ()


def test_hosts_of_code_may_reach_only_what_is_named(tmp_path: Path):
    agent = HEAD + "tools:\n  - python: tools.py\n    network: [b.example.com, 'a.example.com:8443', b.example.com]\n"
    server = released(drafted(tmp_path, agent)).servers[0]
    assert server.network == ("a.example.com:8443", "b.example.com")


def test_another_agent_brings_no_code():
    agent = {**raw()["servers"][0], "kind": "agent", "module": "", "agent": "researcher"}
    assert not needs_code(manifest({"servers": [agent]}))


# what stands under `pay:`: what is said
WRONG: dict[str, tuple[str, list[str]]] = {
    "a destination that is no argument": (
        "destinations: [too]",
        ["agent.yaml:11:24: `pay.destinations[0]`: there is no argument `too`; did you mean `to`?"],
    ),
    "a destination within a list": (
        "destinations: [items.account]",
        [
            (
                "agent.yaml:11:24: `pay.destinations[0]`: `items.account` goes through a list; "
                "write `[]` behind the list's name: `items[].account`"
            )
        ],
    ),
    "a destination that is payload": (
        "destinations: [to]\n        payload: [to]",
        ["agent.yaml:12:19: `pay.payload[0]`: `to` is a destination too; name it once"],
    ),
    "a level that is none": (
        "autonomy: full",
        [
            (
                "agent.yaml:11:19: `tools[0].tools.pay.autonomy` is `full`; write one of `suggest`, `ask_always`, "
                "`ask_when_risky` and `free`"
            )
        ],
    ),
    "a time that is none": (
        "rates: [{calls: 1, every: minute}]",
        [
            (
                "agent.yaml:11:35: `tools[0].tools.pay.rates[0].every` is `minute`; "
                "use a whole number and a unit: `30s`, `1m`, `24h`, `7d`"
            )
        ],
    ),
    "a rate of more than a year": (
        "rates: [{calls: 1, every: 400d}]",
        ["agent.yaml:11:28: `pay.rates[0].every`: this is longer than a year; write `365d` at most"],
    ),
    "a question that stands too long": (
        "approval: {expires: 90d}",
        ["agent.yaml:11:20: `pay.approval.expires`: a question can't stand for 7,776,000 seconds; write `1m` to `30d`"],
    ),
    "a binding to nothing": (
        "scope: {order: {}}",
        [
            (
                "agent.yaml:11:17: `pay.scope.order`: it needs exactly one of `claim`, `value`, `values` and `of`; "
                "it has none of them; write `{claim: org}`"
            )
        ],
    ),
    "a binding of a part": (
        "scope: {order.by: {claim: org}}",
        [
            (
                "agent.yaml:11:17: `pay.scope.order.by`: `order.by` is not at the top of the arguments; "
                "bind an argument as a whole"
            )
        ],
    ),
    "a cap of nothing": (
        "affects: {argument: items}",
        [
            (
                "agent.yaml:11:9: `pay.affects`: it has neither `per_call` nor `per_run`; "
                "write `{argument: ids, per_call: 20}`"
            )
        ],
    ),
    "a cap before the result": (
        "affects: {result: /deleted, per_call: 3}",
        [
            (
                "agent.yaml:11:37: `pay.affects.per_call`: what the result says is known when the call was made: "
                "it can't be capped per call; use `per_run`, or an `argument`"
            )
        ],
    ),
    "a bound of text": (
        "bounds: {to: {max: 3}}",
        ["agent.yaml:11:23: `pay.bounds.to.max`: `to` is no number; bounds are for numbers; use `allow` for text"],
    ),
    "an amount that is too fine": (
        "ask_above: {amount: 0.00001}",
        [
            (
                "agent.yaml:11:21: `pay.ask_above.amount`: 1e-05 can't be compared exactly; "
                "use at most four decimal places, and 64 bits"
            )
        ],
    ),
    "a pattern that means everything": (
        "allow: {to: [bob, '*']}",
        ["agent.yaml:11:27: `pay.allow.to[1]`: `*` means everything; leave it out, or say more of what is meant"],
    ),
}


@pytest.mark.parametrize(("said", "complaints"), WRONG.values(), ids=WRONG)
def test_what_does_not_fit_is_said_with_line_and_fix(tmp_path: Path, said: str, complaints: list[str]):
    assert refused(tmp_path, CRM + f"        {said}\n") == complaints


POLICY_FILES: dict[str, tuple[str, str, list[str]]] = {
    "no file": (
        "policies: [policies/*.cedar]",
        "",
        ["agent.yaml:12:12: `policies/*.cedar` means no file here; correct the pattern, or remove it"],
    ),
    "another kind of file": (
        "policies: [prompt.md]",
        "",
        ["agent.yaml:12:12: `prompt.md` is no policy file; name files that end in `.cedar`"],
    ),
    "a policy that is none": (
        "policies: [p.cedar]",
        "// first\nforbid (principal, action, resource) when {",
        ["p.cedar:2:1: this is no policy: unexpected end of input; correct it"],
    ),
    "a policy that does not fit the tools": (
        "policies: [p.cedar]",
        'forbid (principal, action == Action::"payy", resource);',
        ['p.cedar:1:1: unrecognized action `Action::"payy"`; name a tool that is granted'],
    ),
}


@pytest.mark.parametrize(("said", "text", "complaints"), POLICY_FILES.values(), ids=POLICY_FILES)
def test_policy_files_are_judged_where_they_are_written(tmp_path: Path, said: str, text: str, complaints: list[str]):
    files = {"p_dot_cedar": text} if text else {}
    assert refused(tmp_path, CRM + f"        effect: write\n{said}\n", **files) == complaints


def test_a_dangerous_tool_that_is_free_and_unmarked_is_a_warning(tmp_path: Path):
    draft = drafted(tmp_path, CRM + "        {effect: payment, autonomy: free}\n")
    assert [str(warning) for warning in draft.warnings] == [
        (
            "agent.yaml:11:27: warning: `pay.autonomy`: it is free to do what is dangerous (payment), and nothing says "
            "where that goes; mark its `destinations`"
        )
    ]


# The server believes nothing of that. name: (what is changed in a sound manifest, the place and problem)
SENT = {
    "a destination that is no argument": (
        {"tools.0.destinations": ["nowhere"]},
        ("manifest.tools[0].destinations[0]", "there is no argument `nowhere`"),
    ),
    "two bindings": (
        {"tools.0.scope": {"number": {"claim": "a", "of": "user"}}},
        ("manifest.tools[0].scope.number", "exactly one of"),
    ),
    "policies that are none": (
        {"policies": [{"name": "a.cedar", "text": "nonsense"}]},
        ("a.cedar:1:1", "this is no policy"),
    ),
    "policies of the base's name": (
        {"policies": [{"name": "base.cedar", "text": "permit (principal, action, resource);"}]},
        ("manifest.policies[0].name", "another has this name"),
    ),
    "policies outside of the folder": (
        {"policies": [{"name": "../a.cedar", "text": "permit (principal, action, resource);"}]},
        ("manifest.policies[0].name", ""),
    ),
    "policies twice": (
        {"policies": [{"name": "a.cedar", "text": "permit (principal, action, resource);"}] * 2},
        ("manifest.policies[0].name", "another has this name"),
    ),
    "an agent that is none": (
        {"servers.0.kind": "agent", "servers.0.module": ""},
        ("manifest.servers[0].agent", "it names no agent"),
    ),
    "an agent that is told more": (
        {"servers.0.kind": "agent", "servers.0.module": "", "servers.0.agent": "a", "tools": [another_tool()]},
        ("manifest.tools[0].parameters", "another agent is told a `task` and no more"),
    ),
    "an address with a network": (
        {
            "servers.0.kind": "http",
            "servers.0.module": "",
            "servers.0.url": "https://example.com",
            "servers.0.network": ["x"],
        },
        ("manifest.servers[0].network", "a http server has no such field"),
    ),
}


@pytest.mark.parametrize(("changed", "said"), SENT.values(), ids=SENT)
def test_nothing_about_control_is_believed(changed: dict[str, object], said: tuple[str, str]):
    faults = [(fault.place, fault.problem) for fault in judge(manifest(changed), FILES, "openai")]
    assert any(place == said[0] and said[1] in problem for place, problem in faults), faults
