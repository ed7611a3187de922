"""Manifests for tests: the smallest agent that a server accepts, with whatever a test wants of it."""

from quarterdeck.core.json import Json
from quarterdeck.releases.manifest import digest_of
from quarterdeck.releases.records import BEHAVIOUR_VERSION


def manifest(agent: str = "desk", prompt: str = "You help.", **changes: Json) -> dict[str, Json]:
    """A manifest; `changes` replace whole members."""
    return {
        "schema_version": 1,
        "behaviour_version": BEHAVIOUR_VERSION,
        "agent": agent,
        "owner": "team-desk",
        "description": "Answers questions about orders.",
        "prompt": {"text": prompt, "digest": digest_of(prompt.encode())},
        "variables": {},
        "model": {"provider": "openai", "id": "gpt-4.1-mini-2025-04-14"},
        "servers": [],
        "tools": [],
        "limits": {},
        "output_schema": None,
        "files": {},
        **changes,
    }
