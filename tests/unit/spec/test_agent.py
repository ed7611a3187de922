from pathlib import Path

import pytest

from tests.unit.spec.folders import HEAD, TOOLS, complaints, read, write

ADDED = {
    # name: (lines after HEAD, what is said)
    "an unknown key": (
        "tool: []",
        ["agent.yaml:6:1: there is no `tool`; did you mean `tools`?"],
    ),
    "an unknown key like nothing": (
        "xyzzy: 1",
        [
            (
                "agent.yaml:6:1: there is no `xyzzy`; there are `name`, `owner`, `description`, `prompt`, `variables`, "
                "`model`, `routes`, `fallbacks`, `cheaper`, `tools`, `limits`, `budgets`, `context`, `guardrails`, "
                "`output`, `requirements`, `files`, `policies`, `agents` and `escalate`"
            )
        ],
    ),
    "a reserved key": (
        "schedule: daily",
        ["agent.yaml:6:1: `schedule` is reserved: schedules come in a later version; remove it for now"],
    ),
    "the other reserved key": (
        "eval: suite.yaml",
        ["agent.yaml:6:1: `eval` is reserved: evals come in a later version; remove it for now"],
    ),
    "a limit of money": (
        "limits: {max_cost_usd: 3}",
        [
            (
                "agent.yaml:6:10: there is no `limits.max_cost_usd`; money is limited under `budgets`: "
                "`- {scope: run, max_budget: 0.50}`"
            )
        ],
    ),
    "a word for a number": (
        "limits: {max_steps: ten}",
        ['agent.yaml:6:21: `limits.max_steps` has to be a whole number, not the text "ten"; write `max_steps: 30`'],
    ),
    "a number in quotes": (
        'limits: {max_tokens: "200_000"}',
        [
            (
                'agent.yaml:6:22: `limits.max_tokens` has to be a whole number, not the text "200_000"; '
                "write `200000`, without quotes or separators"
            )
        ],
    ),
    "half a step": (
        "limits: {max_steps: 1.5}",
        ["agent.yaml:6:21: `limits.max_steps` has to be a whole number, not `1.5`; write `max_steps: 30`"],
    ),
    "a limit out of bounds": (
        "limits: {max_steps: 0, max_seconds: 1000000}",
        [
            "agent.yaml:6:21: `limits.max_steps` is `0`; write at least 1",
            "agent.yaml:6:37: `limits.max_seconds` is `1000000`; write at most 86,400",
        ],
    ),
    "a section that is a list": (
        "limits: [1]",
        ["agent.yaml:6:9: `limits` has to be a mapping (`key: value`), not a list; write `limits: ...`"],
    ),
    "an empty section": (
        "files:",
        ["agent.yaml:6:1: `files` is empty; write `files: [docs/**, lib/*.py]`"],
    ),
    "a text for a list": (
        "files: docs",
        ['agent.yaml:6:8: `files` has to be a list, not the text "docs"; write `[docs]`'],
    ),
    "a wrong type of variable": (
        "variables: {day: {type: date}}",
        [
            "agent.yaml:6:25: `variables.day.type` is `date`; write one of `string`, `integer`, `number` and `boolean`",
        ],
    ),
    "a yes": (
        "variables: {day: {required: yes}}",
        ['agent.yaml:6:29: `variables.day.required` has to be true or false, not the text "yes"; write `true`'],
    ),
    "a variable's name": (
        "variables: {Day: {}}",
        [
            (
                "agent.yaml:6:13: `Day` can't be a name here; "
                "use lower-case letters, digits and underscores, beginning with a letter"
            )
        ],
    ),
    "a source without a kind": (
        "tools: [{name: x}]",
        [
            (
                "agent.yaml:6:9: `tools[0]` needs exactly one of `python`, `stdio` and `mcp`; it has none of them; "
                "make each source of tools an entry of its own"
            )
        ],
    ),
    "a source with two": (
        "tools: [{python: tools.py, mcp: {url: 'https://example.com'}}]",
        [
            (
                "agent.yaml:6:9: `tools[0]` needs exactly one of `python`, `stdio` and `mcp`; it has `python` and "
                "`mcp`; "
                "make each source of tools an entry of its own"
            )
        ],
    ),
    "a server without a name": (
        "tools: [{mcp: {url: 'https://example.com'}}]",
        ["agent.yaml:6:9: `tools[0]` needs a `name`; add one, such as `name: search`"],
    ),
    "two of one name": (
        "tools:\n  - {name: a, mcp: {url: 'https://example.com'}}\n  - {name: a, stdio: {command: [x]}}",
        [
            "agent.yaml:8:5: another source of tools is called `a` too (`tools[0]`); give this one another `name`",
        ],
    ),
    "an address for a mapping": (
        "tools: [{name: a, mcp: 'https://example.com'}]",
        [
            (
                "agent.yaml:6:24: `tools[0].mcp` has to be a mapping (`key: value`), "
                'not the text "https://example.com"; write `mcp: {url: https://mcp.example.com/mcp}`'
            )
        ],
    ),
    "no address": (
        "tools: [{name: a, mcp: {url: 'ftp://example.com'}}]",
        [
            (
                "agent.yaml:6:30: the address can't be used: it has to begin with https:// (or http://) and name a "
                "host; "
                "correct it"
            )
        ],
    ),
    "a password in an address": (
        "tools: [{name: a, mcp: {url: 'https://me:pass@example.com'}}]",
        [
            (
                "agent.yaml:6:30: the address can't be used: it holds a credential, but a release is kept for ever "
                "and can "
                "be read by everybody in its tenant; correct it"
            )
        ],
    ),
    "a credential in a header": (
        "tools: [{name: a, mcp: {url: 'https://example.com', headers: {Authorization: Bearer x}}}]",
        [
            (
                "agent.yaml:6:63: the header `Authorization` can't be sent: it holds a credential, but a release is "
                "kept for "
                "ever and can be read by everybody in its tenant; remove it, or name a secret of the vault: "
                "`secret://NAME`"
            )
        ],
    ),
    "a secret in a command's environment": (
        "tools: [{name: a, stdio: {command: [python, a.py], environment: {TOKEN_OF: 'secret://X'}}}]",
        [
            (
                "agent.yaml:6:66: `TOKEN_OF` can't be set: a secret can't be given here: others' commands could read "
                "each other's environment and arguments. Give it to a Python tool of your own (`secrets` of the tool) "
                "or to a remote server (in `headers`); remove it"
            )
        ],
    ),
    "a secret in an address": (
        "tools: [{name: a, mcp: {url: 'https://example.com/?key=secret://X'}}]",
        [
            (
                "agent.yaml:6:30: the address can't be used: a secret can't stand in an address, which is logged in "
                "many places; send it in one of the `headers`; correct it"
            )
        ],
    ),
    "a line break in a header": (
        'tools: [{name: a, mcp: {url: "https://example.com", headers: {x-a: "b\\r\\nx-c: d"}}}]',
        [
            (
                "agent.yaml:6:63: the header `x-a` can't be sent: its value has control characters or others than "
                "ASCII; "
                "remove it"
            )
        ],
    ),
    "a credential in an environment": (
        "tools: [{name: a, stdio: {command: [x], environment: {API_KEY: abc}}}]",
        [
            (
                "agent.yaml:6:55: `API_KEY` can't be set: it looks like a credential, but a release is kept for "
                "ever and can "
                "be read by everybody in its tenant; remove it"
            )
        ],
    ),
    "a command that is empty": (
        "tools: [{name: a, stdio: {command: ['']}}]",
        ["agent.yaml:6:36: the command can't be used: it is empty; correct it"],
    ),
    "an effect misspelt": (
        "tools: [{python: tools.py, tools: {find_order: {effect: raed}}}]",
        [
            (
                "agent.yaml:6:57: `tools[0].tools.find_order.effect` is `raed`; did you mean `read`? write one of "
                "`read`, "
                "`write`, `external_message`, `payment`, `deletion`, `access_change` and `production_change`"
            )
        ],
    ),
    "a repeat unheard of": (
        "tools: [{python: tools.py, tools: {find_order: {repeat: sometimes}}}]",
        [
            (
                "agent.yaml:6:57: `tools[0].tools.find_order.repeat` is `sometimes`; write one of `safe`, `keyed` and "
                "`never`"
            )
        ],
    ),
    "no Python": (
        "tools: [{python: prompt.md}]",
        ["agent.yaml:6:18: `prompt.md` is no Python file; name a file that ends in `.py`"],
    ),
    "a module that would hide one of Python's": (
        "tools: [{python: json.py}]",
        ["agent.yaml:6:18: `json.py` has the name of a module of Python itself; rename it"],
    ),
    "a module that is not there": (
        "tools: [{python: tool.py}]",
        ["agent.yaml:6:18: there is no file `tool.py`; did you mean `tools.py`?"],
    ),
    "a way out of the folder": (
        "tools: [{python: ../tools.py}]",
        [
            (
                "agent.yaml:6:18: `../tools.py` can't be used: it leaves the agent's folder or has empty parts; "
                "name a file inside this folder"
            )
        ],
    ),
    "an absolute path": (
        "tools: [{python: /etc/tools.py}]",
        [
            (
                "agent.yaml:6:18: `/etc/tools.py` can't be used: it has to be the path of a file relative to the "
                "agent's "
                "folder; name a file inside this folder"
            )
        ],
    ),
    "a hidden file": (
        "files: [.env]",
        [
            (
                "agent.yaml:6:9: `.env` can't be used: hidden files and folders are never part of a release; "
                "name files inside this folder"
            )
        ],
    ),
    "a pattern without files": (
        "files: ['docs/*.txt']",
        ["agent.yaml:6:9: `docs/*.txt` means no file here; correct the pattern, or remove it"],
    ),
    "a folder for a file": (
        "files: [docs]",
        ["agent.yaml:6:9: `docs` is a folder; name a file; in `files` you can write `docs/**`"],
    ),
    "an output that is no schema": (
        "output: {type: object, properties: {a: {type: strng}}}",
        [
            (
                'agent.yaml:6:9: the output schema can\'t be used: it is no valid JSON Schema: "strng" is not valid '
                "under any "
                "of the schemas listed in the 'anyOf' keyword at /properties/a/type; correct the schema"
            )
        ],
    ),
    "an output that is no object": (
        "output: {type: string}",
        [
            (
                'agent.yaml:6:9: the output schema can\'t be used: it has to describe an object: say "type": '
                '"object" at '
                "its top; correct the schema"
            )
        ],
    ),
    "an output that fetches": (
        "output: {type: object, $ref: 'http://169.254.169.254/schema'}",
        [
            (
                "agent.yaml:6:9: the output schema can't be used: it refers to 'http://169.254.169.254/schema'; only "
                'references inside it ("#/...") are accepted; correct the schema'
            )
        ],
    ),
    "an output of the wrong type": (
        "output: 3",
        ['agent.yaml:6:9: `output` has to be text or a mapping (`key: value`), not `3`; write "3", in quotes'],
    ),
    "requirements without tools": (
        "requirements: requirements.lock",
        [
            (
                "agent.yaml:6:15: `requirements` are for Python tools, and there are none; "
                "remove it, or add `- python: tools.py` under `tools`"
            )
        ],
    ),
}


