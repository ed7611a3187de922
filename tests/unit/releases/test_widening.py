from typing import Any

import pytest

from quarterdeck.releases.changes import changes
from tests.unit.releases.builders import SOUND, another_tool, manifest

MORE = " — this permits more"
SERVER = {**SOUND["servers"][0]}
OTHER = {**SERVER, "kind": "agent", "module": "", "agent": "researcher"}
ASK = '@id("tools.pay.ask_above.amount") @ask("above {0}") forbid (principal, action == Action::"pay", resource) '
ASK += "when {{ context.arguments has amount && context.arguments.amount > {0} }} unless {{ context.approved }};"
ALLOW = '@id("tools.pay.allow.to") @reason("one of {1}") forbid (principal, action == Action::"pay", resource) '
ALLOW += "unless {{ {0} }};"
FORBID = '@id("night") @reason("not at night") forbid (principal, action, resource);'
PERMIT = '@id("boss") permit (principal, action == Action::"pay", resource);'


def policies(*texts: str) -> dict[str, Any]:
    return {"policies": [{"name": "agent.yaml", "text": "\n".join(texts)}]}


def likes(*patterns: str) -> str:
    return ALLOW.format(" || ".join(f'context.arguments.to like "{one}"' for one in patterns), ", ".join(patterns))


