"""What an author says of routes, budgets, context and guardrails: each mistake has its own place and its own fix."""

from pathlib import Path

import pytest

from quarterdeck.spec.checks import CHECKS, EDGES, ON_INPUT, ON_OUTPUT
from quarterdeck.spec.guardrails import checks_on, flaws
from tests.unit.spec.folders import HEAD, complaints, read, write

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "agent.md"
QUICK = "routes: {quick: {model: {provider: openai, id: gpt-4.1-nano-2025-04-14}, when: {tasks: [faq]}}}"
BACKUP = "routes: {backup: {model: {provider: anthropic, id: claude-sonnet-4-5-20250929}}}"
MODEL = "{provider: openai, id: gpt-4.1-2025-04-14}"

WRONG = {
    # name: (lines after HEAD, what is said)
    "a floating alias in a route": (
        "routes: {a: {model: {provider: openai, id: gpt-4o}, when: {tasks: [faq]}}}",
        ["agent.yaml:6:44: `gpt-4o` is a floating alias; pin one of gpt-4o-"],
    ),
    "a route called main": (
        "routes: {main: {model: {provider: openai, id: gpt-4.1-2025-04-14}, when: {tasks: [faq]}}}",
        ["agent.yaml:6:10: `main` is the route of the `model` at the top; give this one another name"],
    ),
    "a route's name": (
        "routes: {Quick: {model: {provider: openai, id: gpt-4.1-2025-04-14}}}",
        ["agent.yaml:6:10: `Quick` can't be a name here; use lower-case letters"],
    ),
    "an unknown condition": (
        "routes: {a: {model: {provider: openai, id: gpt-4.1-2025-04-14}, when: {task: [faq]}}}",
        ["agent.yaml:6:72: there is no `routes.a.when.task`; did you mean `tasks`?"],
    ),
    "an unknown purpose": (
        "routes: {a: {model: {provider: openai, id: gpt-4.1-2025-04-14}, when: {purposes: [summry]}}}",
        ["agent.yaml:6:83: `routes.a.when.purposes[0]` is `summry`; did you mean `summary`? write one of `step`,"],
    ),
    "a route without a condition": (
        "routes: {a: {model: {provider: openai, id: gpt-4.1-2025-04-14}, when: {}}}",
        ["agent.yaml:6:65: `routes.a.when` has no condition; say which steps it takes"],
    ),
    "an unknown fallback": (
        f"{BACKUP}\nfallbacks: [bakup]",
        ["agent.yaml:7:13: there is no route `bakup`; did you mean `backup`?"],
    ),
    "a fallback where there are no routes": (
        "fallbacks: [backup]",
        ["agent.yaml:6:13: there is no route `backup`; add it: `routes: {backup: {model: ...}}`"],
    ),
    "a fallback twice": (
        f"{BACKUP}\nfallbacks: [backup, backup]",
        ["agent.yaml:7:21: `backup` is there twice; name it once"],
    ),
    "falling back on main": (
        f"{BACKUP}\nfallbacks: [main]",
        ["agent.yaml:7:13: `main` is the `model` at the top, which is asked anyway; name another route"],
    ),
    "an unknown cheaper route": (
        f"{QUICK}\ncheaper: quik",
        ["agent.yaml:7:10: there is no route `quik`; did you mean `quick`?"],
    ),
    "fallbacks within the model": (
        "routes: {a: {model: {provider: openai, id: gpt-4.1-2025-04-14, fallbacks: [b]}}}",
        ["agent.yaml:6:64: there is no `routes.a.model.fallbacks`; it stands beside `model`, at the top of the file"],
    ),
    "an unknown model setting": (
        "routes: {a: {model: {provider: openai, id: gpt-4.1-2025-04-14, extra: {sead: 1}}, when: {tasks: [faq]}}}",
        ["agent.yaml:6:72: `sead` is no model setting that may be sent along; did you mean `seed`?"],
    ),
    "a budget of the tenant": (
        "budgets: [{scope: tenant, max_budget: 1}]",
        ["agent.yaml:6:19: `budgets[0].scope` is `tenant`; write one of `request`, `run`, `thread`, `user`"],
    ),
    "a budget of nothing": (
        "budgets: [{scope: run}]",
        ["agent.yaml:6:11: `budgets[0]` limits nothing; add `max_budget: 0.50` (US dollars) or `max_tokens`"],
    ),
    "an unknown duration": (
        "budgets: [{scope: user, max_budget: 1, budget_duration: 30d}]",
        [
            "agent.yaml:6:57: `budgets[0].budget_duration` is `30d`; write one of `1h`, `1d`, `month` and `total`",
        ],
    ),
    "a run that renews": (
        "budgets: [{scope: run, max_budget: 1, budget_duration: 1d}]",
        [
            (
                "agent.yaml:6:39: what a run may spend does not renew; "
                "remove `budget_duration`, or limit each `user` or the `agent`"
            )
        ],
    ),
    "a budget in parts of a micro-dollar": (
        "budgets: [{scope: run, max_budget: 0.0000005}]",
        ["agent.yaml:6:36: 5e-07 has more than six decimals; write at most six"],
    ),
    "a budget of zero": (
        "budgets: [{scope: run, max_budget: 0}]",
        ["agent.yaml:6:36: `budgets[0].max_budget` is `0`; write more than 0"],
    ),
    "two budgets of one": (
        "budgets:\n  - {scope: run, max_budget: 1}\n  - {scope: run, max_tokens: 1000}",
        ["agent.yaml:8:5: `budgets[0]` is about the same scope and time; put `max_budget` and `max_tokens` into one"],
    ),
    "a rate among budgets": (
        "budgets: [{scope: user, rpm_limit: 10, max_budget: 1}]",
        [
            (
                "agent.yaml:6:25: there is no `budgets[0].rpm_limit`; how often something may be asked is live: "
                "an operator sets it with `qd budget set`"
            )
        ],
    ),
    "fewer turns than are kept": (
        "context: {max_turns: 3}",
        ["agent.yaml:6:22: 6 turns are kept, and no more than 3 may be there; keep fewer (`keep_turns`)"],
    ),
    "an unknown check": (
        "guardrails: {input: [{check: injecton, action: refuse}]}",
        ["agent.yaml:6:30: there is no check `injecton`; did you mean `injection`?"],
    ),
    "a check of the other edge": (
        "guardrails: {input: [{check: pii, action: refuse}]}",
        ["agent.yaml:6:30: `pii` is no check of the input; move it to `guardrails.output`"],
    ),
    "an action of the other edge": (
        "guardrails: {input: [{check: injection, action: redact}]}",
        ["agent.yaml:6:49: `redact` is no action of the input; write one of `refuse`, `label`, `ask` and `record`"],
    ),
    "an action that does not go with its check": (
        f"guardrails: {{output: [{{check: judge, model: {MODEL}, rubric: rubric.md, action: redact}}]}}",
        ["agent.yaml:6:116: `redact` is no action of `judge`; write one of `block`, `retry`, `ask` and `record`"],
    ),
    "no action at all": (
        "guardrails: {input: [{check: injection}]}",
        ["agent.yaml:6:22: `guardrails.input[0].action` is missing; add `action: refuse`"],
    ),
    "an action that there is not": (
        "guardrails: {input: [{check: injection, action: refus}]}",
        ["agent.yaml:6:49: there is no action `refus`; did you mean `refuse`?"],
    ),
    "an unknown setting": (
        "guardrails: {input: [{check: injection, treshold: 0.5, action: refuse}]}",
        ["agent.yaml:6:41: `injection` has no setting `treshold`; did you mean `threshold`?"],
    ),
    "a setting out of bounds": (
        "guardrails: {input: [{check: injection, threshold: 80, action: refuse}]}",
        ["agent.yaml:6:41: `threshold` has to be a number above 0, up to 1; write `threshold: 0.8`"],
    ),
    "an unknown kind of personal data": (
        "guardrails: {output: [{check: pii, kinds: [e-mail], action: block}]}",
        ["agent.yaml:6:36: `kinds` knows no `e-mail`, only `email`, `phone`,"],
    ),
    "a judge with a floating model": (
        "guardrails: {output: [{check: judge, model: {provider: openai, id: gpt-4o}, rubric: rubric.md, action: ask}]}",
        ["agent.yaml:6:68: `gpt-4o` is a floating alias; pin one of gpt-4o-"],
    ),
    "a judge without an id": (
        "guardrails: {output: [{check: judge, model: {provider: openai}, rubric: rubric.md, action: block}]}",
        [
            "agent.yaml:6:38: `id` is missing; add `id: gpt-4.1-mini-2025-04-14`",
        ],
    ),
    "a judge without a model": (
        "guardrails: {output: [{check: judge, rubric: rubric.md, action: block}]}",
        ["agent.yaml:6:23: `judge` needs `model`; add `model: {provider: openai, id: ...}`"],
    ),
    "a judge without its rubric": (
        f"guardrails: {{output: [{{check: judge, model: {MODEL}, rubric: rubrik.md, action: block}}]}}",
        ["agent.yaml:6:97: there is no file `rubrik.md`; did you mean `rubric.md`?"],
    ),
    "a length of nothing": (
        "guardrails: {input: [{check: length, action: refuse}]}",
        ["agent.yaml:6:22: `length` needs one of `max_tokens`, `max_characters` and `max_bytes`; add `max_tokens"],
    ),
    "a broken pattern": (
        "guardrails: {output: [{check: patterns, patterns: ['('], action: block}]}",
        ["agent.yaml:6:41: `patterns` holds `(`, which is no regular expression"],
    ),
    "a function that is none": (
        "guardrails: {input: [{check: python, function: checks, action: refuse}]}",
        ["agent.yaml:6:38: `function` has to be a Python file and a function in it; write `function: checks.py:judge`"],
    ),
    "a function in no file": (
        "guardrails: {input: [{check: python, function: 'check.py:judge', action: refuse}]}",
        ["agent.yaml:6:48: there is no file `check.py`; did you mean `checks.py`?"],
    ),
    "a function that is not there": (
        "guardrails: {input: [{check: python, function: 'checks.py:juge', action: refuse}]}",
        ["agent.yaml:6:48: `checks.py` has no function `juge`; did you mean `judge`?"],
    ),
    "a credential for a service": (
        "guardrails: {input: [{check: http, url: 'https://example.com', headers: {authorization: abc}, action: ask}]}",
        ["agent.yaml:6:64: `headers` can't hold `authorization`: it holds a credential"],
    ),
    "half open": (
        "guardrails: {input: [{check: injection, action: refuse, fail: maybe}]}",
        ["agent.yaml:6:63: `guardrails.input[0].fail` is `maybe`; write one of `closed` and `open`"],
    ),
    "one name twice": (
        (
            "guardrails:\n  input:\n    - {check: flooding, name: a, action: ask}\n"
            "    - {check: injection, name: a, action: ask}"
        ),
        ["agent.yaml:9:32: another guardrail of the input is called `a` too; give this one another `name`"],
    ),
    "a time that is none": (
        "tools: [{python: tools.py, tools: {find_order: {cache: 5}}}]",
        ['agent.yaml:6:56: `tools[0].tools.find_order.cache` has to be text, not `5`; write "5", in quotes'],
    ),
}