@pytest.mark.parametrize(("lines", "said"), ADDED.values(), ids=ADDED.keys())
def test_what_is_wrong_is_said_with_line_and_fix(tmp_path: Path, lines: str, said: list[str]):
    files = {
        "tools_dot_py": TOOLS,
        "json_dot_py": TOOLS,
        "docs__a_dot_md": "x",
        "requirements_dot_lock": f"a==1 --hash=sha256:{'0' * 64}\n",
    }
    assert complaints(write(tmp_path, f"{HEAD}{lines}\n", **files)) == said


def test_everything_that_is_missing_is_named_at_once(tmp_path: Path):
    assert complaints(write(tmp_path, "limits: {}\n")) == [
        "agent.yaml:1:1: `name` is missing; add `name: support-desk`",
        "agent.yaml:1:1: `owner` is missing; add `owner: support-team@example.com`",
        "agent.yaml:1:1: `description` is missing; add `description: Answers questions about orders.`",
        "agent.yaml:1:1: `prompt` is missing; add `prompt: prompt.md`",
        "agent.yaml:1:1: `model` is missing; add `model: {provider: openai, id: gpt-4.1-mini-2025-04-14}`",
    ]


def test_a_name_gets_a_suggestion(tmp_path: Path):
    assert complaints(write(tmp_path, HEAD.replace("support-desk", "Support Desk"))) == [
        (
            "agent.yaml:1:7: `name` is `Support Desk`; use lower-case letters, digits and dashes, at most 63, "
            "beginning with "
            "a letter or digit, such as `support-desk`"
        )
    ]


