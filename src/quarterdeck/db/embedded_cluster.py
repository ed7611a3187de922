"""One data folder of PostgreSQL and the process on it: made, started, ended, and cleaned up after a crash.

Everything here blocks and is called from one thread at a time, by the one process that holds the folder's lock.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import IO

import psutil

from quarterdeck.core.errors import Error
from quarterdeck.db.embedded_binaries import Install
from quarterdeck.db.embedded_faults import (
    FolderNotPermitted,
    HostDiskFull,
    OtherVersion,
    PortTaken,
    StartFailed,
)
from quarterdeck.db.embedded_owner import Owner

SUPERUSER = "postgres"

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    # Containers often have a tiny /dev/shm.
    "dynamic_shared_memory_type": "mmap",
    "fsync": "on",
    "synchronous_commit": "on",
    # This build has pglz only: it saved 80 % of the WAL after a checkpoint and cost 15 % of the transactions.
    "wal_compression": "off",
    "checkpoint_timeout": "10min",
    "max_wal_size": "1GB",
    "min_wal_size": "128MB",
    # One machine, short statements: neither compiled nor spread over processes.
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "max_logical_replication_workers": "0",
    "autovacuum_naptime": "15s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    # No DETAIL lines: they quote rows.
    "log_error_verbosity": "terse",
    # There is no collector: what it says goes to our file.
    "logging_collector": "off",
}
SETTINGS_SINCE_18: Mapping[str, str] = {"io_method": "sync"}

_LIBC_LOCALE = ("--locale=C",)
_BUILTIN_LOCALE = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
_BUILTIN_SINCE = 17
_STATUS_LINE = 7
_POLL = 0.005


class Cluster:
    """A data folder with an install that fits it and the user that owns it."""

    def __init__(self, folder: Path, install: Install, owner: Owner, log_file: Path) -> None:
        self.folder = folder
        self.install = install
        self.owner = owner
        self.log_file = log_file

    def exists(self) -> bool:
        """Whether the folder was made, to the end."""
        return (self.folder / "PG_VERSION").is_file()

    def create(self, password: str) -> None:
        """Make the folder, with `password` for the superuser. A crash in the middle leaves nothing half made."""
        self.owner.must_have_name()
        fresh = self.folder.with_name(self.folder.name + ".new")
        shutil.rmtree(fresh, ignore_errors=True)
        try:
            fresh.mkdir(mode=0o700)
            if self.owner.by_root:
                os.chown(fresh, self.owner.uid, self.owner.gid)
        except OSError as fault:
            raise _explained(str(fault), fresh) from fault
        locale = _BUILTIN_LOCALE if self.install.major >= _BUILTIN_SINCE else _LIBC_LOCALE
        with self._seen(fresh) as (place, fds), self._secret(password) as secret:
            options = [f"--username={SUPERUSER}", "--auth=scram-sha-256", "--encoding=UTF8", *locale]
            done = self._run("initdb", f"--pgdata={place}", f"--pwfile=/dev/fd/{secret}", *options, fds=(*fds, secret))
        if done.returncode != os.EX_OK:
            shutil.rmtree(fresh, ignore_errors=True)
            raise _explained(done.stdout, self.folder)
        fresh.rename(self.folder)

    def set_password(self, verifier: str) -> None:
        """Give the superuser another password while no server runs."""
        with self._seen(self.folder) as (place, fds):
            statement = f"ALTER ROLE {SUPERUSER} PASSWORD '{verifier}'\n"
            done = self._run("postgres", "--single", "-D", place, "postgres", fds=fds, statement=statement)
        if done.returncode != os.EX_OK:
            raise _explained(done.stdout, self.folder)

    def start(self, port: int, settings: Mapping[str, str], *, patience: float) -> subprocess.Popen[bytes]:
        """Start the server and wait until it takes connections; recovery after a crash may take a while."""
        chosen = {**SETTINGS, **(SETTINGS_SINCE_18 if self.install.major >= 18 else {}), **settings, "port": str(port)}
        options = [part for name, value in chosen.items() for part in ("-c", f"{name}={value}")]
        with self._log() as log, self._seen(self.folder) as (place, fds):
            said_before = log.tell()
            process = subprocess.Popen(
                [self.install.program("postgres"), "-D", place, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=_ENVIRONMENT,
                pass_fds=fds,
                # Ctrl-C on a terminal is for us: the server is told afterwards, when nobody needs it any more.
                start_new_session=True,
                umask=0o077,
                **self.owner.identity(),
            )
        deadline = time.monotonic() + patience
        while not self._is_ready(process.pid):
            if process.poll() is not None or time.monotonic() > deadline:
                end_process(process)
                raise _explained(self._said_since(said_before), self.folder, port)
            time.sleep(_POLL)
        return process

    def end_leftovers(self) -> list[int]:
        """End what an earlier supervisor left running on this folder, and forget a pid file that means somebody else.

        Answers the pids that were ended. A whole server is asked to stop; single processes whose server was killed
        are killed too, for they hold the shared memory that a new one needs.
        """
        pid_file = self.folder / "postmaster.pid"
        try:
            noted = int(pid_file.read_text().split("\n", 1)[0])
        except FileNotFoundError:
            return []
        except ValueError:
            noted = 0
        server = [noted] if self._runs_here(noted) else []
        for pid in server:
            _end(pid, (signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))
        # PostgreSQL takes any process of this number for its own predecessor and would not start: one that is dead and
        # not yet collected, and after a restart of a container somebody else's.
        pid_file.unlink(missing_ok=True)
        orphans = [pid for pid in psutil.pids() if self._runs_here(pid)]
        for pid in orphans:
            _end(pid, (signal.SIGKILL, 5.0))
        return server + orphans

    def _runs_here(self, pid: int) -> bool:
        try:
            process = psutil.Process(pid)
            return process.name().startswith("postgres") and os.path.samefile(process.cwd(), self.folder)
        except (psutil.Error, OSError):
            return False

    def _is_ready(self, pid: int) -> bool:
        try:
            lines = (self.folder / "postmaster.pid").read_text().split("\n")
        except OSError:
            return False
        return len(lines) > _STATUS_LINE and lines[0] == str(pid) and lines[_STATUS_LINE].strip() == "ready"

    @contextlib.contextmanager
    def _seen(self, folder: Path) -> Generator[tuple[str, tuple[int, ...]]]:
        """The folder's name for a process of the owner, and the descriptors that it has to inherit for that.

        Root may keep its data where the owner can't walk to, /root for one. A descriptor opened by root is a door that
        needs no walking; nobody's folder is changed for it.
        """
        if not self.owner.by_root or self.owner.reaches(folder):
            yield str(folder.absolute()), ()
            return
        if not Path("/proc/self/fd").is_dir():
            raise FolderNotPermitted(f"{self.owner.name} can't reach {folder}; choose another by QUARTERDECK_DATA_DIR")
        door = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield f"/proc/self/fd/{door}", (door,)
        finally:
            os.close(door)

    @contextlib.contextmanager
    def _secret(self, password: str) -> Generator[int]:
        """A file without a name that the owner can read through an inherited descriptor, and nobody else at all."""
        with tempfile.TemporaryFile() as file:
            file.write(password.encode() + b"\n")
            file.flush()
            if self.owner.by_root:
                os.fchown(file.fileno(), self.owner.uid, self.owner.gid)
            file.seek(0)
            yield file.fileno()

    def _run(
        self, program: str, *arguments: str, fds: Sequence[int], statement: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.install.program(program), *arguments],
            check=False,
            input=statement or "",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd="/",
            env=_ENVIRONMENT,
            pass_fds=fds,
            umask=0o077,
            **self.owner.identity(),
        )

    @contextlib.contextmanager
    def _log(self) -> Generator[IO[bytes]]:
        try:
            # A statement that failed is quoted in it.
            with os.fdopen(os.open(self.log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as log:
                yield log
        except OSError as fault:
            raise _explained(str(fault), self.log_file) from fault

    def _said_since(self, position: int) -> str:
        with self.log_file.open("rb") as log:
            log.seek(position)
            return log.read().decode(errors="replace")


def end_process(process: subprocess.Popen[bytes]) -> None:
    """Stop a server that we started: open transactions are rolled back, the data folder is left clean."""
    for ask, patience in ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
        if process.poll() is not None:
            return
        process.send_signal(ask)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)


def _end(pid: int, *asks: tuple[signal.Signals, float]) -> None:
    for ask, patience in asks:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, ask)
        deadline = time.monotonic() + patience
        while not _is_over(pid):
            if time.monotonic() > deadline:
                break
            time.sleep(_POLL)
        else:
            return


def _is_over(pid: int) -> bool:
    """Whether a process has ended. In a container without an init, nobody ever collects an orphan's exit status."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _explained(said: str, folder: Path, port: int | None = None) -> Error:
    """Our error for what a program of PostgreSQL said before it gave up."""
    tail = "\n".join(said.strip().splitlines()[-12:])
    for pattern, error in _SAYINGS:
        if re.search(pattern, said):
            return error(folder, port, tail)
    return StartFailed(f"the embedded PostgreSQL in {folder} did not start: {tail}", folder=str(folder), log=tail)


_SAYINGS: Sequence[tuple[str, Callable[[Path, int | None, str], Error]]] = (
    (
        r"No space left on device|Errno 28\b",
        lambda folder, _, tail: HostDiskFull(f"the disk of {folder} is full", folder=str(folder), log=tail),
    ),
    (
        r"Address already in use|could not bind",
        lambda _, port, tail: PortTaken(f"port {port} on 127.0.0.1 belongs to another program", port=port, log=tail),
    ),
    (
        r"was initialized by PostgreSQL version|is not compatible with this version",
        lambda folder, _, tail: OtherVersion(folder=str(folder), log=tail),
    ),
    (
        r"[Pp]ermission denied|Read-only file system|has wrong ownership|has invalid permissions",
        lambda folder, _, tail: FolderNotPermitted(f"{folder} can't be used: {tail}", folder=str(folder), log=tail),
    ),
)

_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
