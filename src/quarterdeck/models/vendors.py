"""One client for each connection, built with nothing but what the connection says.

The SDKs would also read keys, addresses, organisations and headers from the environment; what they found there is taken
out again, because a worker's environment is no part of a connection.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import httpx2
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI
from pydantic_ai.models import Model as TheirModel
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.ollama import OllamaModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.ollama import OllamaProvider
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

from quarterdeck.models.records import Fault, ModelFault
from quarterdeck.models.sparing import spare_google, spare_openai
from quarterdeck.models.transport import open_client
from quarterdeck.providers.options import WireOptions
from quarterdeck.providers.records import Connection, Kind
from quarterdeck.providers.rules import needs_key

NO_KEY = "no-key"
"""Sent where a server of one's own wants none: the SDKs insist on sending something."""

MakeModel: TypeAlias = Callable[[str], TheirModel]


@dataclass(frozen=True, slots=True)
class Vendor:
    """The way to one provider."""

    http: httpx2.AsyncClient
    model: MakeModel


def open_vendor(connection: Connection, options: WireOptions, key: str) -> Vendor:
    """Build the client of a connection. Nothing is sent yet. Raises ModelFault `unconfigured`."""
    if not key and needs_key(connection):
        raise unconfigured(f"The provider connection `{connection.name}` has no key.")
    http = open_client(connection.base_url)
    match connection.kind:
        case Kind.OPENAI:
            provider = OpenAIProvider(openai_client=_openai(connection, options, key, http))
            make = OpenAIChatModel if options.api == "chat" else OpenAIResponsesModel
            return Vendor(http, lambda model: make(model, provider=provider))
        case Kind.OPENAI_COMPATIBLE:
            client = _openai(connection, options, key, http)
            compatible = OpenAICompatibleProvider(connection.name, openai_client=client)
            make = OpenAIResponsesModel if options.api == "responses" else OpenAIChatModel
            return Vendor(http, lambda model: make(model, provider=compatible))
        case Kind.OLLAMA:
            ollama = OllamaProvider(openai_client=_openai(connection, options, key, http))
            return Vendor(http, lambda model: OllamaModel(model, provider=ollama))
        case Kind.ANTHROPIC:
            anthropic = AnthropicProvider(anthropic_client=_anthropic(connection, key, http))
            return Vendor(http, lambda model: AnthropicModel(model, provider=anthropic))
        case Kind.GOOGLE:
            return Vendor(http, _google(connection, key, http))
        case _:
            raise unconfigured(f"A connection of kind {connection.kind} speaks no wire.")


def unconfigured(detail: str) -> ModelFault:
    """The connection can't work as it is."""
    return ModelFault(detail, code=Fault.UNCONFIGURED, retryable=False)


def _openai(connection: Connection, options: WireOptions, key: str, http: httpx2.AsyncClient) -> AsyncOpenAI:
    client = AsyncOpenAI(api_key=key or NO_KEY, base_url=connection.base_url, http_client=http, max_retries=0)
    client.organization, client.project = options.organization, options.project
    client.webhook_secret = client.admin_api_key = None
    client._custom_headers = {}  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # read from OPENAI_CUSTOM_HEADERS
    spare_openai(client)
    return client


def _anthropic(connection: Connection, key: str, http: httpx2.AsyncClient) -> AsyncAnthropic:
    client = AsyncAnthropic(api_key=key or NO_KEY, base_url=connection.base_url, http_client=http, max_retries=0)
    client.auth_token = client.webhook_key = None
    client._custom_headers = {}  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # from ANTHROPIC_CUSTOM_HEADERS
    return client


def _google(connection: Connection, key: str, http: httpx2.AsyncClient) -> MakeModel:
    try:
        from pydantic_ai.models.google import GoogleModel
        from pydantic_ai.providers.google import GoogleProvider
    except ImportError:
        raise unconfigured("Google's SDK is not installed; install quarterdeck[google] on the workers.") from None
    provider = GoogleProvider(api_key=key or NO_KEY, base_url=connection.base_url, http_client=http)
    spare_google(provider.client)
    return lambda model: GoogleModel(model, provider=provider)
