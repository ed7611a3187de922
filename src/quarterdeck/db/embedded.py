"""The embedded PostgreSQL: for one machine, a database that is simply there while a process wants it.

    async with EmbeddedPostgres(data_dir) as server:
        ... server.url ...

It lives in `<data_dir>/postgres`, speaks TCP on 127.0.0.1 only, asks for passwords (SCRAM), and is started again when
it dies. Beside the folder stand `postgres.port`, `postgres.password` (0600), `postgres.log` and `postgres.lock`.
"""

import asyncio
import atexit
import contextlib
import fcntl
import os
import secrets
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from quarterdeck.core import log
from quarterdeck.core.errors import Error
from quarterdeck.db.embedded_binaries import Install, choose, find_installs, within_reach
from quarterdeck.db.embedded_cluster import SUPERUSER, Cluster, end_process
from quarterdeck.db.embedded_faults import AlreadyRunning, FolderNotPermitted, PortTaken
from quarterdeck.db.embedded_owner import owner_of
from quarterdeck.db.scram import verifier

_LARGEST_LOG = 10 * 1024 * 1024
_log = log.get(__name__)


class EmbeddedPostgres:
    """A PostgreSQL of our own and its supervisor: one at a time for a data folder.

    `start` and `stop` block and may be called from any thread; the `async with` form does not block. `port=0` means
    the port kept from last time, or a free one. `on_death` is called, in a thread of ours, with the exit status each
    time that the server dies by itself, before it is started again. Nothing committed is lost by any of this.
    `installs` are PostgreSQLs to use instead of the wheel's, the one preferred for a new folder first.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int = 0,
        settings: Mapping[str, str] | None = None,
        on_death: Callable[[int], None] | None = None,
        installs: Sequence[Install] | None = None,
        patience: float = 120.0,
    ) -> None:
        self._files = data_dir.absolute()
        self._wanted_port = port
        self._settings = dict(settings or {})
        self._on_death = on_death
        self._installs = installs
        self._patience = patience
        self._port = 0
        self._password = ""
        self._lock_file: int | None = None
        self._cluster: Cluster
        self._process: subprocess.Popen[bytes] | None = None
        self._changing = threading.Lock()
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None
        self._supervisor = 0

    @property
    def url(self) -> str:
        """The superuser's URL, for `migrate`; processes derive those of their own roles from it."""
        return _url(self._password, self._port)

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1."""
        return self._port

    @property
    def pid(self) -> int:
        """The process id of the server that runs now."""
        process = self._process
        return 0 if process is None else process.pid

    def start(self) -> None:
        """Start the server, making its folder the first time. Raises the errors of `embedded_faults`.

        What an earlier supervisor left running on this folder is stopped first, and a folder that was left by a crash
        recovers.
        """
        self._take_lock()
        try:
            self._cluster = self._open_cluster()
            self._stopping.clear()
            self._process = self._start_server()
        except BaseException:
            self._release_lock()
            raise
        self._supervisor = os.getpid()
        atexit.register(self.stop)
        self._watcher = threading.Thread(target=self._watch, name="embedded-postgres", daemon=True)
        self._watcher.start()

    def stop(self) -> None:
        """Stop the server, rolling back what is open, and let the data folder go. Does nothing when it is stopped."""
        if self._supervisor != os.getpid():
            return  # a fork of the supervisor has inherited this object, not the server
        self._stopping.set()
        with self._changing:
            process, self._process = self._process, None
            if process is not None:
                end_process(process)
        if self._watcher is not None and self._watcher is not threading.current_thread():
            self._watcher.join()
        self._watcher = None
        self._release_lock()
        atexit.unregister(self.stop)

    def wait_dead(self, timeout: float | None = None) -> bool:
        """Wait until the server that runs now has ended, by itself or not; False when `timeout` came first."""
        process = self._process
        if process is not None:
            try:
                process.wait(timeout)
            except subprocess.TimeoutExpired:
                return False
        return True

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.shield(asyncio.to_thread(self.stop))

    def _open_cluster(self) -> Cluster:
        folder = self._files / "postgres"
        owner = owner_of(folder)
        version_file = folder / "PG_VERSION"
        made_by = int(version_file.read_text()) if version_file.is_file() else None
        install = within_reach(choose(self._installs or find_installs(), made_by), owner)
        cluster = Cluster(folder, install, owner, self._files / "postgres.log")
        self._trim_log(cluster.log_file)
        ended = cluster.end_leftovers() if cluster.exists() else []
        if ended:
            _log.warning("embedded.leftovers_ended", pids=ended)
        password_file = self._files / "postgres.password"
        if cluster.exists() and password_file.is_file():
            self._password = password_file.read_text(encoding="utf-8").strip()
            return cluster
        self._password = secrets.token_urlsafe(32)
        if cluster.exists():
            cluster.set_password(verifier(self._password))
        else:
            cluster.create(self._password)
        _write_private(password_file, self._password)
        return cluster

    def _start_server(self) -> subprocess.Popen[bytes]:
        port_file = self._files / "postgres.port"
        kept = int(port_file.read_text()) if port_file.is_file() else 0
        for port in [self._wanted_port] if self._wanted_port else [kept or _free_port(), _free_port(), _free_port()]:
            try:
                process = self._cluster.start(port, self._settings, patience=self._patience)
            except PortTaken:
                if self._wanted_port:
                    raise
                _log.warning("embedded.port_taken", port=port)
                continue
            if port != kept:
                _write_private(port_file, str(port))
            self._port = port
            return process
        raise PortTaken("no free port was found on 127.0.0.1")

    def _watch(self) -> None:
        """Start the server again whenever it ends without having been told to."""
        while not self._stopping.is_set():
            process = self._process
            if process is None:
                return
            status = process.wait()
            if self._stopping.is_set():
                return
            _log.error("embedded.died", status=status)
            if self._on_death is not None:
                with contextlib.suppress(Exception):
                    self._on_death(status)
            self._revive()

    def _revive(self) -> None:
        pause = 0.05
        while not self._stopping.is_set():
            began = time.monotonic()
            with self._changing:
                if self._stopping.is_set():
                    return
                try:
                    self._cluster.end_leftovers()
                    self._process = self._cluster.start(self._port, self._settings, patience=self._patience)
                except (Error, OSError) as fault:
                    _log.error("embedded.restart_failed", reason=str(fault))
                else:
                    _log.info("embedded.restarted", seconds=round(time.monotonic() - began, 3))
                    return
            self._stopping.wait(pause)
            pause = min(pause * 2, 5.0)

    def _take_lock(self) -> None:
        try:
            self._files.mkdir(parents=True, exist_ok=True)
            lock = os.open(self._files / "postgres.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as fault:
            raise FolderNotPermitted(f"{self._files} can't be used: {fault}", folder=str(self._files)) from fault
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as fault:
            holder = os.read(lock, 20).decode(errors="replace").strip()
            os.close(lock)
            raise AlreadyRunning(
                f"process {holder or '?'} runs a database in {self._files}: stop it, or choose another folder by "
                "QUARTERDECK_DATA_DIR",
                folder=str(self._files),
                pid=holder,
            ) from fault
        os.truncate(lock, 0)
        os.write(lock, f"{os.getpid()}\n".encode())
        self._lock_file = lock

    def _release_lock(self) -> None:
        lock, self._lock_file = self._lock_file, None
        if lock is not None:
            os.close(lock)

    def _trim_log(self, log_file: Path) -> None:
        with contextlib.suppress(OSError):
            if log_file.stat().st_size > _LARGEST_LOG:
                log_file.replace(log_file.with_suffix(".log.1"))


def kept_url(data_dir: Path) -> str | None:
    """The superuser's URL of the server that was last started on this folder, running or not; None if none ever was.

    Raises FolderNotPermitted for a user who may not read the password.
    """
    try:
        password = (data_dir / "postgres.password").read_text(encoding="utf-8").strip()
        return _url(password, int((data_dir / "postgres.port").read_text()))
    except FileNotFoundError:
        return None
    except PermissionError as fault:
        raise FolderNotPermitted(f"{data_dir} belongs to another user", folder=str(data_dir)) from fault


def _url(password: str, port: int) -> str:
    # sslmode is said outright: a driver that has to find out makes an SSL context and a round trip each time.
    return f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{port}/postgres?sslmode=disable"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _write_private(path: Path, text: str) -> None:
    """Write a file that only we may read, whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
