"""Spares a conversation the type walks of the vendors' SDKs, which cost more the longer it is.

OpenAI's compares each message with every type that a message may have, Google's builds and takes apart an object for
each part: 0.2 to 0.5 ms of CPU for each message, at every step, to change nothing. Both also take fields as they are.
"""

import base64
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast

from openai import AsyncOpenAI

from quarterdeck.core.json import Json

if TYPE_CHECKING:
    from google.genai.client import Client

_Create: TypeAlias = Callable[..., Awaitable[object]]
_GEMINI_PARTS: Mapping[str, str] = {
    "text": "text",
    "thought": "thought",
    "thought_signature": "thoughtSignature",
    "function_call": "functionCall",
    "function_response": "functionResponse",
}


class _GoogleModels(Protocol):
    """What we touch of Google's client; its own types are hundreds of lines of unions."""

    generate_content: _Create
    generate_content_stream: _Create


_PLACEHOLDER = [{"role": "user", "parts": [{"text": ""}]}]


def spare_openai(client: AsyncOpenAI) -> None:
    """Send messages, input items and tools as they were made."""
    chat, responses = client.chat.completions, client.responses
    chat.create = _as_they_are(chat.create, "messages")  # pyright: ignore[reportAttributeAccessIssue]  # overloaded
    responses.create = _as_they_are(responses.create, "input")  # pyright: ignore[reportAttributeAccessIssue]  # overloaded


def spare_google(client: "Client") -> None:
    """Send contents in the form of the wire. What is not known here goes the SDK's way."""
    models = cast("_GoogleModels", client.aio.models)
    models.generate_content = _on_the_wire(models.generate_content)
    models.generate_content_stream = _on_the_wire(models.generate_content_stream)


def gemini_contents(contents: Sequence[Mapping[str, object]]) -> list[Json] | None:
    """Contents as the Gemini API spells them, or None when something in them is not known here."""
    spelled: list[Json] = []
    for content in contents:
        parts: list[Json] = []
        for part in cast("Sequence[Mapping[str, object]]", content.get("parts") or ()):
            if not part.keys() <= _GEMINI_PARTS.keys():
                return None
            parts.append({_GEMINI_PARTS[name]: _plain(value) for name, value in part.items() if value is not None})
        spelled.append({"role": cast("str | None", content.get("role")), "parts": parts})
    return spelled


def _as_they_are(create: _Create, field: str) -> _Create:
    async def send(**parameters: object) -> object:
        body = dict(cast("Mapping[str, object]", parameters.get("extra_body") or {}))
        for name in (field, "tools"):
            if isinstance(parameters.get(name), list):
                body[name] = parameters.pop(name)
        if field == "messages":
            parameters.setdefault(field, ())
        return await create(**{**parameters, "extra_body": body})

    return send


def _on_the_wire(generate: _Create) -> _Create:
    async def send(**parameters: object) -> object:
        spelled = gemini_contents(cast("Sequence[Mapping[str, object]]", parameters.get("contents") or ()))
        config = parameters.get("config")
        if spelled is None or not isinstance(config, dict):
            return await generate(**parameters)
        settings = cast("dict[str, object]", config)
        options = cast("dict[str, object]", settings.get("http_options") or {})
        sent = {**settings, "http_options": {**options, "extra_body": {"contents": spelled}}}
        return await generate(**{**parameters, "contents": _PLACEHOLDER, "config": sent})

    return send


def _plain(value: object) -> Json:
    return base64.urlsafe_b64encode(value).decode() if isinstance(value, bytes) else cast("Json", value)
