"""What the author of a tool writes against: `from quarterdeck.tools.author import Context, ToolError, tool`.

Imported inside the tool host at every start, so it stands on the standard library alone.
"""

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, ParamSpec, TypeAlias, TypeVar, overload

Effect: TypeAlias = Literal[
    "read", "write", "external_message", "payment", "deletion", "access_change", "production_change"
]
Repeat: TypeAlias = Literal["safe", "keyed", "never"]
TrustMark: TypeAlias = Literal["trusted", "untrusted"]

P = ParamSpec("P")
R = TypeVar("R")

MARKS = "__quarterdeck_tool__"


@dataclass(frozen=True, slots=True)
class Marks:
    """What `tool` remembers of a function.

    None = not declared here: `agent.yaml` decides, else write, never, untrusted.
    """

    name: str
    description: str | None = None
    effect: Effect | None = None
    repeat: Repeat | None = None
    trust: TrustMark | None = None
    timeout: float | None = None
    destinations: tuple[str, ...] | None = None
    payload: tuple[str, ...] | None = None


class ToolError(Exception):
    """Tell the model what went wrong, in words it can act on. The call has been answered: nothing is retried."""


class TryLater(ToolError):
    """Nothing has happened and a later try may work: the other side is busy or away.

    The runtime tries again by itself where time allows, after `retry_after` seconds if given.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(slots=True, kw_only=True)
class Context:
    """The call that is being made: declare a parameter of this type and it is filled in, unseen by the model.

    `key` is the idempotency key: the same at every try of one call and never used for another, so a `repeat="keyed"`
    tool hands it on to the system that it writes to. `scratch` is a folder of this tool host, gone when the host ends.
    """

    run: str = ""
    tenant: str = ""
    user: str = ""
    call: str = ""
    key: str = ""
    attempt: int = 1
    scratch: Path = Path()
    secrets: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """The secrets that `agent.yaml` grants the tool, by name; `secret` reads one."""
    cancelled: bool = False
    """Becomes True when nobody wants the answer any more; a synchronous tool that takes long should look at it."""
    on_progress: Callable[[float, float | None, str], None] | None = None

    def secret(self, name: str) -> str:
        """The value of a secret that `agent.yaml` lists under the tool's `secrets`. KeyError for any other.

        It belongs to this call: don't keep it, a rotated one comes with the next call. Where it turns up in what the
        tool returns, raises or prints, it is taken out.
        """
        try:
            return self.secrets[name]
        except KeyError:
            raise KeyError(f"this tool is not given the secret {name!r}: list it under its `secrets`") from None

    def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Tell whoever watches how far the call is. Cheap, never blocks, may be lost."""
        if self.on_progress is not None:
            self.on_progress(done, total, message)

    @staticmethod
    def current() -> "Context":
        """The context of the call that this code runs for, also deep inside libraries. LookupError outside a call."""
        return CURRENT.get()


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes that a tool returns, alone or in a list with text: an image, a sound, a file. Kept with the run."""

    content: bytes
    media_type: str = "application/octet-stream"


CURRENT: ContextVar[Context] = ContextVar("quarterdeck_call")


def secret(name: str) -> str:
    """The value of a secret of the call that this code runs for: `Context.current().secret(name)`."""
    return CURRENT.get().secret(name)


@overload
def tool(function: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    effect: Effect | None = None,
    repeat: Repeat | None = None,
    trust: TrustMark | None = None,
    timeout: float | None = None,
    destinations: Sequence[str] | None = None,
    payload: Sequence[str] | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def tool(
    function: Callable[P, R] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    effect: Effect | None = None,
    repeat: Repeat | None = None,
    trust: TrustMark | None = None,
    timeout: float | None = None,
    destinations: Sequence[str] | None = None,
    payload: Sequence[str] | None = None,
) -> Callable[P, R] | Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a function, synchronous or not, a tool of the agent. It stays an ordinary function for tests and other code.

    Its type hints become the schema of its arguments, its docstring the description (an `Args:` section or `:param x:`
    lines describe the arguments). `effect` says what it does to the world, `repeat` what a crash means: `safe` and
    `keyed` calls are made again, others become an unknown outcome that a person has to look at. `trust` says whether
    outsiders can have written what it returns. `timeout` is in seconds. `destinations` names the parameters that say to
    whom or where an effect goes (an account, an address, a path), `payload` those that only carry content; of parts,
    by path: `items[].account`.

    It may return text, anything that JSON has a form for, a dataclass, a pydantic model, or a `Blob`.
    """

    def mark(function: Callable[P, R]) -> Callable[P, R]:
        marks = Marks(
            name or function.__name__,
            description,
            effect,
            repeat,
            trust,
            timeout,
            None if destinations is None else tuple(destinations),
            None if payload is None else tuple(payload),
        )
        setattr(function, MARKS, marks)
        return function

    return mark(function) if function is not None else mark
