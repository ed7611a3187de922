"""What a tool is asked and what came of it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from quarterdeck.core.ids import RunId, TenantId
from quarterdeck.core.json import Json, JsonObject
from quarterdeck.releases.records import Release, ToolGrant
from quarterdeck.runs.messages import Content
from quarterdeck.secrets.redaction import Cleaning


@dataclass(frozen=True, slots=True)
class ToolRequest:
    """One call, decided and committed as an intent.

    `key` is the stable idempotency key. `not_after` is Unix milliseconds; `boot_deadline` is the same instant on this
    machine's boot-time clock (`core.clock.Clock.boot`), read when the intent was made: checked again just before
    sending, because a frozen worker must not send late. `secrets` are the values that this call is given, by name, and
    nothing else is; `cleaning` takes them, and all others that the run may come upon, out of what comes back.
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
    secrets: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    cleaning: Cleaning = field(default_factory=Cleaning, repr=False, compare=False)


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

    `code`: not_sent, too_late, host_failed, timeout, crashed, too_large, bad_answer, cancelled, refused, unreachable,
    rate_limited, schema_changed, secret_missing.
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

Progress: TypeAlias = Callable[[float, float | None, str], None]
"""Told how far a call is: (done, total if known, words). Must not block."""

ReadFiles: TypeAlias = Callable[[Release], Awaitable[Mapping[str, bytes]]]
"""All files of a release by path, read once when its code is first needed on this machine."""

Keep: TypeAlias = Callable[[TenantId, RunId, bytes], Awaitable[str]]
"""Store bytes that the run refers to; their key in hexadecimal. Idempotent."""


@dataclass(frozen=True, slots=True)
class HostReport:
    """One process that serves tools, as metrics and `doctor` see it."""

    tenant: str
    release: str
    server: str
    pid: int
    started_at: float
    state: str
    calls: int
    in_flight: int
    memory: int
    isolation: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the tools of this process have done and hold right now."""

    hosts: tuple[HostReport, ...]
    calls: Mapping[str, int]
    """Outcomes counted: `answered`, `failed.CODE`, `unknown`."""
    started: int
    ended: Mapping[str, int]
    """Why hosts ended: idle, memory, cpu, crash, cancelled, closed, failed."""


class Toolbox(Protocol):
    """The tools of all releases that this process serves."""

    async def prepare(self, release: Release) -> None:
        """Make a release's code and its locked dependencies ready on this machine. Idempotent.

        Raises `ToolsUnprepared`, which says what could not be had.
        """
        ...

    async def perform(
        self, request: ToolRequest, cancel: asyncio.Event | None = None, progress: Progress | None = None
    ) -> ToolOutcome:
        """One try. Never raises for what a tool or its host does.

        `cancel` set in mid-call: the tool is told and gets two seconds, then its host is ended. When the caller's own
        task is cancelled, the tool is told likewise and nobody waits for it.
        """
        ...

    def statistics(self) -> Statistics:
        """Counters and the present hosts."""
        ...

    async def close(self) -> None:
        """End all hosts and connections."""
        ...
