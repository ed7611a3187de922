"""Routes, budgets, context and guardrails: from the folder into the manifest, judged anew, read back, told in words."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from quarterdeck.core.ids import TenantId
from quarterdeck.releases.build import Draft, build
from quarterdeck.releases.changes import changes
from quarterdeck.releases.manifest import Manifest, id_of
from quarterdeck.releases.records import BudgetLimit, ContextPolicy, ModelPin, Release, ToolSchema
from quarterdeck.releases.rules import judge, needs_code
from quarterdeck.releases.service import read_manifest
from quarterdeck.releases.view import pin_in, view
from quarterdeck.spec.findings import AgentInvalid
from tests.unit.releases.builders import FILES, SOUND, manifest, offering, raw
from tests.unit.spec.folders import HEAD, TOOLS, read, write

MORE = " — this permits more"
PIN = {**SOUND["model"], "id": "gpt-4.1-nano-2025-04-14"}
OTHER = {**SOUND["model"], "provider": "anthropic", "id": "claude-sonnet-4-5-20250929"}
ROUTE = {"name": "quick", "pin": PIN, "tasks": ["faq"]}
RUN = {"scope": "run", "window": "total", "max_micro_usd": 500_000}
INJECTION = {"name": "injection", "edge": "input", "check": "injection", "action": "refuse", "settings": {}}
PII = {"name": "pii", "edge": "output", "check": "pii", "action": "block", "settings": {"kinds": ["email", "card"]}}
JUDGE = {
    "name": "judge",
    "edge": "output",
    "check": "judge",
    "action": "block",
    "settings": {"model": OTHER, "rubric": "Be kind."},
}
WHOLE = """\
routes:
  quick:
    model: {provider: openai, id: gpt-4.1-nano-2025-04-14, max_output_tokens: 300}
    when: {tasks: [faq, delivery], purposes: [summary], input_under: 2000, first_steps: 1, without_tools: true}
  backup: {model: {provider: anthropic, id: claude-sonnet-4-5-20250929}}
fallbacks: [backup]
cheaper: quick
budgets:
  - {scope: user, max_budget: 2, budget_duration: 1d}
  - {scope: run, max_budget: 0.50, max_tokens: 200000}
context: {max_tokens: 30000, keep_turns: 4, summarise: false}
guardrails:
  input:
    - {check: length, max_tokens: 4000, action: refuse}
  output:
    - {check: pii, kinds: [email, card], action: redact, name: personal}
    - {check: http, url: 'https://checks.example.com', headers: {authorization: 'Bearer secret://CHECKS'}, action: ask}
tools:
  - python: tools.py
    tools: {find_order: {effect: read, cache: 5m}}