# name: (what stands in the old release, what in the new, what is said)
TABLE: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "more autonomy": (
        {},
        {"tools.0.autonomy": "free"},
        [f"tool find_order, autonomy: ask_when_risky → free{MORE}"],
    ),
    "less autonomy": (
        {},
        {"tools.0.autonomy": "suggest"},
        ["tool find_order, autonomy: ask_when_risky → suggest"],
    ),
    "a destination less": (
        {"tools.0.destinations": ["number"]},
        {"tools.0.destinations": []},
        [f"tool find_order, destinations: number removed{MORE}"],
    ),
    "a destination more": ({}, {"tools.0.destinations": ["number"]}, ["tool find_order, destinations: number added"]),
    "a secret more": ({}, {"tools.0.secrets": ["crm"]}, [f"tool find_order, secrets: crm added{MORE}"]),
    "a scan less": (
        {"tools.0.scan": ["pii"]},
        {},
        [f"tool find_order, results searched for: pii removed{MORE}"],
    ),
    "a lower rate": (
        {"tools.0.rates": [{"calls": 10, "seconds": 60, "per": "user"}]},
        {"tools.0.rates": [{"calls": 5, "seconds": 60, "per": "user"}]},
        ["tool find_order, calls in 60 s a user: 10 → 5"],
    ),
    "no rate": (
        {"tools.0.rates": [{"calls": 10, "seconds": 60, "per": "user"}]},
        {},
        [f"tool find_order, calls in 60 s a user: 10 → any{MORE}"],
    ),
    "more at once": (
        {"tools.0.concurrency": 2},
        {"tools.0.concurrency": 0},
        [f"tool find_order, concurrency: 2 → any{MORE}"],
    ),
    "fewer people": (
        {"tools.0.asking": {"people": 2, "roles": ["boss"]}},
        {"tools.0.asking": {"people": 1, "roles": ["boss", "clerk"]}},
        [
            f"tool find_order, people who have to say yes: 2 → 1{MORE}",
            f"tool find_order, who may say yes: boss → boss, clerk{MORE}",
        ],
    ),
    "no binding": (
        {"tools.0.scope": {"number": {"claim": "org"}}},
        {},
        [f"tool find_order, number is bound to: claim org → not bound{MORE}"],
    ),
    "a higher cap": (
        {"tools.0.affects": {"argument": "number", "per_call": 5}},
        {"tools.0.affects": {"argument": "number", "per_call": 50, "per_run": 100}},
        [
            f"tool find_order, records a call: 5 → 50{MORE}",
            "tool find_order, records a run: any → 100",
        ],
    ),
    "a payment that calls itself a read": (
        {"tools.0.effect": "payment"},
        {},
        [f"tool find_order, effect: payment → read{MORE}"],
    ),
    "results that are believed": (
        {"tools.0.trust": "untrusted"},
        {},
        [f"tool find_order, trust: untrusted → trusted{MORE}"],
    ),
    "a host more": (
        {},
        {"servers.0.network": ["example.com"]},
        [f"tool server tools, hosts that it may reach: example.com added{MORE}"],
    ),
    "more tools for another agent": (
        {"servers": [{**OTHER, "narrowed": {"tools": ["a"], "max_steps": 5, "autonomy": "suggest"}}]},
        {"servers": [{**OTHER, "narrowed": {"tools": ["a", "b"], "max_steps": 3}}]},
        [
            f"tool server tools, tools left to the agent: a → a, b{MORE}",
            f"tool server tools, autonomy left to the agent: suggest → its own{MORE}",
            "tool server tools, max_steps: 5 → 3",
        ],
    ),
    "another person": (
        {},
        {"escalate_to": ""},
        ["conversations pass to: the owner, team@example.com → nobody: the agent can't ask for a person"],
    ),
    "a forbid less": (policies(FORBID), {}, [f"policy agent.yaml/night removed (not at night){MORE}"]),
    "a forbid more": ({}, policies(FORBID), ["policy agent.yaml/night added (not at night)"]),
    "a permit more": ({}, policies(PERMIT), [f"policy agent.yaml/boss added (permits){MORE}"]),
    "a permit less": (policies(PERMIT), {}, ["policy agent.yaml/boss removed (permits)"]),
    "asking later": (
        policies(ASK.format(100)),
        policies(ASK.format(500)),
        [f"policy agent.yaml/tools.pay.ask_above.amount: above 100 → above 500{MORE}"],
    ),
    "asking sooner": (
        policies(ASK.format(100)),
        policies(ASK.format(50)),
        ["policy agent.yaml/tools.pay.ask_above.amount: above 100 → above 50"],
    ),
    "one more allowed": (
        policies(likes("a*")),
        policies(likes("a*", "b*")),
        [f"policy agent.yaml/tools.pay.allow.to: one of a* → one of a*, b*{MORE}"],
    ),
    "one less allowed": (
        policies(likes("a*", "b*")),
        policies(likes("a*")),
        ["policy agent.yaml/tools.pay.allow.to: one of a*, b* → one of a*"],
    ),
    "a policy on another line": (policies(FORBID, ASK.format(1)), policies(ASK.format(1), "\n", FORBID), []),
    "what was a ban is a question": (
        policies(FORBID),
        policies(FORBID.replace("@reason", "@ask").replace(";", " unless { context.approved };")),
        [f"policy agent.yaml/night: not at night → not at night{MORE}"],
    ),
}


@pytest.mark.parametrize(("old", "new", "said"), TABLE.values(), ids=TABLE)
def test_what_permits_more_than_before_reads_as_such(old: dict[str, Any], new: dict[str, Any], said: list[str]):
    assert list(changes(manifest(old), manifest(new))) == said


def test_a_new_tool_is_introduced_with_its_control():
    tool = another_tool(
        name="pay", remote_name="pay", effect="payment", autonomy="free", secrets=["bank"], destinations=["number"]
    )
    assert list(changes(manifest(), manifest({"tools": [*SOUND["tools"], tool]}))) == [
        (
            "tool pay added (payment, repeat safe, trusted results; autonomy free; secrets bank; goes to what `number` "
            "says) — it can change things"
        )
    ]


def test_silence_is_left_out_of_a_manifest():
    shown = manifest().model_dump(mode="json")
    assert not {"policies", "escalate_to"} & set(shown)
    assert not {"destinations", "autonomy", "asking", "scope"} & set(shown["tools"][0])
    assert not {"network", "agent", "narrowed"} & set(shown["servers"][0])
    assert manifest({"tools.0.autonomy": "free"}).model_dump(mode="json")["tools"][0]["autonomy"] == "free"
