"""One running local tool server: a release's own tool host, or a command that speaks MCP over its pipes."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping

from quarterdeck.core.json import Json
from quarterdeck.core.log import get
from quarterdeck.mcp import wire
from quarterdeck.mcp.records import Exchange, McpFault, NotSent, Progress
from quarterdeck.mcp.session import Session, open_session
from quarterdeck.mcp.stdio import StdioPeer
from quarterdeck.secrets.redaction import Redactor
from quarterdeck.tools.errors import ServerUnavailable
from quarterdeck.tools.host.processes import resident
from quarterdeck.tools.launch import HostProcess, Launch
from quarterdeck.tools.warden import Warden

log = get(__name__)

START_WITHIN = 60.0
"""Seconds for a server to start and list its tools: packages may have to be imported, a cold disk read."""
CLOSE_WITHIN = 2.0
RETIRE_WITHIN = 30.0
"""Seconds for which the other calls of a server that must end may go on."""


class LocalServer:
    """A process and the connection to it. States: `starting`, `ready`, `retiring` (takes no new calls), `ended`.

    `on_end` is called once, when the connection is cut, whoever cut it; the process may live a moment longer.
    """

    def __init__(self, launch: Launch, warden: Warden | None, on_end: Callable[["LocalServer"], None]) -> None:
        self.name = launch.name
        self.state = "starting"
        self.ended_by = ""
        self.calls = self.in_flight = 0
        self.listed: Mapping[str, wire.Listed] = {}
        self.own = not launch.command
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self.started = self.last_used = self._loop.time()
        self.process = HostProcess(launch, warden, self._exited)
        self._peer = StdioPeer(self.process.source, self.process.sink, self._cut)
        self._session: Session | None = None

    async def start(self) -> None:
        """Agree on a revision and learn what tools there are. Raises ServerUnavailable with the server's own words."""
        try:
            self._session = await open_session(self._peer, START_WITHIN)
            async with asyncio.timeout(START_WITHIN):
                self.listed = {tool.name: tool for tool in await self._session.tools()}
        except (McpFault, TimeoutError) as fault:
            await self._let_it_speak()
            said = self.process.failure or self.process.last_words
            self.retire("failed", now=True)
            await self.ended()
            why = f" It said: {said[-1500:]}" if said else f" {fault}" if str(fault) else ""
            again = not self.process.failure
            raise ServerUnavailable(f"The tool server `{self.name}` did not start.{why}", again=again) from fault
        except asyncio.CancelledError:
            self.retire("closed", now=True)
            await self.ended()
            raise
        if self.state == "starting":
            self.state = "ready"

    async def call(
        self,
        tool: str,
        arguments: Mapping[str, Json],
        meta: Mapping[str, Json],
        late: Callable[[], bool],
        progress: Progress | None,
    ) -> Exchange:
        """Send a call once the server has read what was sent before. `late` is asked right before the sending.

        Raises TooLate, or NotSent when the server is ending.
        """
        while self._peer.clogged and not self._peer.closed and not late():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    await self._peer.drained()
        if self.state != "ready" or self._session is None:
            raise NotSent(f"The tool server `{self.name}` is ending.")
        exchange = self._session.call(tool, arguments, meta, progress=progress, late=late)
        self.calls += 1
        self.in_flight += 1
        exchange.answer.add_done_callback(self._answered)
        return exchange

    def know(self, redactor: Redactor) -> None:
        """Take these secrets out of what it says on standard error from now on; those of other calls stay known."""
        self.process.know(redactor)

    def stuck(self) -> None:
        """A call could not be cancelled: take no new ones, let the others finish within reason, then end."""
        self.retire("cancelled")

    def retire(self, why: str, *, now: bool = False) -> None:
        """Take no new calls and end: at once, or when the calls in flight are done, `RETIRE_WITHIN` at the latest."""
        if now:
            self.process.kill()
        if self.state == "ended":
            return
        if self.state != "retiring":
            self.state, self.ended_by = "retiring", why
            if why not in {"idle", "closed"}:
                log.warning("tools.retired", server=self.name, pid=self.process.pid, why=why, in_flight=self.in_flight)
        if self.in_flight == 0:
            self._finish()
        else:
            self._loop.call_later(RETIRE_WITHIN, self.process.kill)

    async def ended(self) -> None:
        """Wait until the process and all that it started are gone."""
        await asyncio.shield(self.process.exited)

    async def close(self) -> None:
        """Ask it to end, insist after `CLOSE_WITHIN`, and wait until it is gone."""
        self.retire("closed")
        self._finish()
        await self.ended()

    def memory(self) -> int:
        """Bytes that the process itself holds just now."""
        return resident(self.process.main)

    def idle_since(self) -> float:
        """The loop's time since when nothing is in flight; infinity while something is."""
        return self.last_used if self.in_flight == 0 else float("inf")

    def _finish(self) -> None:
        self._peer.finish()
        self._loop.call_later(CLOSE_WITHIN, self.process.kill)

    def _answered(self, _: asyncio.Future[bytes]) -> None:
        self.in_flight -= 1
        self.last_used = self._loop.time()
        if self.state == "retiring" and self.in_flight == 0:
            self._finish()

    def _cut(self) -> None:
        """The pipes are closed: whatever the process is up to, it serves nobody any more."""
        if not self.ended_by:
            self.ended_by = "failed" if self.state == "starting" else "crash"
        self.state = "ended"
        self._loop.call_later(CLOSE_WITHIN, self.process.kill)
        self._on_end(self)

    def _exited(self, code: int | None) -> None:
        self._peer.close()
        if self.ended_by == "crash":
            said = self.process.last_words[-2000:]
            lived = round(time.time() - self.process.started_at, 1)
            log.warning("tools.crashed", server=self.name, pid=self.process.pid, exit=code, lived=lived, said=said)

    async def _let_it_speak(self) -> None:
        """A server that ends by itself says why on standard error: wait for that, a moment."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await asyncio.shield(self.process.exited)
