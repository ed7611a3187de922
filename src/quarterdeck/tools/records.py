"""What a tool is asked and what came of it."""

from dataclasses import dataclass
from typing import TypeAlias

from quarterdeck.core.ids import RunId, TenantId
from quarterdeck.core.json import Json, JsonObject
from quarterdeck.releases.records import Release, ToolGrant
from quarterdeck.runs.messages import Content


@dataclass(frozen=True, slots=True)
class ToolRequest:
    """One call, decided and committed as an intent. `not_after` is Unix milliseconds; `key` is the stable idempotency key.

    `boot_deadline` is the same instant on this machine's boot-time clock (`core.clock.Clock.boot`), read when the intent was
    made: checked again just before sending, because a frozen worker must not send late.
    """

    tenant: TenantId
    run: RunId
    user: str
    release: Release
    grant: ToolGrant
    call: str
    arguments: JsonObject
    key: str
    not_after: int
    boot_deadline: float
    attempt: int = 1
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The tool answered; `is_error` is its own word."""

    content: tuple[Content, ...]
    structured: Json
    is_error: bool
    ms: int
    size: int
    truncated: bool


@dataclass(frozen=True, slots=True)
class Failed:
    """The call did not begin, or is known to have had no effect: safe to say that it failed.

    `code`: not_sent, too_late, host_failed, timeout, crashed, too_large, bad_answer, cancelled, refused, unreachable, rate_limited.
    `retryable`: another try may help; `retry_after` in seconds where the tool said so.
    """

    code: str
    message: str
    ms: int
    retryable: bool = False
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """The request may have reached the tool and no trustworthy answer came back."""

    why: str
    ms: int


ToolOutcome: TypeAlias = Answered | Failed | Unknown
