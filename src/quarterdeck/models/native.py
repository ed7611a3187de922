"""Models that speak a wire, through `pydantic_ai` without its agent loop: one try at a time, retries are the gate's."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from pydantic_ai.direct import model_request, model_request_stream
from pydantic_ai.messages import (
    InstructionPart,
    ModelMessage,
    ModelResponse,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
)
from pydantic_ai.models import Model as TheirModel
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.settings import ModelSettings

from quarterdeck.core.text import storable
from quarterdeck.models import transport
from quarterdeck.models.caching import finished, settings_for
from quarterdeck.models.faults import explain
from quarterdeck.models.headers import read_told
from quarterdeck.models.prices import Prices, prices_of
from quarterdeck.models.records import Delta, Fault, ModelAnswer, ModelFault, ModelRequest, ToolOffer
from quarterdeck.models.redaction import Redactor
from quarterdeck.models.spotlight import SENTENCE
from quarterdeck.models.transport import Patience
from quarterdeck.models.vendors import Vendor, open_vendor
from quarterdeck.models.wire import Conversations, output_definition, spoken_parts, tool_definitions
from quarterdeck.providers.options import WireOptions
from quarterdeck.providers.records import Connection, Kind
from quarterdeck.releases.records import ModelPin
from quarterdeck.runs.messages import Call, Spoken, Text, Usage
from quarterdeck.spec.pins import SETTINGS

_KEPT_PARAMETERS = 512
_AS_JSON = "Give your final answer as one JSON value that fits this JSON schema, and nothing else:\n\n{schema}"
_ENDED = frozenset({"finish_reason", "refusal", "block_reason"})
"""What a provider says at the end of a stream; one that ends without any of it was cut off."""


def open_native(connection: Connection, options: WireOptions, key: str) -> "Native":
    """A client for one connection; nothing is sent yet. Raises ModelFault `unconfigured`."""
    vendor, redactor = open_vendor(connection, options, key), Redactor([key] if key else [])
    return Native(connection, options, vendor, redactor, prices_of(connection))


@dataclass(frozen=True, slots=True)
class _Asking:
    """A model with everything about a question that stays the same within a run."""

    model: TheirModel
    settings: ModelSettings
    parameters: ModelRequestParameters
    tools: Sequence[ToolOffer]


class Native:
    """One provider connection, kept open."""

    def __init__(
        self, connection: Connection, options: WireOptions, vendor: Vendor, redactor: Redactor, prices: Prices
    ) -> None:
        self._name = connection.name
        self._kind = connection.kind
        self._options = options
        self._vendor = vendor
        self._redactor = redactor
        self._prices = prices
        self._models: dict[str, TheirModel] = {}
        self._asking: OrderedDict[tuple[str, str, str, int], _Asking] = OrderedDict()
        self._conversations: Conversations | None = None

    async def answer(self, request: ModelRequest, delta: Delta | None) -> ModelAnswer:
        """One try, within the pin's time-out. Streams when `delta` is given. Raises ModelFault."""
        heard = transport.Heard()
        _ = transport.heard.set(heard)
        try:
            answer = await self._answer(request, delta)
        except ModelFault as fault:
            fault.pace = read_told(heard.headers)
            if fault.retry_after is None and fault.pace is not None:
                fault.retry_after = fault.pace.retry_after
            raise
        told = read_told(heard.headers)
        return answer if told is None else replace(answer, pace=told)

    async def _answer(self, request: ModelRequest, delta: Delta | None) -> ModelAnswer:
        started = time.monotonic()
        patience = asyncio.timeout(request.pin.timeout)
        try:
            asking = self._prepare(request)
            messages = self._converted(asking.model, request)
            async with patience:
                if delta is None:
                    self._wait_at_most(request.pin.timeout)
                    response = await model_request(
                        asking.model,
                        messages,
                        model_settings=asking.settings,
                        model_request_parameters=asking.parameters,
                    )
                    return self._answered(response, request, started, None)
                self._wait_at_most(self._options.idle_timeout)
                return await self._streamed(asking, messages, request, delta, started)
        except TimeoutError as fault:
            if not patience.expired():
                raise explain(fault, self._name, self._redactor) from None
            detail = f"`{self._name}` gave no whole answer within {request.pin.timeout:g} s."
            raise ModelFault(detail, code=Fault.TIMEOUT, retryable=True) from None
        except ModelFault:
            raise
        except Exception as fault:
            # Not `from fault`: its chain holds requests with their headers, and whoever logs it would log the key.
            raise explain(fault, self._name, self._redactor) from None

    async def close(self) -> None:
        """Close all connections."""
        await self._vendor.http.aclose()

    async def _streamed(
        self,
        asking: _Asking,
        messages: Sequence[ModelMessage],
        request: ModelRequest,
        delta: Delta,
        started: float,
    ) -> ModelAnswer:
        first_token_ms: int | None = None
        opened = model_request_stream(
            asking.model, messages, model_settings=asking.settings, model_request_parameters=asking.parameters
        )
        async with opened as stream:
            async for event in stream:
                kind, piece = _piece(event)
                if piece:
                    first_token_ms = first_token_ms or _ms_since(started)
                    delta(kind, storable(piece))
            response = stream.get()
        if response.parts and (response.state == "incomplete" or not _ended(response)):
            detail = f"`{self._name}` broke off its answer: the stream ended before the model did."
            raise ModelFault(detail, code=Fault.CUT_OFF, retryable=True)
        return self._answered(response, request, started, first_token_ms)

    def _answered(
        self, response: ModelResponse, request: ModelRequest, started: float, first_token_ms: int | None
    ) -> ModelAnswer:
        content = spoken_parts(response)
        if not content and not _ended(response):
            detail = f"`{self._name}` answered with nothing: no content, and no word that this was all."
            raise ModelFault(detail, code=Fault.MALFORMED, retryable=True)
        refusal = (response.provider_details or {}).get("refusal")
        if isinstance(refusal, str) and refusal and not any(isinstance(part, Text) for part in content):
            content = (*content, Text(storable(refusal)))
        usage = Usage(
            input=response.usage.input_tokens,
            output=response.usage.output_tokens,
            cache_read=response.usage.cache_read_tokens,
            cache_write=response.usage.cache_write_tokens,
            reasoning=_reasoning(response.usage.details),
        )
        served = storable(response.model_name or "")
        long_writes = response.usage.details.get("ephemeral_1h_input_tokens", 0)
        tier = _tier(response, request.pin)
        return ModelAnswer(
            content=content,
            finish=_finish(response, content),
            served_model=served,
            usage=usage,
            cost=self._prices.charge(request.pin.id, served, usage, tier=tier, long_writes=long_writes),
            response_id=response.provider_response_id,
            ms=_ms_since(started),
            first_token_ms=first_token_ms,
        )

    def _converted(self, model: TheirModel, request: ModelRequest) -> list[ModelMessage]:
        if self._conversations is None:
            self._conversations = Conversations(model.system, model.canonical_system)
        # A question beside the conversation must not drive it out of what is kept of it.
        kept = Conversations(model.system, model.canonical_system) if request.purpose else self._conversations
        converted = kept.convert(request.run, request.messages, request.mark)
        return finished(self._kind, converted, request)

    def _prepare(self, request: ModelRequest) -> _Asking:
        """The model, its settings and its tools: made once for each release, assembled prompt and route."""
        key = (request.release, request.system, request.pin.id, request.pin.max_output_tokens)
        known = self._asking.get(key)
        if known is not None and known.tools is request.tools:
            return known
        model = self._models.get(request.pin.id)
        if model is None:
            model = self._models[request.pin.id] = self._vendor.model(request.pin.id)
        known = _Asking(model, self._settings(request), self._parameters(model, request), request.tools)
        self._asking[key] = known
        if len(self._asking) > _KEPT_PARAMETERS:
            _ = self._asking.popitem(last=False)
        return known

    def _parameters(self, model: TheirModel, request: ModelRequest) -> ModelRequestParameters:
        system = request.system
        if request.mark and request.tools:
            system = f"{system}\n\n{SENTENCE}" if system else SENTENCE
        parameters = ModelRequestParameters(
            function_tools=tool_definitions(request.tools),
            instruction_parts=[InstructionPart(system)] if system else [],
        )
        if request.output_schema is not None:
            native = bool(model.profile.get("supports_json_schema_output", False))
            if self._kind == Kind.GOOGLE and request.tools:
                native = native and bool(model.profile.get("google_supports_tool_combination", False))
            parameters.output_mode = "native" if native else "prompted"
            parameters.output_object = output_definition(request.output_schema)
            parameters.prompted_output_template = None if native else _AS_JSON
        return parameters

    def _settings(self, request: ModelRequest) -> ModelSettings:
        pin = request.pin
        # `never`: the assembled prompt is ours to the letter; the library must not add paragraphs of its own.
        settings: dict[str, object] = {
            "max_tokens": pin.max_output_tokens,
            "framing_announcement": "never",
            "timeout": pin.timeout,
        }
        if pin.temperature is not None:
            settings["temperature"] = pin.temperature
        if pin.top_p is not None:
            settings["top_p"] = pin.top_p
        if request.tools and not pin.parallel_tool_calls:
            settings["parallel_tool_calls"] = False
        if self._kind == Kind.OPENAI:
            settings["openai_store"] = False
        settings.update(settings_for(self._kind, request))
        settings.update(_extra(pin))
        return cast("ModelSettings", cast("object", settings))

    def _wait_at_most(self, idle: float) -> None:
        _ = transport.patience.set(Patience(self._options.connect_timeout, idle))