"""


def built(root: Path, lines: str) -> Draft:
    folder = read(write(root, HEAD + lines, tools_dot_py=TOOLS))
    tools = [ToolSchema("find_order", "Finds an order.", {"type": "object", "properties": {}})]
    return asyncio.run(build(folder, offering(tools=tools)))


def viewed(draft: Draft) -> Release:
    found = read_manifest(draft.manifest)
    return view(TenantId(UUID(int=1)), draft.id, found, label=None, by="a", at=datetime(2026, 1, 1, tzinfo=UTC))


def test_what_an_author_says_is_what_the_runtime_reads(tmp_path: Path):
    draft = built(tmp_path, WHOLE)
    release = viewed(draft)
    quick, backup = release.routes
    assert (quick.name, quick.pin.id, quick.pin.max_output_tokens) == ("quick", "gpt-4.1-nano-2025-04-14", 300)
    assert (quick.tasks, quick.purposes) == (("delivery", "faq"), ("summary",))
    assert (quick.input_under, quick.first_steps, quick.without_tools) == (2000, 1, True)
    assert (backup.tasks, backup.purposes, backup.input_under) == ((), (), None)
    assert (release.fallbacks, release.cheaper) == (("backup",), "quick")
    assert release.budgets == (BudgetLimit("run", "total", 500_000, 200_000), BudgetLimit("user", "day", 2_000_000))
    assert release.context == ContextPolicy(max_tokens=30_000, keep_turns=4, summarise=False)
    assert [(rule.name, rule.edge, rule.check, rule.action) for rule in release.guardrails] == [
        ("length", "input", "length", "refuse"),
        ("personal", "output", "pii", "redact"),
        ("http", "output", "http", "ask"),
    ]
    assert release.guardrails[0].settings == {"max_tokens": 4000}
    assert release.secrets == ("CHECKS",)
    assert release.tools[0].cache == 300
    assert judge(read_manifest(draft.manifest), draft.files, "openai", kinds={"anthropic": "anthropic"}) == ()


def test_who_says_nothing_of_all_this_has_the_id_of_before(tmp_path: Path):
    silent = built(tmp_path / "a", "").manifest
    assert not {"routes", "fallbacks", "cheaper", "budgets", "context", "guardrails"} & set(silent)
    assert built(tmp_path / "b", "context: {keep_turns: 6}\nguardrails: {input: []}\n").id == id_of(silent)


def test_the_order_of_routes_and_guardrails_counts_and_that_of_budgets_does_not(tmp_path: Path):
    budgets = ["{scope: run, max_budget: 1}", "{scope: user, max_budget: 1}"]
    one, other = (f"budgets: [{', '.join(order)}]\n" for order in (budgets, budgets[::-1]))
    assert built(tmp_path / "a", one).id == built(tmp_path / "b", other).id
    rails = ["{check: flooding, action: ask}", "{check: injection, action: ask}"]
    one, other = (f"guardrails: {{input: [{', '.join(order)}]}}\n" for order in (rails, rails[::-1]))
    assert built(tmp_path / "c", one).id != built(tmp_path / "d", other).id


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ("{cache: 5m}", "agent.yaml:8:26: `find_order.cache`: only what a declared read returns may be given again"),
        ("{effect: write, cache: 5m}", "agent.yaml:8:41: `find_order.cache`: only what a declared read returns may"),
        ("{effect: read, cache: 30d}", "agent.yaml:8:47: `find_order.cache`: nothing is given again after more than 7"),
    ],
)
def test_only_a_declared_read_has_a_cache_and_not_for_ever(tmp_path: Path, declared: str, said: str):
    with pytest.raises(AgentInvalid) as caught:
        built(tmp_path, f"tools:\n  - python: tools.py\n    tools: {{find_order: {declared}}}\n")
    assert next(str(one) for one in caught.value.findings if not one.warning).startswith(said)


def test_a_function_of_ones_own_is_code():
    rule = {"name": "own", "edge": "input", "check": "python", "action": "ask", "settings": {"function": "c.py:f"}}
    silent: dict[str, Any] = {"servers": [], "tools": []}
    assert not needs_code(manifest({**silent, "guardrails": [INJECTION]}))
    assert needs_code(manifest({**silent, "guardrails": [rule]}))


BAD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a floating model in a route": (
        {"routes": [{**ROUTE, "pin": {**PIN, "id": "gpt-4o"}}]},
        ["manifest.routes[0].pin.id"],
    ),
    "a setting that may not be sent": (
        {"routes": [{**ROUTE, "pin": {**PIN, "extra": {"extra_headers": {}}}}]},
        ["manifest.routes[0].pin.extra"],
    ),
    "two routes of a name": ({"routes": [ROUTE, ROUTE]}, ["manifest.routes[0].name", "manifest.routes[1].name"]),
    "a route called main": ({"routes": [{**ROUTE, "name": "main"}]}, ["manifest.routes[0].name"]),
    "an unknown fallback": ({"routes": [ROUTE], "fallbacks": ["other"]}, ["manifest.fallbacks[0]"]),
    "a fallback twice": ({"routes": [ROUTE], "fallbacks": ["quick", "quick"]}, ["manifest.fallbacks"]),
    "an unknown cheaper route": ({"cheaper": "quick"}, ["manifest.cheaper"]),
    "a budget of nothing": ({"budgets": [{"scope": "run"}]}, ["manifest.budgets[0]"]),
    "a run that renews": ({"budgets": [{**RUN, "window": "day"}]}, ["manifest.budgets[0].window"]),
    "one budget twice": ({"budgets": [RUN, RUN]}, ["manifest.budgets[0]", "manifest.budgets[1]"]),
    "an unknown check": ({"guardrails": [{**INJECTION, "check": "magic"}]}, ["manifest.guardrails[0].check"]),
    "an action of the other edge": (
        {"guardrails": [{**INJECTION, "action": "redact"}]},
        ["manifest.guardrails[0].action"],
    ),
    "an unknown setting": (
        {"guardrails": [{**INJECTION, "settings": {"x": 1}}]},
        ["manifest.guardrails[0].settings.x"],
    ),
    "a judge that floats": (
        {"guardrails": [{**JUDGE, "settings": {"model": {**OTHER, "id": "claude-3-5-sonnet-latest"}, "rubric": "x"}}]},
        ["manifest.guardrails[0].settings.model.id"],
    ),
    "a judge without a model": (
        {"guardrails": [{**JUDGE, "settings": {"rubric": "x"}}]},
        ["manifest.guardrails[0]"],
    ),
    "a judge without an id": (
        {"guardrails": [{**JUDGE, "settings": {"model": {"provider": "openai"}, "rubric": "x"}}]},
        ["manifest.guardrails[0].settings.model.id"],
    ),
    "a schema that is still a file": (
        {"guardrails": [{**PII, "check": "schema", "settings": {"schema": "a.json"}}]},
        ["manifest.guardrails[0].settings.schema"],
    ),
    "a function in no file": (
        {"guardrails": [{**PII, "check": "python", "settings": {"function": "a.py:f"}}]},
        ["manifest.guardrails[0].settings.function"],
    ),
    "a service within": (
        {"guardrails": [{**PII, "check": "http", "settings": {"url": "http://127.0.0.1/x"}}]},
        ["manifest.guardrails[0].settings.url"],
    ),
    "half open": ({"guardrails": [{**INJECTION, "settings": {"fail": "ajar"}}]}, ["manifest.guardrails[0].settings"]),
    "two of a name": ({"guardrails": [INJECTION, INJECTION]}, ["manifest.guardrails"]),
    "a cache of a write": ({"tools.0.cache": 60, "tools.0.effect": "write"}, ["manifest.tools[0].cache"]),
}


@pytest.mark.parametrize(("change", "places"), BAD.values(), ids=BAD.keys())
def test_the_server_believes_nothing_that_an_authors_machine_sent(change: dict[str, Any], places: list[str]):
    kinds = {"anthropic": "anthropic"}
    assert [fault.place for fault in judge(manifest(change), FILES, "openai", kinds=kinds)] == places


def test_a_sound_one_passes():
    everything = {"routes": [ROUTE], "cheaper": "quick", "budgets": [RUN], "guardrails": [INJECTION, PII, JUDGE]}
    assert judge(manifest(everything), FILES, "openai", kinds={"anthropic": "anthropic"}) == ()


def test_a_model_in_the_settings_is_read_like_any_other():
    rule = Manifest.model_validate(raw({"guardrails": [JUDGE]})).guardrails[0]
    model = rule.settings["model"]
    assert isinstance(model, dict)
    assert pin_in(model) == ModelPin("anthropic", "claude-sonnet-4-5-20250929", 0, None, 1024, 60, True)


def rail(rule: dict[str, Any], **settings: Any) -> dict[str, Any]:
    return {"guardrails": [{**rule, "settings": settings}]}


# name: (what stands in the old release, what in the new, what is said)
WORDS: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "a route to a new model": (
        {},
        {"routes": [ROUTE]},
        [f"route quick added: gpt-4.1-nano-2025-04-14 on openai, takes tasks faq{MORE}"],
    ),
    "a route to the model that is asked anyway": (
        {},
        {"routes": [{"name": "calm", "pin": SOUND["model"], "input_under": 2000, "first_steps": 1}]},
        [
            (
                "route calm added: gpt-4.1-mini-2025-04-14 on openai, takes fewer than 2,000 input tokens and "
                "the first 1 steps"
            )
        ],
    ),
    "no route": ({"routes": [ROUTE]}, {}, ["route quick removed (gpt-4.1-nano-2025-04-14 on openai)"]),
    "another model of a route": (
        {"routes": [ROUTE]},
        {"routes": [{**ROUTE, "pin": {**OTHER, "timeout": 30}}]},
        [
            "route quick: gpt-4.1-nano-2025-04-14 on openai → claude-sonnet-4-5-20250929 on anthropic" + MORE,
            "route quick, timeout: 60 → 30",
        ],
    ),
    "other steps of a route": (
        {"routes": [ROUTE]},
        {"routes": [{"name": "quick", "pin": PIN, "purposes": ["closing"], "without_tools": True}]},
        ["route quick takes: tasks faq → what is asked as closing and what needs no tools"],
    ),
    "another order": (
        {"routes": [ROUTE, {**ROUTE, "name": "b"}]},
        {"routes": [{**ROUTE, "name": "b"}, ROUTE]},
        ["routes are asked in this order: quick, b → b, quick"],
    ),
    "fallbacks": (
        {"routes": [ROUTE]},
        {"routes": [ROUTE], "fallbacks": ["quick"], "cheaper": "quick"},
        ["fallbacks: none → quick", "the route that saves: none → quick"],
    ),
    "a raised budget": (
        {"budgets": [RUN]},
        {"budgets": [{**RUN, "max_micro_usd": 2_000_000}]},
        [f"budget of each run: $0.5000 → $2.00{MORE}"],
    ),
    "a lowered budget": (
        {"budgets": [RUN]},
        {"budgets": [{**RUN, "max_micro_usd": 10_000, "max_tokens": 1000}]},
        ["budget of each run: $0.5000 → $0.0100", "budget of each run: any tokens → 1,000 tokens"],
    ),
    "a budget less": (
        {"budgets": [{"scope": "agent", "window": "day", "max_tokens": 5000}]},
        {},
        [f"budget of the agent a day: 5,000 tokens → any tokens{MORE}"],
    ),
    "a context": (
        {},
        {"context": {"max_tokens": 8000, "summarise": False}},
        [
            "context, max_tokens: not set → 8,000",
            "context, summarise: on → off",
        ],
    ),
    "a guardrail more": ({}, {"guardrails": [PII]}, ["guardrail pii of the output added (pii: block)"]),
    "a guardrail less": (
        {"guardrails": [PII, INJECTION]},
        {"guardrails": [PII]},
        [f"guardrail injection of the input removed (injection: refuse){MORE}"],
    ),
    "a weaker action": (
        {"guardrails": [INJECTION]},
        {"guardrails": [{**INJECTION, "action": "record"}]},
        [f"guardrail injection of the input: refuse → record{MORE}"],
    ),
    "a stronger action": (
        {"guardrails": [{**PII, "action": "redact"}]},
        {"guardrails": [PII]},
        ["guardrail pii of the output: redact → block"],
    ),
    "a higher threshold finds less": (
        rail(INJECTION, threshold=0.5),
        rail(INJECTION, threshold=0.9),
        [f"guardrail injection of the input, threshold: 0.5 → 0.9{MORE}"],
    ),
    "a lower threshold finds more": (
        rail(INJECTION, threshold=0.9),
        rail(INJECTION, threshold=0.5),
        ["guardrail injection of the input, threshold: 0.9 → 0.5"],
    ),
    "a judge content with less": (
        rail(JUDGE, model=OTHER, rubric="x", threshold=0.9),
        rail(JUDGE, model=OTHER, rubric="x", threshold=0.5),
        [f"guardrail judge of the output, threshold: 0.9 → 0.5{MORE}"],
    ),
    "another rubric": (
        rail(JUDGE, model=OTHER, rubric="Be strict."),
        rail(JUDGE, model=OTHER, rubric="Be kind."),
        [f'guardrail judge of the output, rubric: "Be strict." → "Be kind."{MORE}'],
    ),
    "a kind less": (
        rail(PII, kinds=["email", "card"]),
        rail(PII, kinds=["email"]),
        [f'guardrail pii of the output, kinds: ["email","card"] → ["email"]{MORE}'],
    ),
    "all kinds": (
        rail(PII, kinds=["email"]),
        rail(PII),
        ['guardrail pii of the output, kinds: ["email"] → not set'],
    ),
    "an exception more": (
        rail(PII, allow=["a@example.com"]),
        rail(PII, allow=["a@example.com", "*@example.com"]),
        [f'guardrail pii of the output, allow: ["a@example.com"] → ["a@example.com","*@example.com"]{MORE}'],
    ),
    "open where it breaks": (
        rail(INJECTION),
        rail(INJECTION, fail="open"),
        [f'guardrail injection of the input, fail: not set → "open"{MORE}'],
    ),
    "another message": (
        rail(INJECTION),
        rail(INJECTION, message="No."),
        ['guardrail injection of the input, message: not set → "No."'],
    ),
    "a cache": (
        {},
        {"tools.0.cache": 300},
        ["tool find_order, results are given again for: not at all → 300 s"],
    ),
}


@pytest.mark.parametrize(("old", "new", "said"), WORDS.values(), ids=WORDS.keys())
def test_what_changed_is_said_in_words_and_what_permits_more_reads_so(
    old: dict[str, Any], new: dict[str, Any], said: list[str]
):
    assert list(changes(manifest(old), manifest(new))) == said
