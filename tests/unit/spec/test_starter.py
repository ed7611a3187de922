from pathlib import Path

import pytest

from quarterdeck.core.json import decode, decode_object, encode
from quarterdeck.spec.agent import AgentSection
from quarterdeck.spec.editor import agent_schema
from quarterdeck.spec.reading import read_agent
from quarterdeck.spec.schemas import schema_fault
from quarterdeck.spec.starter import BadName, NoSuchTemplate, starter_files, templates

SCHEMA = Path(__file__).parents[3] / "docs" / "reference" / "agent.schema.json"


def test_a_new_agent_has_no_errors_and_no_warnings(tmp_path: Path):
    for path, content in starter_files("my-helper", "team: a 'b' \"c\"").items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    folder = read_agent(tmp_path)
    assert (folder.agent.name, folder.agent.owner) == ("my-helper", "team: a 'b' \"c\"")
    assert folder.warnings == ()
    assert sorted(folder.files) == [
        "docs/contacts.md",
        "docs/equipment.md",
        "docs/expenses.md",
        "docs/leave.md",
        "tools.py",
    ]
    assert "run submit my-helper " in (tmp_path / "README.md").read_text()


def test_a_new_agent_needs_a_name_that_agents_can_have():
    assert templates() == ("assistant",)
    for name in ("My Helper", "", "a\n", "../x", "x" * 64):
        with pytest.raises(BadName):
            starter_files(name, "me")
    with pytest.raises(NoSuchTemplate):
        starter_files("helper", "me", "../../etc")


def test_the_schema_for_editors_is_the_one_in_the_documentation():
    # Written by: python -m quarterdeck.spec.editor > docs/reference/agent.schema.json
    assert decode(SCHEMA.read_bytes()) == decode(encode(agent_schema()))
    assert schema_fault(agent_schema()) is None


@pytest.mark.parametrize("name", AgentSection.model_fields)
def test_every_field_is_explained_to_editors(name: str):
    properties = decode_object(encode(agent_schema()["properties"]))
    assert properties[name]["description"]  # pyright: ignore[reportIndexIssue, reportOptionalSubscript, reportCallIssue, reportArgumentType]