def test_a_list_is_no_agent(tmp_path: Path):
    assert complaints(write(tmp_path, "- name\n")) == [
        "agent.yaml:1:1: the file has to be a mapping (`key: value`), not a list; begin with `name: ...`"
    ]


def test_a_floating_alias_is_refused_with_the_exact_ids(tmp_path: Path):
    [said] = complaints(write(tmp_path, HEAD.replace("gpt-4.1-mini-2025-04-14", "gpt-4.1")))
    assert said.startswith("agent.yaml:5:31: `gpt-4.1` is a floating alias; pin one of gpt-4.1-2025-04-14")


PINS = {
    "gpt-4": "openai",
    "claude-sonnet": "anthropic",
    "claude-3-opus": "anthropic",
    "gpt-4o-latest": "elsewhere",
}


@pytest.mark.parametrize(("pin", "provider"), PINS.items())
def test_floating_aliases_are_refused_whatever_the_connection(tmp_path: Path, pin: str, provider: str):
    agent = HEAD.replace("provider: openai, id: gpt-4.1-mini-2025-04-14", f"provider: {provider}, id: {pin}")
    [said] = complaints(write(tmp_path, agent))
    assert f"`{pin}` is a floating alias" in said


EXACT = {
    "gpt-4-turbo-2024-04-09": "openai",
    "claude-3-7-sonnet-20250219": "anthropic",
    "claude-3-opus-20240229": "anthropic",
    "some-house-model": "own-server",
}


