"""A connection to an MCP server over the pipes of its process."""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from quarterdeck.core.json import Json
from quarterdeck.core.log import get
from quarterdeck.mcp import wire
from quarterdeck.mcp.lines import Lines
from quarterdeck.mcp.records import Cut, McpFault, Nonsense, NotSent, Progress, TooLate, TooMuch, rejection

log = get(__name__)

LINE_LIMIT = 16 * 1024 * 1024
"""Bytes of one message that are read; a longer answer is known by its size only."""
_NONSENSE_LIMIT = 1000
_ID_AT_BEGINNING = re.compile(rb'\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"id"\s*:\s*(\d+)\s*[,}]')
_ID_AT_END = re.compile(rb',\s*"id"\s*:\s*(\d+)\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*$')


@dataclass(slots=True)
class StdioExchange:
    """One request that was written to the server's pipe."""

    id: int
    answer: asyncio.Future[bytes]
    progress: Progress | None
    peer: "StdioPeer"

    def cancel(self, reason: str) -> None:
        """Send `notifications/cancelled`; the answer, if one still comes, is taken."""
        self.peer.notify("notifications/cancelled", {"requestId": self.id, "reason": reason})

    def abandon(self) -> None:
        """Forget the request: an answer that still comes is passed over."""
        self.answer.cancel()


class StdioPeer:
    """Speaks JSON-RPC, a message a line. Ends for good when either pipe does; `on_end` is then called once."""

    def __init__(self, source: int, sink: int, on_end: Callable[[], None], limit: int = LINE_LIMIT) -> None:
        self._waiting: dict[int, StdioExchange] = {}
        self._next = 0
        self._nonsense = 0
        self._meta: dict[str, Json] = wire.MODERN_META
        self._on_end = on_end
        self._lines = Lines(
            source, sink, limit=limit, on_line=self._line, on_long_line=self._long_line, on_end=self._ended
        )

    @property
    def closed(self) -> bool:
        """Whether the connection has ended."""
        return self._lines.closed

    @property
    def clogged(self) -> bool:
        """Whether the server does not read what was sent before; a request begun now might be read late."""
        return self._lines.clogged

    async def drained(self) -> None:
        """Wait until the server has read what was sent, or the connection ended."""
        await self._lines.drained()

    def adopt(self, version: str) -> None:
        """Speak this revision from now on."""
        self._meta = wire.MODERN_META if version == wire.MODERN else {}

    def begin(
        self,
        method: str,
        params: dict[str, Json],
        *,
        headers: Mapping[str, str] | None = None,  # noqa: ARG002  # only HTTP has them
        progress: Progress | None = None,
        late: Callable[[], bool] | None = None,
    ) -> StdioExchange:
        """Write a request. Raises NotSent when the connection has ended, TooLate when `late` says so."""
        if late is not None and late():
            raise TooLate
        self._next += 1
        id_ = self._next
        meta = params.get("_meta")
        whole = {**self._meta, **meta} if isinstance(meta, Mapping) else dict(self._meta)
        if progress is not None:
            whole["progressToken"] = id_
        if whole:
            params = {**params, "_meta": whole}
        exchange = StdioExchange(id_, asyncio.get_running_loop().create_future(), progress, self)
        if not self._lines.send(wire.request(id_, method, params)):
            raise NotSent("The tool server's process has ended.")
        self._waiting[id_] = exchange
        exchange.answer.add_done_callback(lambda answer: self._forget(id_, answer))
        return exchange

    def notify(self, method: str, params: dict[str, Json]) -> None:
        """Write a notification; lost where the connection is gone."""
        self._lines.send(wire.notification(method, params))

    def finish(self) -> None:
        """Close the server's input: it is asked to end."""
        self._lines.close_sink()

    def close(self) -> None:
        """Close both pipes; what is still awaited fails as cut."""
        self._lines.close()

    def _line(self, line: bytes) -> None:
        try:
            message = wire.read_message(line)
        except wire.Faulty:
            self._not_the_protocol(line)
            return
        if message.method is not None:
            self._asked(message)
        elif isinstance(message.id, int) and (exchange := self._waiting.get(message.id)) is not None:
            self._settle(exchange, message)
        elif message.id is None:
            self._not_the_protocol(line)

    def _forget(self, id_: int, answer: asyncio.Future[bytes]) -> None:
        self._waiting.pop(id_, None)
        # Looked at here, so that a fault which nobody waits for any more is no noise in the log.
        _ = answer.cancelled() or answer.exception()

    def _settle(self, exchange: StdioExchange, message: wire.Incoming) -> None:
        if exchange.answer.done():
            return
        if message.error is not None:
            exchange.answer.set_exception(rejection(message.error))
        elif message.result:
            exchange.answer.set_result(bytes(message.result))
        else:
            exchange.answer.set_exception(Nonsense("The tool server's answer holds neither a result nor an error."))

    def _asked(self, message: wire.Incoming) -> None:
        if message.id is not None:
            known = message.method == "ping"
            told = "This client answers no requests."
            answer = wire.acceptance(message.id) if known else wire.refusal(message.id, wire.METHOD_NOT_FOUND, told)
            self._lines.send(answer)
        elif message.method == "notifications/progress":
            self._progressed(message)

    def _progressed(self, message: wire.Incoming) -> None:
        try:
            told = wire.read_progress(message.params)
        except wire.Faulty:
            return
        exchange = self._waiting.get(told.progress_token) if isinstance(told.progress_token, int) else None
        if exchange is not None and exchange.progress is not None:
            exchange.progress(told.progress, told.total, told.message or "")

    def _long_line(self, beginning: bytes, end: bytes, size: int) -> None:
        match = _ID_AT_BEGINNING.match(beginning) or _ID_AT_END.search(end)
        exchange = self._waiting.get(int(match[1])) if match else None
        if exchange is not None and not exchange.answer.done():
            exchange.answer.set_exception(TooMuch(size))
        else:
            self._not_the_protocol(beginning)

    def _not_the_protocol(self, line: bytes) -> None:
        """Stray words on the server's output are passed over, unless nothing but that comes."""
        self._nonsense += 1
        if self._nonsense in {1, 10, 100}:
            log.warning("mcp.nonsense", count=self._nonsense, begins=line[:200].decode("utf-8", "replace"))
        if self._nonsense > _NONSENSE_LIMIT:
            self._fail_all(lambda: Nonsense("The tool server writes lines that are not the protocol's."))
            self._lines.close()

    def _ended(self) -> None:
        self._fail_all(lambda: Cut("The tool server's process ended before it answered."))
        self._on_end()

    def _fail_all(self, fault: Callable[[], McpFault]) -> None:
        for exchange in list(self._waiting.values()):
            if not exchange.answer.done():
                exchange.answer.set_exception(fault())
