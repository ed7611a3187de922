import asyncio
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.core.json import canonical
from quarterdeck.releases.build import Draft, build
from quarterdeck.releases.records import ToolSchema
from quarterdeck.releases.rules import judge
from quarterdeck.releases.service import read_manifest
from quarterdeck.spec.findings import AgentInvalid
from tests.unit.releases.builders import offering
from tests.unit.spec.folders import HEAD, TOOLS, read, write

GOLDEN = "657b703229e7dfdfdebad025c821bdf128014bcefb0ec22c895592d9664b6a21"
EMPTY = {"type": "object", "properties": {}}
PYTHON = HEAD + "tools:\n  - python: tools.py\n"
REMOTE = HEAD + "tools:\n  - {name: crm, mcp: {url: 'https://example.com/mcp'}}\n"


def tool(name: str, **marks: object) -> ToolSchema:
    return ToolSchema(name, f"Does {name}.", EMPTY, marks=marks)  # pyright: ignore[reportArgumentType]


def built(root: Path, agent: str, *offered: ToolSchema, **files: str | bytes) -> Draft:
    folder = read(write(root, agent, **{"tools_dot_py": TOOLS, **files}))
    return asyncio.run(build(folder, offering(tools=offered, crm=offered)))


def refused(root: Path, agent: str, *offered: ToolSchema) -> list[str]:
    with pytest.raises(AgentInvalid) as caught:
        built(root, agent, *offered)
    return [str(finding) for finding in caught.value.findings if not finding.warning]


def marks_of(draft: Draft, at: int = 0) -> tuple:
    tool = read_manifest(draft.manifest).tools[at]
    return tool.effect.value, tool.repeat.value, tool.trust.value, tool.timeout


def test_what_is_not_declared_is_taken_at_its_worst(tmp_path: Path):
    draft = built(tmp_path, PYTHON, tool("x"))
    assert marks_of(draft) == ("write", "never", "untrusted", 30)
    assert [str(warning) for warning in draft.warnings] == [
        (
            "agent.yaml:7:5: warning: the tool `x` declares no effect: it is taken for a write that is never repeated; "
            "declare its `effect` (and `repeat`)"
        )
    ]


def test_an_authors_own_code_is_believed_and_agent_yaml_overrides_it(tmp_path: Path):
    marks = {"effect": "payment", "repeat": "keyed", "trust": "trusted", "timeout": 5}
    assert marks_of(built(tmp_path / "a", PYTHON, tool("x", **marks))) == ("payment", "keyed", "trusted", 5)
    agent = PYTHON + "    tools: {x: {repeat: never, timeout: 7}}\n"
    assert marks_of(built(tmp_path / "b", agent, tool("x", **marks))) == ("payment", "never", "trusted", 7)


def test_another_servers_word_about_itself_is_not_believed(tmp_path: Path):
    agent = REMOTE.replace("}}", "}, tools: {x: {}}}")
    offered = ToolSchema("x", "X.", EMPTY, marks={"effect": "read", "trust": "trusted"}, hints={"readOnlyHint": True})
    draft = built(tmp_path, agent, offered)
    assert marks_of(draft) == ("write", "never", "untrusted", 30)
    assert draft.grants[0].hints == {"readOnlyHint": True}


def test_a_declared_read_may_be_repeated_unless_it_says_otherwise(tmp_path: Path):
    assert marks_of(built(tmp_path / "a", PYTHON, tool("x", effect="read")))[1] == "safe"
    assert marks_of(built(tmp_path / "b", PYTHON, tool("x", effect="read", repeat="never")))[1] == "never"


def test_a_hint_against_a_declaration_is_a_warning(tmp_path: Path):
    agent = REMOTE.replace("}}", "}, tools: {x: {effect: read}}}")
    draft = built(tmp_path, agent, ToolSchema("x", "X.", EMPTY, hints={"readOnlyHint": False}))
    assert "its server hints that it changes things" in str(draft.warnings[0])


def test_of_other_servers_only_what_is_listed_is_granted(tmp_path: Path):
    agent = REMOTE.replace("}}", "}, tools: {b: {name: crm_b, effect: read}}}")
    draft = built(tmp_path, agent, tool("a"), tool("b"))
    assert [(grant.name, grant.remote_name) for grant in draft.grants] == [("crm_b", "b")]