@pytest.mark.parametrize(("pin", "provider"), EXACT.items())
def test_exact_ids_are_accepted(tmp_path: Path, pin: str, provider: str):
    agent = HEAD.replace("provider: openai, id: gpt-4.1-mini-2025-04-14", f"provider: {provider}, id: {pin}")
    assert complaints(write(tmp_path, agent)) == []


def test_variables_of_the_prompt_are_checked_in_the_prompt(tmp_path: Path):
    agent = HEAD + "variables:\n  company: {}\n"
    prompt = "You work for {{ company }}.\nToday is {{ dey }} {{ 1 + 1 }} \\{{ literal }}.\nOpen {{ brace\n"
    assert complaints(write(tmp_path, agent, prompt_dot_md=prompt)) == [
        (
            "prompt.md:2:10: the variable `dey` is not declared; there are `company` "
            "(variables are declared under `variables` in agent.yaml)"
        ),
        "prompt.md:2:20: `{{ 1 + 1 }}` is no variable; write `{{ name }}`, or `\\{{` for two braces",
        "prompt.md:3:6: `{{` is no variable; write `{{ name }}`, or `\\{{` for two braces",
    ]


def test_a_variable_that_is_declared_and_not_used_is_a_warning(tmp_path: Path):
    folder = read(write(tmp_path, HEAD + "variables: {day: {}}\n"))
    assert [str(warning) for warning in folder.warnings] == [
        "agent.yaml:6:13: warning: the variable `day` is not used in prompt.md; use it as `{{ day }}`, or remove it"
    ]


DEFAULTS = {
    "a default of another type": (
        "{type: integer, default: x}",
        "`variables.day`: its default has to be a whole number; correct the declaration",
    ),
    "true for a number": (
        "{type: number, default: true}",
        "`variables.day`: its default has to be a number; correct the declaration",
    ),
    "required and a default": (
        "{required: true, default: x}",
        "`variables.day`: it has a default and is required: one of the two is meant; correct the declaration",
    ),
}


@pytest.mark.parametrize(("declaration", "said"), DEFAULTS.values(), ids=DEFAULTS.keys())
def test_defaults_fit_their_variable(tmp_path: Path, declaration: str, said: str):
    agent = f"{HEAD}variables:\n  day: {declaration}\n"
    [complaint] = complaints(write(tmp_path, agent, prompt_dot_md="{{ day }}"))
    assert complaint.endswith(said)
    assert complaint.startswith("agent.yaml:7:")
