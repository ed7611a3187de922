import time

import pytest

from quarterdeck.releases.changes import changes
from quarterdeck.releases.manifest import digest_of
from tests.unit.releases.builders import SCHEMA, SOUND, another_tool, manifest, prompted

TABLE = {
    "nothing": ({}, []),
    "the owner": ({"owner": "other@example.com"}, ["owner: team@example.com → other@example.com"]),
    "the model": (
        {"model.id": "gpt-4.1-2025-04-14", "model.temperature": 0.5},
        [
            "model: gpt-4.1-mini-2025-04-14 on openai → gpt-4.1-2025-04-14 on openai — this permits more",
            "model setting temperature: 0 → 0.5",
        ],
    ),
    "a setting of the provider": ({"model.extra": {"seed": 7}}, ["model setting seed: not set → 7"]),
    "a word of the prompt": (
        prompted("You work for {{ company }}.\nBe kind and thorough.\n"),
        ['prompt, line 2: "brief." → "thorough."'],
    ),
    "a line of the prompt": (
        prompted("You work for {{ company }}.\nBe kind and brief.\nNever promise refunds.\n"),
        ['prompt, line 3: added "Never promise refunds."'],
    ),
    "a line gone": (prompted("You work for {{ company }}.\n"), ['prompt, line 2: removed "Be kind and brief."']),
    "spaces": (
        prompted("You work for {{ company }}.\n\nBe kind and brief.\n"),
        ["prompt: only spaces and line breaks changed"],
    ),
    "a variable": (
        {"variables.day": {"type": "integer", "required": True, "default": None, "description": ""}},
        ["variable day added (integer, required)"],
    ),
    "a default": ({"variables.company.default": "Ajax"}, ["variable company, default: Acme → Ajax"]),
    "a tool more": (
        {
            "tools": [
                *SOUND["tools"],
                another_tool(name="refund", remote_name="refund", effect="payment", repeat="keyed", trust="untrusted"),
            ]
        },
        ["tool refund added (payment, repeat keyed, untrusted results) — it can change things"],
    ),
    "a tool less": ({"tools": []}, ["tool find_order removed (read)"]),
    "an effect": ({"tools.0.effect": "write"}, ["tool find_order, effect: read → write"]),
    "a description": (
        {"tools.0.description": "Finds an order by number."},
        ['tool find_order, description: "order." → "order by number."'],
    ),
    "an argument": (
        {
            "tools.0.parameters": {
                **SCHEMA,
                "properties": {"number": {"type": "string"}, "reason": {"type": "string"}},
                "required": ["reason"],
            }
        },
        [
            "tool find_order, argument number became optional",
            "tool find_order, argument number changed: integer → string",
            "tool find_order, argument reason added (required)",
        ],
    ),
    "the rest of a schema": (
        {"tools.0.parameters": {**SCHEMA, "additionalProperties": False}},
        ["tool find_order, arguments: the schema changed outside its properties"],
    ),
    "a number written otherwise": ({"model.timeout": 60.0}, []),
    "a server's address": (
        {"servers.0.module": "docs/a.md"},
        ["tool server tools: tools.py → docs/a.md"],
    ),
    "locked packages": (
        {"servers.0.lock_digest": "0" * 64},
        ["tool server tools: locked dependencies changed"],
    ),
    "a limit": ({"limits.max_steps": 40}, ["limit max_steps: 30 → 40"]),
    "an output": (
        {"output_schema": {"type": "object"}},
        ["answers are structured now: an output schema was added"],
    ),
    "files": (
        {"files": {"tools.py": digest_of(b"other"), "new.md": digest_of(b"")}},
        ["files added: new.md", "files removed: docs/a.md", "files changed: tools.py"],
    ),
}


@pytest.mark.parametrize(("change", "said"), TABLE.values(), ids=TABLE.keys())
def test_what_changed_is_said_in_words(change: dict, said: list[str]):
    assert list(changes(manifest(), manifest(change))) == said


def test_a_prompt_made_to_be_slow_to_compare_is_compared_coarsely():
    one, other = prompted("c " + "a " * 40_000 + "e"), prompted("d " + "a " * 40_001 + "f")
    began = time.process_time()
    said = changes(manifest(one), manifest(other))
    assert time.process_time() - began < 2
    assert len(said) == 1
