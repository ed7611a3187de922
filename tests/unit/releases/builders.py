"""Manifests for tests: a sound one, and changes to it."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from quarterdeck.releases.manifest import Manifest, digest_of
from quarterdeck.releases.records import Extract, ToolSchema, ToolServer

CODE = b"print('tools')\n"
FILES = {"tools.py": CODE, "docs/a.md": b"words"}
PROMPT = "You work for {{ company }}.\nBe kind and brief.\n"
SCHEMA = {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}

SOUND: dict[str, Any] = {
    "schema_version": 1,
    "behaviour_version": 1,
    "agent": "support-desk",
    "owner": "team@example.com",
    "description": "Answers questions about orders.",
    "prompt": {"text": PROMPT, "digest": digest_of(PROMPT.encode())},
    "variables": {"company": {"type": "string", "required": False, "default": "Acme", "description": ""}},
    "model": {
        "provider": "openai",
        "id": "gpt-4.1-mini-2025-04-14",
        "temperature": 0,
        "top_p": None,
        "max_output_tokens": 1024,
        "timeout": 60,
        "parallel_tool_calls": True,
        "extra": None,
    },
    "servers": [
        {
            "name": "tools",
            "kind": "python",
            "module": "tools.py",
            "command": [],
            "environment": None,
            "url": "",
            "headers": None,
            "lock_digest": "",
        }
    ],
    "tools": [
        {
            "name": "find_order",
            "server": "tools",
            "remote_name": "find_order",
            "description": "Finds an order.",
            "parameters": SCHEMA,
            "output_schema": None,
            "effect": "read",
            "repeat": "safe",
            "trust": "trusted",
            "timeout": 30,
            "max_output": 100000,
            "retries": 2,
            "max_concurrency": 0,
        }
    ],
    "limits": {
        "max_steps": 30,
        "max_tool_calls": 60,
        "max_seconds": 900,
        "max_tokens": 500000,
        "max_parallel_calls": 8,
        "max_repeats": 3,
    },
    "output_schema": None,
    "files": {path: digest_of(content) for path, content in FILES.items()},
}


def raw(changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The sound manifest with values put at dotted paths: `{"tools.0.effect": "payment"}`."""
    manifest = deepcopy(SOUND)
    for path, value in (changes or {}).items():
        at: Any = manifest
        *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        for part in way:
            at = at[part]
        at[last] = value
    return manifest


def manifest(changes: Mapping[str, Any] | None = None) -> Manifest:
    return Manifest.model_validate(raw(changes))


def prompted(text: str) -> dict[str, Any]:
    return {"prompt": {"text": text, "digest": digest_of(text.encode())}}


def another_tool(**changes: Any) -> dict[str, Any]:
    return {**SOUND["tools"][0], **changes}


def offering(**tools: Sequence[ToolSchema]) -> Extract:
    """Servers that offer these tools, by server."""

    async def extract(servers: Sequence[ToolServer], files: Mapping[str, bytes]) -> Mapping[str, Sequence[ToolSchema]]:
        return {server.name: tools.get(server.name, ()) for server in servers}

    return extract
