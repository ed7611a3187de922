"""Builders for what models and gates are asked."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from quarterdeck.core.ids import AgentName, ReleaseId, RunId, TenantId, new_run_id, uuid7
from quarterdeck.models.records import ModelRequest, ToolOffer
from quarterdeck.providers.records import Connection, Kind
from quarterdeck.providers.rules import HOMES
from quarterdeck.releases.records import BEHAVIOUR_VERSION, Limits, ModelPin, Release
from quarterdeck.runs.messages import Message, Text, ToolMessage, UserMessage

TENANT = TenantId(uuid7())
RUN = new_run_id()
LOOK = ToolOffer("look", "Looks something up.", {"type": "object", "properties": {"x": {"type": "integer"}}})
EXACT = {
    Kind.OPENAI: "gpt-4.1-mini-2025-04-14",
    Kind.OPENAI_COMPATIBLE: "meta-llama/Llama-3.1-8B-Instruct",
    Kind.OLLAMA: "llama3.1:8b",
    Kind.ANTHROPIC: "claude-haiku-4-5-20251001",
    Kind.GOOGLE: "gemini-2.5-flash",
    Kind.RECORDED: "gpt-4.1-mini-2025-04-14",
    Kind.SCRIPTED: "scripted-1",
}
PATHS = {Kind.OPENAI: "/v1", Kind.OPENAI_COMPATIBLE: "/v1", Kind.OLLAMA: "/v1", Kind.ANTHROPIC: "", Kind.GOOGLE: ""}


def user(text: str) -> UserMessage:
    return UserMessage((Text(text),))


def result(call: str, text: str, *, tool: str = "look", is_error: bool = False) -> ToolMessage:
    return ToolMessage(call, tool, (Text(text),), is_error)


def asked(
    *messages: Message,
    model: str = "scripted-1",
    provider: str = "mine",
    run: RunId = RUN,
    tools: tuple[ToolOffer, ...] = (LOOK,),
    step: int = 1,
    system: str = "You are brief.",
    tags: Mapping[str, str] | None = None,
    output_schema: Mapping[str, Any] | None = None,
    **pin: Any,
) -> ModelRequest:
    return ModelRequest(
        tenant=TENANT,
        run=run,
        agent="desk",
        release="r" * 64,
        step=step,
        call=f"m{step}",
        pin=ModelPin(provider, model, **pin),
        system=system,
        messages=list(messages) or [user("hi")],
        tools=tools,
        output_schema=output_schema,
        tags=tags or {},
    )


def connection(kind: Kind, url: str = "", name: str = "mine", **changes: Any) -> Connection:
    """A connection; `url` is the fake provider's."""
    base = url + PATHS[kind] if url else HOMES.get(kind, "")
    made = datetime(2026, 1, 1, tzinfo=UTC)
    return replace(Connection(name, kind, base, {}, None, None, None, made, made), **changes)


def release(limits: Limits | None = None, tools: Sequence[Any] = ()) -> Release:
    return Release(
        tenant=TENANT,
        id=ReleaseId("r" * 64),
        agent=AgentName("desk"),
        owner="team",
        description="",
        prompt="You are brief.",
        variables={},
        model=ModelPin("mine", "scripted-1"),
        servers=(),
        tools=tuple(tools),
        limits=limits or Limits(),
        output_schema=None,
        behaviour=BEHAVIOUR_VERSION,
        files={},
        label=None,
        registered_by="test",
        registered_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
