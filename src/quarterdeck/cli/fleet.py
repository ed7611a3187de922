"""All processes of a deployment on one machine: the database, the api, the workers, as children of this process.

    with Fleet(settings, workers=2) as fleet:
        ... fleet.url ... fleet.open_doors() ... fleet.kill("worker-1")

`dev` is this with a terminal, the demo is this with a plot. Nothing here is needed where a supervisor of the system's
runs `serve` and `worker`.
"""

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import SecretStr

from quarterdeck.cli.child import Child, Event
from quarterdeck.cli.configured import altered, with_secret
from quarterdeck.cli.local import Access, recall, remember
from quarterdeck.cli.migrate import bring_up
from quarterdeck.cli.opening import open_doors
from quarterdeck.core.errors import Misconfigured
from quarterdeck.core.settings import Settings
from quarterdeck.db import driver
from quarterdeck.db.embedded import EmbeddedPostgres
from quarterdeck.db.records import Urls
from quarterdeck.db.urls import urls_of
from quarterdeck.engine import store as engine
from quarterdeck.tools.host.confine import stay_undumpable

SERVE = "serve"
_PATIENCE = 60.0
_KEPT = "/var/tmp"  # noqa: S108  # a sticky folder, in which each host's user has its own
"""Where tools on a development machine may keep what outlives their host."""


class FolderInUse(Misconfigured):
    """Another Quarterdeck runs in this data folder; stop it, or choose another folder by QUARTERDECK_DATA_DIR."""

    code = "dev.folder_in_use"


class PortInUse(Misconfigured):
    """Another program listens on this port; stop it, or choose another port."""

    code = "dev.port_in_use"


class ChildFailed(Misconfigured):
    """A process could not start."""

    code = "dev.child_failed"


