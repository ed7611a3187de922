"""The JSON Schema of `agent.yaml`, with which editors complete, explain and underline while it is written."""

import sys

import msgspec

from quarterdeck.core.json import JsonObject, encode
from quarterdeck.spec.agent import AgentSection

HINT = "# yaml-language-server: $schema={}"
"""The comment by which an editor finds the schema, given its path from the file."""


def agent_schema() -> JsonObject:
    """The schema. What it accepts can still be wrong in ways that no schema can say: `qd agent check` judges."""
    schema = AgentSection.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "agent.yaml",
        "description": "An agent of Quarterdeck, as its author describes it.",
    }


def main() -> None:
    """Write the schema, indented, for the documentation."""
    sys.stdout.write(msgspec.json.format(encode(agent_schema()), indent=2).decode() + "\n")


if __name__ == "__main__":
    main()