def _extra(pin: ModelPin) -> dict[str, object]:
    return {name: value for name, value in (pin.extra or {}).items() if name in SETTINGS}


def _tier(response: ModelResponse, pin: ModelPin) -> str:
    """The tier of service that an answer was given in, as the provider says, else as it was asked for."""
    told = (response.provider_details or {}).get("service_tier")
    found = told or (pin.extra or {}).get("service_tier")
    return found if isinstance(found, str) else ""


def _piece(event: object) -> tuple[str, str]:
    match event:
        case PartStartEvent(part=TextPart(content=text)):
            return "text", text
        case PartStartEvent(part=ThinkingPart(content=text)):
            return "thinking", text
        case PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
            return "text", text
        case PartDeltaEvent(delta=ThinkingPartDelta(content_delta=text)):
            return "thinking", text or ""
        case _:
            return "", ""


def _ended(response: ModelResponse) -> bool:
    return not _ENDED.isdisjoint(response.provider_details or ())


def _finish(response: ModelResponse, content: Sequence[Spoken]) -> str:
    details = response.provider_details or {}
    if "refusal" in details or details.get("finish_reason") == "refusal":
        return "refusal"
    if response.finish_reason == "content_filter":
        return "filtered"
    calls = [part for part in content if isinstance(part, Call)]
    if response.finish_reason == "length" and (not calls or calls[-1].raw is not None):
        return "length"
    return "calls" if calls else "stop"


def _reasoning(details: dict[str, int]) -> int:
    return next(
        (details[name] for name in ("reasoning_tokens", "thinking_tokens", "thoughts_tokens") if name in details), 0
    )


def _ms_since(started: float) -> int:
    return int((time.monotonic() - started) * 1000)
