"""What a careful reader says of an agent that is right in every point, and of what it says nothing."""

from pathlib import Path

import pytest

from quarterdeck.spec.findings import Place, Severity
from quarterdeck.spec.lint import LONG, lint
from quarterdeck.spec.lint_tools import ToolText
from tests.unit.spec.folders import HEAD, read, write

KEY = "sk-proj-" + "aB3dE6gH9j" * 3
PYTHON = HEAD + "tools: [{python: tools.py}]\n"
CODE = '''\
from quarterdeck.tools.author import tool

@tool
def find_order(number: int, region: str = "eu") -> str:
    """Finds an order."""
    return str(number)
'''
SCHEMA = {"type": "object", "properties": {"number": {"type": "integer"}, "region": {"type": "string"}}}
FIND = ToolText(
    "find_order", "find_order", "Finds an order.", SCHEMA, "read", Place("agent.yaml", 6, 9), "tools.py", True
)


def said(root: Path, agent: str = HEAD, *tools: ToolText, **files: str | bytes) -> list[str]:
    return [str(one) for one in lint(read(write(root, agent, **files)), tools)]


def remote(name: str, **changes: object) -> ToolText:
    bare = {"type": "object", "properties": {}}
    tool = ToolText(name, name, f"Does {name}.", bare, "read", Place("agent.yaml", 7, 3), None, True)
    return type(tool)(**{**{each: getattr(tool, each) for each in tool.__slots__}, **changes})


def test_a_credential_in_the_prompt_in_code_and_in_a_description_is_an_error(tmp_path: Path):
    agent = PYTHON.replace("Answers questions about orders.", f"Asks with {KEY}.")
    folder = read(write(tmp_path, agent, prompt_dot_md=f"Help.\nThe key is {KEY}.\n", tools_dot_py=f'K = "{KEY}"\n'))
    found = lint(folder, ())
    assert [(str(one.place), one.severity) for one in found] == [
        ("agent.yaml:3:14", Severity.ERROR),
        ("prompt.md:2:12", Severity.ERROR),
        ("tools.py:1:6", Severity.ERROR),
    ]
    assert KEY not in str(found)
    assert "qd secret set" in found[0].fix


def test_in_files_for_the_tools_it_is_a_doubt_and_what_calls_itself_an_example_is_nothing(tmp_path: Path):
    notes = f"The old key was {KEY}.\nAmazon shows AKIAIOSFODNN7EXAMPLE.\nSend Bearer authentication-of-yours.\n"
    folder = read(write(tmp_path, HEAD + "files: [notes.md]\n", notes_dot_md=notes, prompt_dot_md="Help.\n"))
    assert [(str(one.place), one.severity) for one in lint(folder, ())] == [("notes.md:1:17", Severity.WARNING)]


def test_a_name_that_holds_a_credential_is_a_doubt_and_placeholders_are_none(tmp_path: Path):
    code = """\
API_KEY = "9f86d081884c7d659a2f"
TOKEN = "next_page_token"
PASSWORD = "example-password-1234"
SECRET = "secret://crm-token-2024"
client = connect(password="Tr0ub4dor&3xyz")
"""
    found = said(tmp_path, PYTHON, tools_dot_py=code)
    assert [one.partition("; ")[0] for one in found] == [
        "tools.py:1:11: warning: `API_KEY` is given a value in the code, which everybody in the tenant can read",
        "tools.py:5:27: warning: `password` is given a value in the code, which everybody in the tenant can read",
    ]


STANDS = {
    "among the instructions": ("Greet {{ name }} kindly.\n", ["prompt.md:1:7"]),
    "on a line of its own": ("Help.\n{{ name }}\nBe kind.\n", ["prompt.md:2:1"]),
    "told once": ("{{ name }} and {{ name }}\n", ["prompt.md:1:1"]),
    "between tags": ("Help.\n<user_name>{{ name }}</user_name>\n", []),
    "between tags over lines": ("Help.\n<data source='x'>\n{{ name }}\n</data>\n", []),
    "behind tags that are closed": ("<a>x</a>{{ name }}\n", ["prompt.md:1:9"]),
    "within a fence": ("Help.\n```\n{{ name }}\n```\n", []),
    "within quotes": ('Help.\n"""\n{{ name }}\n"""\n', []),
    "quoted": ("Help. The name is:\n> {{ name }}\n", []),
}