@pytest.mark.parametrize(("lines", "said"), WRONG.values(), ids=WRONG.keys())
def test_each_mistake_is_said_with_its_place_and_its_fix(tmp_path: Path, lines: str, said: list[str]):
    found = complaints(_folder(tmp_path, lines))
    assert len(found) == len(said)
    for one, begins in zip(found, said, strict=True):
        assert one.startswith(begins)


def _folder(root: Path, lines: str) -> Path:
    code = "def judge(text):\n    return None\n"
    return write(root, HEAD + lines + "\n", rubric_dot_md="Be kind.\n", checks_dot_py=code, tools_dot_py="x = 1\n")


def test_a_route_that_nothing_leads_to_and_one_that_comes_too_late_are_doubts(tmp_path: Path):
    late = "late: {model: {provider: openai, id: gpt-4.1-2025-04-14}, when: {tasks: [faq]}}"
    idle = "idle: {model: {provider: openai, id: gpt-4.1-2025-04-14}}"
    folder = read(_folder(tmp_path, QUICK.removesuffix("}") + f", {late}, {idle}}}"))
    assert [str(one) for one in folder.warnings] == [
        (
            "agent.yaml:6:97: warning: the route `late` takes the same steps as `quick`, which comes first; "
            "let their conditions differ, or remove one"
        ),
        (
            "agent.yaml:6:178: warning: nothing leads to the route `idle`; give it a `when`, or name it under "
            "`fallbacks` or `cheaper`"
        ),
    ]


