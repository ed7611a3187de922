"""What a model is asked and what it answers, the same for every provider."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeAlias

from quarterdeck.core.errors import Error
from quarterdeck.core.ids import RunId, TenantId
from quarterdeck.core.json import JsonObject
from quarterdeck.pacing.records import Told
from quarterdeck.releases.records import ModelPin
from quarterdeck.runs.messages import Message, Spoken, Usage


@dataclass(frozen=True, slots=True)
class ToolOffer:
    """A tool as the model is shown it. `builtin`: the runtime offers it, whatever the release grants."""

    name: str
    description: str
    parameters: JsonObject
    builtin: bool = False


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One question to a model, whole. `messages` hold no stored parts: they have been read back into words."""

    tenant: TenantId
    run: RunId
    agent: str
    release: str
    step: int
    call: str
    pin: ModelPin
    system: str
    messages: Sequence[Message]
    tools: tuple[ToolOffer, ...]
    output_schema: JsonObject | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    secrets: tuple[str, ...] = ()
    """Names of those that the run's tools can be given: none of them may stand in what is asked or answered."""
    mark: str = ""
    """The run's code, between which untrusted results are shown; empty = they are shown as they are."""
    purpose: str = ""
    """Empty for a step of the conversation, else what is asked beside it: `closing`, `summary`, `judge`."""
    notice: str = ""
    """What the model is told after the last message, for this one question: no part of the conversation."""


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """One answer. `finish` is `stop`, `length`, `calls`, `refusal` or `filtered`; `cost` None = no price known.

    `differences` is what a lenient replay found to differ from its recording.
    """

    content: tuple[Spoken, ...]
    finish: str
    served_model: str
    usage: Usage
    cost: int | None
    response_id: str | None
    ms: int
    first_token_ms: int | None = None
    differences: tuple[str, ...] = ()
    pace: Told | None = None
    """What the provider says of its limits, if anything."""


Delta: TypeAlias = Callable[[str, str], None]
"""Told of streamed text as it comes: (kind `text` or `thinking`, piece). Must not block."""


class Model(Protocol):
    """One provider connection, kept open. Makes one try: retries belong to the gate."""

    async def answer(self, request: ModelRequest, delta: Delta | None) -> ModelAnswer:
        """One try. Raises ModelFault. Cancelling it abandons the request and closes its stream."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class Fault(StrEnum):
    """What kept a provider from answering usefully."""

    RATE_LIMITED = "rate_limited"
    PACED = "paced"
    """Not sent at all: what the provider allows is used up for now."""
    QUOTA = "quota"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    CUT_OFF = "cut_off"
    UNREACHABLE = "unreachable"
    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    TOO_LONG = "too_long"
    """The conversation is longer than the model's context."""
    REFUSED_REQUEST = "refused_request"
    UNAUTHENTICATED = "unauthenticated"
    UNKNOWN_MODEL = "unknown_model"
    UNCONFIGURED = "unconfigured"
    """The connection itself can't work: no key, a missing optional package, an unknown setting."""
    DIVERGED = "diverged"
    """A strict replay was asked something other than what it has recorded."""
    NOT_RECORDED = "not_recorded"


RETRYABLE = frozenset(
    {
        Fault.RATE_LIMITED,
        Fault.PACED,
        Fault.OVERLOADED,
        Fault.SERVER_ERROR,
        Fault.TIMEOUT,
        Fault.CUT_OFF,
        Fault.UNREACHABLE,
        Fault.MALFORMED,
    }
)
"""Faults that another try may cure. A malformed answer is one: gateways in trouble answer with pages of their own."""


class ModelFault(Error):
    """The provider did not answer usefully."""

    code, status = "model.fault", 502

    def __init__(
        self,
        detail: str,
        *,
        code: Fault,
        retryable: bool,
        status: int | None = None,
        retry_after: float | None = None,
        raw: str | None = None,
        pace: Told | None = None,
    ) -> None:
        super().__init__(detail)
        self.fault = code
        self.retryable = retryable
        self.http_status = status
        self.retry_after = retry_after
        self.raw = raw
        """How the provider's own answer began, without secrets: for people, never for decisions."""
        self.pace = pace
        """What the provider says of its limits, if anything."""


OnFault: TypeAlias = Callable[[ModelFault, int, float | None, int], Awaitable[None]]
"""Told of each failed try: (fault, number of the try from 1, seconds until the next or None, milliseconds it took)."""
