"""What a fake provider does when it is asked: say something, or do one of the things that real ones do wrong."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Call:
    """A tool call; `arguments` as text is sent as it is, JSON or not."""

    tool: str
    arguments: Mapping[str, Any] | str = field(default_factory=dict)
    id: str = "call_1"

    @property
    def text(self) -> str:
        return self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments)


@dataclass(frozen=True)
class Says:
    """An answer. `finish` is in our words: stop, length, calls, refusal, filtered; None follows from the content."""

    text: str = ""
    calls: Sequence[Call] = ()
    thinking: str = ""
    signature: str = "sig-abc"
    finish: str | None = None
    model: str | None = None
    input: int = 12
    output: int = 5
    cached: int = 0
    written: int = 0
    reasoning: int = 0
    latency: float = 0.0
    between: float = 0.0
    cut_after: int | None = None
    """Streamed: break the connection after so many events."""
    end_early: bool = False
    """Streamed: end politely, but before the model has finished."""
    hang_after: int | None = None
    """Streamed: fall silent after so many events."""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def ending(self) -> str:
        return self.finish or ("calls" if self.calls else "stop")


@dataclass(frozen=True)
class Fails:
    """An HTTP error. `body` None = an error object in the provider's own form around `message`."""

    status: int
    message: str = "something is wrong"
    type: str = "error"
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: object = None


@dataclass(frozen=True)
class Sends:
    """Bytes as they are, whatever they are."""

    body: bytes
    content_type: str = "application/json"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Hangs:
    """Takes the question and never answers."""


@dataclass(frozen=True)
class Drops:
    """Breaks the connection without a word."""


Turn: TypeAlias = Says | Fails | Sends | Hangs | Drops