def test_guardrails_take_the_content_of_their_files_along_and_a_name_of_their_own(tmp_path: Path):
    lines = f"""\
guardrails:
  input:
    - {{check: python, function: "checks.py:judge", action: refuse}}
    - {{check: length, max_tokens: 4000, action: refuse, message: "Keep it short."}}
    - {{check: length, max_tokens: 2000, action: record}}
  output:
    - {{check: judge, model: {MODEL}, rubric: rubric.md, fail: open, action: block}}
"""
    folder = read(_folder(tmp_path, lines))
    assert [(rule["name"], rule["edge"], rule["action"]) for rule in folder.guardrails] == [
        ("python", "input", "refuse"),
        ("length", "input", "refuse"),
        ("length-2", "input", "record"),
        ("judge", "output", "block"),
    ]
    assert folder.guardrails[1]["settings"] == {"max_tokens": 4000, "message": "Keep it short."}
    judged = folder.guardrails[3]["settings"]
    assert isinstance(judged, dict)
    assert judged["rubric"] == "Be kind.\n"
    assert judged["fail"] == "open"
    assert "checks.py" in folder.files
    assert isinstance(judged["model"], dict)
    assert judged["model"]["max_output_tokens"] == 4096


def test_every_check_has_an_edge_and_only_actions_of_that_edge():
    for name, kind in CHECKS.items():
        assert kind.actions, name
        for edge, actions in kind.actions.items():
            assert edge in EDGES
            assert set(actions) <= set(ON_INPUT if edge == "input" else ON_OUTPUT)
    assert {*checks_on("input"), *checks_on("output")} == set(CHECKS)