@pytest.mark.parametrize(("prompt", "places"), STANDS.values(), ids=STANDS.keys())
def test_words_of_callers_among_the_instructions_are_told_unless_they_are_marked_off(
    tmp_path: Path, prompt: str, places: list[str]
):
    found = said(tmp_path, HEAD + "variables: {name: {}}\n", prompt_dot_md=prompt)
    assert [one.partition(": ")[0] for one in found] == places
    assert all("<name>{{ name }}</name>" in one for one in found)


@pytest.mark.parametrize("declared", ["{default: Ann}", "{type: integer}", "{trust: trusted}"])
def test_what_no_caller_can_write_into_is_not_told(tmp_path: Path, declared: str):
    assert said(tmp_path, HEAD + f"variables: {{name: {declared}}}\n", prompt_dot_md="Greet {{ name }}.\n") == []


def test_a_variable_before_long_fixed_text_breaks_the_cache_and_one_behind_it_does_not(tmp_path: Path):
    agent = HEAD + "variables: {day: {type: integer}}\n"
    text = "Be kind. " * (LONG // 9 + 1)
    before = said(tmp_path / "a", agent, prompt_dot_md=f"Today is {{{{ day }}}}.\n{text}\n")
    assert before[0].startswith("prompt.md:1:10: warning: `{{ day }}` may differ in every run, and 2,010 characters of")
    assert said(tmp_path / "b", agent, prompt_dot_md=f"{text}\nToday is {{{{ day }}}}.\n") == []
    assert said(tmp_path / "c", agent, prompt_dot_md="Today is {{ day }}.\nBe kind.\n") == []
    same = HEAD + "variables: {shop: {default: Acme}}\n"
    assert said(tmp_path / "d", same, prompt_dot_md=f"You work for {{{{ shop }}}}.\n{text}\n") == []


def test_a_model_that_nobody_knows_is_a_doubt_wherever_it_stands(tmp_path: Path):
    agent = HEAD.replace("provider: openai, id: gpt-4.1-mini-2025-04-14", "provider: ours, id: house-model")
    agent += "routes: {a: {model: {provider: ours, id: other}, when: {tasks: [x]}}}\n"
    agent += "guardrails: {output: [{check: judge, model: {provider: ours, id: third}, rubric: r.md, action: ask}]}\n"
    found = said(tmp_path, agent, r_dot_md="Be kind.")
    assert [one.partition(";")[0] for one in found] == [
        "agent.yaml:5:29: warning: nobody here knows whether `house-model` is one exact model",
        "agent.yaml:6:42: warning: nobody here knows whether `other` is one exact model",
        "agent.yaml:7:66: warning: nobody here knows whether `third` is one exact model",
    ]


def test_an_argument_that_the_code_never_looks_at_is_told_where_it_stands(tmp_path: Path):
    found = said(tmp_path, PYTHON, FIND, tools_dot_py=CODE)
    assert found == [
        (
            "tools.py:4:29: warning: `find_order` never uses its argument `region`: the model fills it for nothing; "
            "use it, or remove it"
        )
    ]
    used = CODE.replace("str(number)", "str((number, region))")
    assert said(tmp_path, PYTHON, FIND, tools_dot_py=used) == []
    assert said(tmp_path, PYTHON, FIND, tools_dot_py=CODE.replace("str(number)", "str(locals())")) == []


def test_descriptions_that_are_too_long_or_the_same_are_told(tmp_path: Path):
    long, twin = remote("a", description="x" * 1001), remote("b", description=" Does   C. ")
    assert said(tmp_path, HEAD, long, twin, remote("c", description="does c.")) == [
        (
            "agent.yaml:7:3: warning: the description of `a` has 1,001 characters, read at every question; "
            "say in fewer than 1,000 when to call it"
        ),
        (
            "agent.yaml:7:3: warning: `c` and `b` have the same description: the model can't tell them apart; "
            "say what sets them apart"
        ),
    ]


def test_results_without_an_end_are_a_hint(tmp_path: Path):
    lists = remote("list_orders", bounded=False, module="tools.py")
    paged = remote("search_orders", bounded=False, module="tools.py", parameters={"properties": {"limit": {}}})
    other = remote("get_page", bounded=False)
    changes = remote("list_clear", bounded=False, effect="deletion")
    found = lint(read(write(tmp_path, HEAD)), [lists, paged, other, changes, remote("list_all")])
    assert [(one.severity, one.problem[:14]) for one in found] == [
        (Severity.HINT, "`list_orders` "),
        (Severity.HINT, "how much `get_"),
    ]
