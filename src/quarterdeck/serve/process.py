"""Running the application: uvicorn, told about streams.

uvicorn waits for open answers before it ends, and an open stream is an answer that never ends by itself: with one
watcher a process would not leave on SIGTERM. So the streams are told first.
"""

import asyncio
import contextlib
import errno
import signal
import socket
from collections.abc import Callable, Generator

import uvicorn
import uvloop

from quarterdeck.core import log as logs
from quarterdeck.core.errors import Misconfigured
from quarterdeck.core.settings import Settings
from quarterdeck.db.records import Urls
from quarterdeck.serve.app import closer, open_app
from quarterdeck.tools.host.confine import stay_undumpable

GRACE = 10
"""Seconds for answers under way when the process is told to end."""
KEEP_ALIVE = 65
"""Seconds for which an idle connection is kept: longer than load balancers keep theirs, so that they close first."""

_log = logs.get("quarterdeck.serve")


class PortTaken(Misconfigured):
    """Another process listens on this port already; end it, or set QUARTERDECK_PORT to another."""

    code = "serve.port_taken"


class Server(uvicorn.Server):
    """uvicorn that ends its streams when told to end, and whose signals the caller may keep."""

    def __init__(self, config: uvicorn.Config, close: Callable[[], None], *, signals: bool) -> None:
        super().__init__(config)
        self._close = close
        self._signals = signals

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End streams, let other answers finish, close the application."""
        self._close()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """SIGTERM and SIGINT end the server in good order, and a server that did so exits with 0."""
        if not self._signals:
            yield
            return
        before = {sig: signal.signal(sig, self.handle_exit) for sig in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for sig, previous in before.items():
                signal.signal(sig, previous)

    def stop(self) -> None:
        """Tell it to end; `serve` returns when it has."""
        self.should_exit = True


async def serve(
    settings: Settings,
    listener: socket.socket,
    urls: Urls | None = None,
    *,
    signals: bool = True,
    started: Callable[["Server"], None] | None = None,
) -> None:
    """Serve on a socket from `bind` until SIGTERM or SIGINT, or `Server.stop`. Raises what opening the parts raises.

    `started` is told the server once the parts are open; connections made before wait. Without `signals` the process's
    signal handlers are left alone.
    """
    async with open_app(settings, urls) as app:
        config = uvicorn.Config(
            app,
            loop="none",
            http="httptools",
            ws="none",
            lifespan="off",
            # Logs are ours: one line an answer, written by the border, with ids.
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE,
            timeout_keep_alive=KEEP_ALIVE,
        )
        server = Server(config, closer(app), signals=signals)
        if started is not None:
            started(server)
        await server.serve(sockets=[listener])


def bind(settings: Settings) -> socket.socket:
    """A listening socket at the settings' address; with port 0 ask it for its port. Raises PortTaken."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(2048)
    except OSError as fault:
        listener.close()
        if fault.errno == errno.EADDRINUSE:
            raise PortTaken(host=settings.host, port=settings.port) from None
        raise Misconfigured(f"Can't listen on {settings.host}:{settings.port}: {fault.strerror}.") from None
    listener.set_inheritable(True)
    return listener


def run(settings: Settings, urls: Urls | None = None, ready: Callable[[int], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT. `ready` is told the port once the socket is bound. Raises what starting raises."""
    logs.configure(settings.log_level, json=settings.log_json)
    # On one machine agents' code may run as the same user: it must not read the keys in this process's memory.
    if not stay_undumpable():
        _log.warning("serve.dumpable")
    listener = bind(settings)
    port: int = listener.getsockname()[1]
    _log.info("serve.starting", host=settings.host, port=port)
    if ready is not None:
        ready(port)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings, listener, urls))