class Fleet:
    """Starts and supervises everything. `start`, `kill`, `stop` block and may be called from any thread.

    With no `database_url` set, the embedded PostgreSQL in the data folder is used. `on_line` gets each line that a
    child writes, `on_event` each start and end of a child; both are called in threads of the fleet's.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        workers: int = 1,
        on_line: Callable[[str, str], None] | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        writes = _KEPT if settings.tool_host_writes is None else settings.tool_host_writes
        self.settings = altered(settings, data_dir=settings.data_dir.absolute(), tool_host_writes=writes)
        self.urls = Urls("", "", "", "")
        self.children: dict[str, Child] = {}
        self._workers = workers
        self._on_line = on_line
        self._on_event = on_event
        self._database: EmbeddedPostgres | None = None
        self._lock: int | None = None
        self._ended = threading.Event()
        self._tail: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where the API and the console answer."""
        return f"http://{_written(self.settings.host)}:{self.settings.port}"

    @property
    def folder(self) -> Path:
        """The data folder."""
        return self.settings.data_dir

    @property
    def database_pid(self) -> int:
        """The process id of the embedded PostgreSQL just now; 0 where there is none."""
        return self._database.pid if self._database is not None else 0

    def start(self, note: Callable[[str], None] = lambda _: None) -> None:
        """Start everything; return once the API answers. `note` is told each step, in words.

        Raises FolderInUse, PortInUse, ChildFailed and what database and migrations raise; nothing is left running then.
        """
        # Tool hosts may run as this very user: they must not read the database's password in our memory.
        stay_undumpable()
        try:
            self._take_folder()
            self._take_port()
            self._open_database(note)
            note("migrations")
            asyncio.run(bring_up(self.settings, self.urls.owner))
            note("api")
            self._launch()
            self._await_api()
        except BaseException:
            self.stop(grace=0)
            raise

    def open_doors(self, tenant: str = "dev") -> Access:
        """An admin's key and a key of this tenant, which is founded where it is missing; kept in the folder.

        The keys of last time are used again as long as they work. Not to be called in a running event loop.
        """
        self.access = asyncio.run(open_doors(self.settings, self.urls, self.url, tenant, recall(self.folder)))
        remember(self.folder, self.access)
        return self.access

    def await_workers(self, count: int = 0, timeout: float = _PATIENCE) -> int:
        """Wait until so many workers hold a lease (all by default); how many do in the end."""
        wanted, until = count or self._workers, time.monotonic() + timeout
        while (found := asyncio.run(self._living())) < wanted and time.monotonic() < until:
            time.sleep(0.1)
        return found

    def add_worker(self) -> Child:
        """Start one more worker."""
        number = 1 + sum(name.startswith("worker-") for name in self.children)
        return self._begin(f"worker-{number}", ["worker"])

    def kill(self, name: str, sign: signal.Signals = signal.SIGKILL) -> int:
        """Send a child a signal; the process id that it went to. What dies of it is started again."""
        return self.children[name].kill(sign)

    def name_of(self, pid: int) -> str:
        """The child that has this process id now; empty for none."""
        return next((name for name, child in self.children.items() if pid and child.pid == pid), "")

    def stop(self, grace: float | None = None) -> None:
        """Stop everything: workers first, which hand over what they hold, then the API, then the database.

        `grace` is the time that workers get, by default what the settings say and a little more; 0 ends all at once.
        Safe to repeat, also from another thread and while an earlier call waits.
        """
        patience = self.settings.drain_grace + 10 if grace is None else grace
        workers = [child for name, child in self.children.items() if name != SERVE]
        for child in workers:
            child.ask_to_end()
        until = time.monotonic() + patience
        for child in workers:
            child.stop(max(0.0, until - time.monotonic()))
        if SERVE in self.children:
            self.children[SERVE].stop(min(patience, 15.0))
        if self._database is not None:
            self._database.stop()
        self._ended.set()
        if self._tail is not None:
            self._tail.join()
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    def hasten(self) -> None:
        """Kill what an earlier call of `stop` waits for; it then goes on and stops the database."""
        for child in tuple(self.children.values()):
            child.stop(0)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _take_folder(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.folder / "fleet.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as fault:
            holder = os.read(lock, 20).decode(errors="replace").strip()
            os.close(lock)
            raise FolderInUse(
                f"Process {holder or '?'} runs Quarterdeck in {self.folder}; stop it, or choose another folder by "
                "QUARTERDECK_DATA_DIR.",
                folder=str(self.folder),
                pid=holder,
            ) from fault
        os.truncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        self._lock = lock
        self.settings = with_secret(self.settings)

    def _take_port(self) -> None:
        """Settle on a port, so that an API that is started again answers where it did before."""
        until = time.monotonic() + 3.0  # the API of a fleet that was killed a moment ago may still be leaving
        while True:
            try:
                port = _probe(self.settings.host, self.settings.port)
            except OSError as fault:
                if time.monotonic() < until and self.settings.port:
                    time.sleep(0.1)
                    continue
                raise PortInUse(
                    f"{self.settings.host}:{self.settings.port} can't be listened on ({fault.strerror}); stop what is "
                    "there, or choose another port by QUARTERDECK_PORT.",
                    port=self.settings.port,
                ) from fault
            self.settings = altered(self.settings, port=port)
            return

    def _open_database(self, note: Callable[[str], None]) -> None:
        if self.settings.database_url:
            self.urls = urls_of(self.settings)
            return
        note("database")
        connections = 20 + (1 + self._workers) * (self.settings.pool_size * 2 + 4)
        self._database = EmbeddedPostgres(self.folder, settings={"max_connections": str(max(100, connections))})
        self._database.start()
        self.urls = urls_of(self.settings, owner=self._database.url)

    def _launch(self) -> None:
        self._begin(SERVE, ["serve"])
        for _ in range(self._workers):
            self.add_worker()
        if self._on_line is not None:
            self._tail = threading.Thread(target=self._follow, args=(self._on_line,), name="logs", daemon=True)
            self._tail.start()

    def _begin(self, name: str, arguments: list[str]) -> Child:
        child = Child(name, arguments, self._environ(), self.folder / "logs" / f"{name}.log", self._tell)
        self.children[name] = child
        child.start()
        return child

    def _environ(self) -> Mapping[str, str]:
        """What children are told: the same settings, and the URLs of their own roles but not the owner's."""
        told = altered(
            self.settings,
            database_url="",
            app_url=self.urls.app,
            system_url=self.urls.system,
            listen_url=self.urls.listen,
        )
        ours = {f"QUARTERDECK_{name.upper()}" for name in Settings.model_fields}
        kept = {name: value for name, value in os.environ.items() if name.upper() not in ours}
        given = {f"QUARTERDECK_{name.upper()}": _text(getattr(told, name)) for name in told.model_fields_set}
        return {**kept, **given}

    def _tell(self, event: Event) -> None:
        # Whoever listens may be a terminal that is gone: supervision goes on.
        with contextlib.suppress(Exception):
            if self._on_event is not None:
                self._on_event(event)

    def _await_api(self) -> None:
        child, until = self.children[SERVE], time.monotonic() + _PATIENCE
        while not _answers(self.settings.host, self.settings.port):
            if child.status is not None and child.starts > 2:
                raise ChildFailed(f"The api could not start: {child.last_words()}", log=str(child.log_file))
            if time.monotonic() > until:
                raise ChildFailed(f"The api did not answer within {_PATIENCE:.0f} s.", log=str(child.log_file))
            time.sleep(0.05)

    async def _living(self) -> int:
        connection = await driver.connect(self.urls.system)
        try:
            return await engine.count_living(connection)
        finally:
            await connection.close()

    def _follow(self, on_line: Callable[[str, str], None]) -> None:
        """Hand over what children write, line by line, from its start on."""
        places: dict[str, int] = {}
        while True:
            ending = self._ended.is_set()
            for name, child in tuple(self.children.items()):
                for line, place in _lines_after(child.log_file, places.get(name, child.log_start)):
                    places[name] = place
                    with contextlib.suppress(Exception):  # as above
                        on_line(name, line)
            if ending:
                return
            self._ended.wait(0.1)


def _lines_after(file: Path, place: int) -> Iterator[tuple[str, int]]:
    """Whole lines that stand behind a place in a file, each with the place behind it."""
    with contextlib.suppress(OSError), file.open("rb") as log:
        if place > log.seek(0, os.SEEK_END):
            place = 0  # a fresh file: the old one was put aside
        log.seek(place)
        for line in log:
            if not line.endswith(b"\n"):
                return
            place += len(line)
            yield line.decode(errors="replace").rstrip("\r\n"), place


def _probe(host: str, port: int) -> int:
    """The port, or for 0 a free one, if it can be listened on now. Raises OSError."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        probe.listen(1)
        found: int = probe.getsockname()[1]
        return found


def _answers(host: str, port: int) -> bool:
    """Whether the API at this address says that it is alive. It answers once its parts are open."""
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # listening everywhere includes here
    with contextlib.suppress(OSError), socket.create_connection((reached, port), timeout=20.0) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        return connection.recv(64).startswith(b"HTTP/1.1 200")
    return False


def _written(host: str) -> str:
    """A host as URLs write it; where it stands for every address, the nearest."""
    near = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # as above
    return f"[{near}]" if ":" in near else near


def _text(value: object) -> str:
    """A setting as its variable would say it."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return str(value).lower() if isinstance(value, bool) else str(value)