@pytest.mark.parametrize("name", CHECKS)
def test_the_reference_names_every_check_with_its_settings_and_actions(name: str):
    kind = CHECKS[name]
    row = next(line for line in REFERENCE.read_text().splitlines() if line.startswith(f"| `{name}` |"))
    assert [f"`{setting}`" in row for setting in kind.settings] == [True] * len(kind.settings)
    of_edges = [column.split() for column in row.split("|")[4:6]]
    assert of_edges == [list(kind.actions.get(edge, ())) for edge in EDGES]


@pytest.mark.parametrize("name", CHECKS)
def test_the_example_of_every_setting_is_right(name: str, tmp_path: Path):
    kind = CHECKS[name]
    edge = next(iter(kind.actions))
    members = ", ".join(setting.example for setting in kind.settings.values()).replace(
        "id: ...", "id: gpt-4.1-2025-04-14"
    )
    members = members.replace("input.schema.json", "{type: object}").replace("regions: [US, DE]", "regions: [US]")
    action = kind.actions[edge][0]
    lines = f"guardrails: {{{edge}: [{{check: {name}, {members}{', ' if members else ''}action: {action}}}]}}"
    assert complaints(_folder(tmp_path, lines)) == []


def test_what_no_author_wrote_is_judged_too():
    assert [flaw.member for flaw in flaws("input", "injection", "refuse", {"threshold": "high", "classes": [1]})] == [
        "threshold",
        "classes",
    ]
    assert flaws("output", "topics", "block", {"topics": {"a": []}})[0].member == "topics"
    assert flaws("output", "schema", "block", {"schema": {"type": 3}})[0].member == "schema"
