"""PostgreSQL servers for tests: one of each kind a test run, shared by its parallel workers, ended with it."""

import asyncio
import contextlib
import fcntl
import os
import re
import shutil
import tempfile
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
from pydantic import SecretStr

from quarterdeck.core.settings import Settings
from quarterdeck.db import driver
from quarterdeck.db.embedded import EmbeddedPostgres
from quarterdeck.db.embedded_binaries import Install
from quarterdeck.db.embedded_faults import AlreadyRunning
from quarterdeck.db.migrations import migrate
from quarterdeck.db.urls import with_database
from quarterdeck.engine import store as engine

SECRET = "a secret for tests, long enough"
EXTERNAL_URL = os.environ.get("QUARTERDECK_TEST_DATABASE_URL", "")
"""A superuser's URL of a server to run the `system` tests on, instead of Debian's own PostgreSQL."""
DEBIAN = Path("/usr/lib/postgresql")
OLDEST = 15

_TEMPLATE = "qd_template"
_ROOM_NEEDED = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Server:
    """A running PostgreSQL with a migrated template database."""

    kind: str
    url: str
    template: str

    @contextlib.asynccontextmanager
    async def fresh_database(self, *, migrated: bool = True):
        """A database of its own, dropped afterwards; answers the superuser's URL. Takes some 50 ms."""
        name = f"t_{uuid4().hex[:16]}"
        template = self.template if migrated else "template1"
        # Copying files costs half of what logging every page costs, but two checkpoints: only memory does those fast.
        strategy = "file_copy" if self._in_memory else "wal_log"
        admin = await driver.connect(self.url)
        try:
            await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY {strategy}")
            try:
                yield with_database(self.url, name)
            finally:
                # Each drop is a checkpoint. On a disk that costs more than the space, which goes with the server.
                if self.url == EXTERNAL_URL or self._in_memory:
                    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        finally:
            await admin.close()

    @property
    def _in_memory(self) -> bool:
        return self.url != EXTERNAL_URL and _ROOM.is_relative_to("/dev/shm")


def quick_folder() -> Path:
    """Where data is best kept in tests: in memory if there is room, since most of a test's time is flushing to disk."""
    memory = Path("/dev/shm")
    in_memory = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > _ROOM_NEEDED
    return memory if in_memory else Path(tempfile.gettempdir())


_ROOM = quick_folder() / f"quarterdeck-tests-{os.geteuid()}"


class Servers:
    """The servers of this test process, started when a test first wants them."""

    def __init__(self, test_run: str) -> None:
        self._test_run = test_run
        self._open = contextlib.ExitStack()
        self._servers: dict[str, Server] = {}

    def get(self, kind: str) -> Server:
        """The server of a kind: `embedded`, or `system`; skips the test where there is no such server."""
        if kind not in self._servers:
            self._servers[kind] = self._open.enter_context(_shared(kind, self._test_run))
        return self._servers[kind]

    def close(self) -> None:
        self._open.close()


def debian_install() -> Install | None:
    """The newest PostgreSQL of Debian's that is new enough."""
    found = [path for path in DEBIAN.glob("*/bin/postgres") if path.parent.parent.name.isdigit()]
    majors = sorted((int(path.parent.parent.name) for path in found), reverse=True)
    return Install(DEBIAN / str(majors[0]), majors[0]) if majors and majors[0] >= OLDEST else None


@contextlib.contextmanager
def _shared(kind: str, test_run: str) -> Generator[Server]:
    """The first process of a test run that comes here starts the server, and stops it when the others have gone."""
    _ROOM.mkdir(mode=0o700, exist_ok=True)
    _sweep()
    folder = _ROOM / f"{test_run}-{kind}"
    (folder / "users").mkdir(parents=True, exist_ok=True)
    me = folder / "users" / str(os.getpid())
    with contextlib.ExitStack() as mine:
        with _turn(folder):
            me.touch()
            note = folder / "url"
            first = not note.exists()
            if first:
                url, template = _start(kind, test_run, folder, mine)
                note.write_text(f"{url}\n{template}")
            url, template = note.read_text().split("\n")
        try:
            yield Server(kind, url, template)
        finally:
            me.unlink()
            while first and _still_used(folder):
                time.sleep(0.05)


def _start(kind: str, test_run: str, folder: Path, mine: contextlib.ExitStack) -> tuple[str, str]:
    mine.callback(shutil.rmtree, folder, ignore_errors=True)
    template = _TEMPLATE
    if kind == "system" and EXTERNAL_URL:
        url, template = EXTERNAL_URL, f"{_TEMPLATE}_{re.sub('[^a-z0-9]', '', test_run)}"
        mine.callback(lambda: asyncio.run(_execute(url, f"DROP DATABASE {template}")))
    else:
        installs = None
        if kind == "system":
            install = debian_install()
            if install is None:
                pytest.skip("no second PostgreSQL: install Debian's postgresql or set QUARTERDECK_TEST_DATABASE_URL")
            installs = [install]
        server = EmbeddedPostgres(folder, installs=installs, settings={"max_wal_size": "256MB", "min_wal_size": "80MB"})
        server.start()
        mine.callback(server.stop)
        url = server.url
    asyncio.run(_make_template(url, template))
    return url, template


async def _make_template(url: str, template: str) -> None:
    await _execute(url, f"CREATE DATABASE {template}")
    await migrate(Settings(secret_key=SecretStr(SECRET), database_url=with_database(url, template)))
    owner = await driver.connect(with_database(url, template))
    try:
        await owner.execute("SET ROLE qd_owner")
        await engine.install(owner)
    finally:
        await owner.close()


async def _execute(url: str, statement: str) -> None:
    connection = await driver.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _still_used(folder: Path) -> bool:
    return any(psutil.pid_exists(int(user.name)) for user in (folder / "users").iterdir())


@contextlib.contextmanager
def _turn(folder: Path) -> Generator[None]:
    with (folder / "turn").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sweep() -> None:
    """Remove what test runs have left that were killed: their servers go on, and nobody else would ever stop them."""
    for folder in _ROOM.iterdir():
        if not (folder / "postgres.lock").exists() or _still_used(folder):
            continue
        with contextlib.suppress(AlreadyRunning, OSError):
            left = EmbeddedPostgres(folder)
            left.start()
            left.stop()
        shutil.rmtree(folder, ignore_errors=True)