FAULTS = {
    "nothing granted": (
        REMOTE,
        [tool("a"), tool("b")],
        [
            (
                "agent.yaml:7:5: no tool of `crm` is granted; it offers `a` and `b`; "
                "list under `tools` those that the agent may use"
            )
        ],
    ),
    "a tool that is not offered": (
        PYTHON + "    tools: {fnd: {effect: read}}\n",
        [tool("find")],
        ["agent.yaml:8:13: `tools` has no tool `fnd`; did you mean `find`?"],
    ),
    "no tools at all": (
        PYTHON,
        [],
        ["agent.yaml:7:5: `tools` offers no tools; mark functions with `@tool`"],
    ),
    "a name for no model": (
        PYTHON,
        [tool("a.b")],
        [
            (
                "agent.yaml:7:5: models can't be offered a tool called `a.b`; "
                "give it a `name` of letters, digits, dashes and underscores, at most 64"
            )
        ],
    ),
    "two of one name": (
        PYTHON + "  - {name: crm, mcp: {url: 'https://example.com/mcp'}, tools: {a: {}}}\n",
        [tool("a")],
        [
            (
                "agent.yaml:8:64: two tools are called `a`: one of `tools`, one of `crm`; "
                "give one of them another `name` under `tools` in agent.yaml"
            )
        ],
    ),
    "an effect unheard of in code": (
        PYTHON,
        [tool("a", effect="pay")],
        [
            (
                "agent.yaml:7:5: `a` is marked `effect='pay'` in its code; write one of `read`, `write`, "
                "`external_message`, "
                "`payment`, `deletion`, `access_change` and `production_change`"
            )
        ],
    ),
    "a time-out without end": (
        PYTHON,
        [tool("a", timeout=-1)],
        ["agent.yaml:7:5: `a` is marked `timeout=-1` in its code; write seconds above 0, up to 3,600"],
    ),
    "a schema that fetches": (
        PYTHON,
        [ToolSchema("a", "A.", {"type": "object", "$ref": "http://127.0.0.1/"})],
        [
            (
                "agent.yaml:7:5: the schema of the arguments of `a` can't be used: it refers to 'http://127.0.0.1/'; "
                'only references inside it ("#/...") are accepted; correct it at its server, or leave the tool out'
            )
        ],
    ),
    "a description like a book": (
        PYTHON,
        [ToolSchema("a", "x" * 5000, EMPTY)],
        ["agent.yaml:7:5: the description of `a` has 5,000 characters; give it a `description` of at most 4,000"],
    ),
}


@pytest.mark.parametrize(("agent", "offered", "said"), FAULTS.values(), ids=FAULTS.keys())
def test_what_servers_offer_has_to_fit_what_the_author_says(tmp_path, agent: str, offered: list, said: list[str]):
    assert refused(tmp_path, agent, *offered) == said


def test_what_was_built_passes_the_servers_own_judgement(tmp_path: Path):
    lock = f"a==1 --hash=sha256:{'0' * 64}\n"
    agent = PYTHON + "requirements: requirements.lock\nfiles: [docs/**]\noutput: {type: object}\n"
    more = {"requirements_dot_lock": lock, "docs__a_dot_md": b"\r\n", "cassettes__a_dot_json": "{}"}
    draft = built(tmp_path, agent, tool("x"), **more)
    assert judge(read_manifest(draft.manifest), draft.files, "openai") == ()
    assert sorted(read_manifest(draft.manifest).files) == ["docs/a.md", "requirements.lock", "tools.py"]
    assert "cassettes/a.json" in draft.files


def test_recordings_and_line_ends_of_the_prompt_do_not_change_the_id_and_code_does(tmp_path: Path):
    one = built(tmp_path / "a", PYTHON, tool("x"), prompt_dot_md=b"Help.\nNow.\n")
    other = built(tmp_path / "b", PYTHON, tool("x"), prompt_dot_md=b"Help.\r\nNow.\r\n", cassettes__a_dot_json="{}")
    third = built(tmp_path / "c", PYTHON, tool("x"), prompt_dot_md=b"Help.\nNow.\n", tools_dot_py=TOOLS + "\n")
    assert one.id == other.id
    assert one.id != third.id


def test_a_known_folder_makes_a_known_release(tmp_path: Path):
    # If this fails, folders that nobody changed build other releases than yesterday: see `behaviour_version`.
    assert built(tmp_path, PYTHON, tool("x")).id == GOLDEN


NAMES = ("alpha", "beta", "gamma")
LINES = tuple(HEAD.strip().split("\n"))


def shuffled(lines: Sequence[str], servers: Sequence[str], variables: Sequence[str], offered: Sequence[str]) -> Draft:
    """One agent, written down in this order, whose servers name their tools in that order."""
    agent = [*lines, "tools:"]
    for name in servers:
        granted = ", ".join(f"{name}_{tool}: {{}}" for tool in variables)
        agent.append(f"  - {{mcp: {{url: 'https://{name}.example'}}, name: {name}, tools: {{{granted}}}}}")
    agent.append(f"variables: {{{', '.join(f'{name}: {{}}' for name in variables)}}}")
    tools = {server: [tool(f"{server}_{name}") for name in offered] for server in NAMES}
    with TemporaryDirectory() as folder:
        prompt = "".join(f"{{{{ {name} }}}}" for name in NAMES)
        return asyncio.run(build(read(write(Path(folder), "\n".join(agent), prompt_dot_md=prompt)), offering(**tools)))


@cache
def in_order() -> bytes:
    return canonical(shuffled(LINES, NAMES, NAMES, NAMES).manifest)


@given(*[st.permutations(things) for things in (LINES, NAMES, NAMES, NAMES)])
def test_the_order_in_which_things_are_written_does_not_change_the_release(lines, servers, variables, offered):
    assert canonical(shuffled(lines, servers, variables, offered).manifest) == in_order()
