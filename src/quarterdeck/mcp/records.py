"""What a connection to an MCP server offers, and how it fails."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

from quarterdeck.core.errors import Error
from quarterdeck.core.json import Json
from quarterdeck.mcp import wire

Progress: TypeAlias = Callable[[float, float | None, str], None]
"""Told how far a call is: (done, total if known, words). Must not block."""


class McpFault(Error):
    """The tool server did not answer."""

    code, status = "mcp.fault", 502
    sent = True
    """Whether the request may have reached the server: only where this is False had the call surely no effect."""


class NotSent(McpFault):
    """The request could not be handed to the tool server."""

    code, sent = "mcp.not_sent", False


class TooLate(NotSent):
    """The request may not be sent any more."""

    code = "mcp.too_late"


class Cut(McpFault):
    """The connection to the tool server ended before the answer came."""

    code = "mcp.cut"


class Nonsense(McpFault):
    """The tool server's answer is not the protocol's."""

    code = "mcp.nonsense"


class TooMuch(McpFault):
    """The tool server's answer is larger than is read."""

    code = "mcp.too_much"

    def __init__(self, size: int) -> None:
        super().__init__(f"The tool server's answer has {size:,} bytes or more.", size=size)
        self.size = size


class Rejected(McpFault):
    """The tool server answered with an error of the protocol."""

    code = "mcp.rejected"

    def __init__(self, message: str, *, number: int, why: str | None = None, no_effect: bool = False) -> None:
        super().__init__(message, number=number)
        self.number = number
        self.why = why
        """`too_late`, `cancelled` or `interrupted` where our own tool host says so."""
        self.sent = not no_effect


class Unreachable(McpFault):
    """The tool server refused the request over HTTP, or could not be reached."""

    code = "mcp.unreachable"

    def __init__(
        self, message: str, *, sent: bool, http_status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, http_status=http_status)
        self.sent = sent
        self.http_status = http_status
        self.retry_after = retry_after

    @property
    def may_be_older(self) -> bool:
        """Whether a server of an older revision answers like this to a method that it does not know."""
        return (
            self.http_status is not None and 400 <= self.http_status < 500 and self.http_status not in {401, 403, 429}
        )


def rejection(error: wire.ErrorBody) -> Rejected:
    """The fault that a JSON-RPC error stands for."""
    why: str | None = None
    if error.code == wire.REFUSED:
        with contextlib.suppress(*wire.Faulty):
            why = wire.read_why(error.data).quarterdeck
    no_effect = error.code in wire.NO_EFFECT or why in wire.NOT_BEGUN
    return Rejected(error.message or "no reason given", number=error.code, why=why, no_effect=no_effect)


class Exchange(Protocol):
    """One request under way."""

    @property
    def answer(self) -> asyncio.Future[bytes]:
        """The result's JSON. Fails with an McpFault; never cancelled by the connection itself."""
        ...

    def cancel(self, reason: str) -> None:
        """Tell the server that nobody wants the answer any more. An answer may come nevertheless."""
        ...

    def abandon(self) -> None:
        """Stop waiting and let go of what the request holds."""
        ...


class Peer(Protocol):
    """One connection, whatever carries it. Requests run side by side."""

    def begin(
        self,
        method: str,
        params: dict[str, Json],
        *,
        headers: Mapping[str, str] | None = None,
        progress: Progress | None = None,
        late: Callable[[], bool] | None = None,
    ) -> Exchange:
        """Send a request at once. Raises NotSent where it surely was not; later faults come from the exchange.

        `late` is asked right before the sending: where it says True, nothing is sent and TooLate is the answer.
        """
        ...

    def notify(self, method: str, params: dict[str, Json]) -> None:
        """Send a notification; lost where the connection is gone."""
        ...

    def adopt(self, version: str) -> None:
        """Speak this revision from now on."""
        ...
