"""Releases and requests as policies see them, for tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from quarterdeck.core.ids import AgentName, ReleaseId, TenantId
from quarterdeck.core.json import Json, JsonObject
from quarterdeck.policies.records import PolicyRequest, PolicyText

TENANT = TenantId(UUID(int=7))
CLERK = AgentName("clerk")
NOW = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
SCHEMA: JsonObject = {
    "type": "object",
    "properties": {
        "to": {"type": "string"},
        "amount": {"type": "number"},
        "count": {"type": "integer"},
        "note": {"type": "string"},
        "urgent": {"type": "boolean"},
        "copies": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
        "items": {
            "type": "array",
            "items": {"type": "object", "properties": {"account": {"type": "string"}, "sum": {"type": "integer"}}},
        },
        "order": {"type": "object", "properties": {"total": {"type": "integer"}, "by": {"type": "string"}}},
    },
    "required": ["to"],
}


@dataclass(frozen=True)
class Tool:
    name: str = "pay"
    effect: str = "write"
    server: str = "bank"
    repeat: str = "never"
    trust: str = "untrusted"
    parameters: JsonObject = field(default_factory=lambda: SCHEMA)
    destinations: Sequence[str] = ("to",)
    payload: Sequence[str] = ("note",)
    affects: Mapping[str, Json] | None = None


@dataclass(frozen=True)
class Granted:
    tools: Sequence[Tool] = (Tool(),)
    policies: Sequence[PolicyText] = ()
    agent: AgentName = CLERK


def granted(*texts: str, **changes: Any) -> Granted:
    """A release with one tool and these policy files: `1.cedar`, `2.cedar`..."""
    tool = replace(Tool(), **changes)
    return Granted((tool,), tuple(PolicyText(f"{at}.cedar", text) for at, text in enumerate(texts, 1)))


def request(arguments: JsonObject | None = None, **changes: Any) -> PolicyRequest:
    """A call that the base policy lets through, with changes."""
    sound = PolicyRequest(
        tenant=TENANT,
        agent=CLERK,
        release=ReleaseId("0" * 64),
        user="ada",
        tool="pay",
        server="bank",
        effect="write",
        arguments=arguments if arguments is not None else {"to": "bob", "amount": 5},
        now=NOW,
        destinations=("to",),
        clean=True,
        tainted=False,
    )
    return replace(sound, **changes)
