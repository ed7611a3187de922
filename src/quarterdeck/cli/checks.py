"""What `doctor` looks at, one check after the other; each says what it found and how to put it right."""

import asyncio
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from quarterdeck.cli.configured import SHORTEST_SECRET
from quarterdeck.core.errors import Error
from quarterdeck.core.settings import Settings
from quarterdeck.db.checks import refuse_unmigrated, refuse_unsafe
from quarterdeck.db.partitions import look_at_partitions
from quarterdeck.db.pool import Database
from quarterdeck.db.urls import redacted, urls_of
from quarterdeck.engine import store as engine
from quarterdeck.providers.records import NEEDS_KEY, Connection
from quarterdeck.providers.service import Providers

_GIGABYTE = 1024**3
_LEAST_DISK, _LITTLE_DISK = _GIGABYTE // 4, 2 * _GIGABYTE
_WRONG_CLOCK, _OFF_CLOCK = 30.0, 2.0

# The server's version and its clock, asked in one round trip.
SELECT_SERVER = "SELECT current_setting('server_version') AS version, clock_timestamp() AS now"


class Verdict(StrEnum):
    """How a check went."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what was found, and where it is not well, what to do."""

    name: str
    verdict: Verdict
    found: str
    fix: str = ""


async def examine(settings: Settings) -> AsyncGenerator[Check]:
    """All checks, in the order in which one depends on the other. What can't be looked at is said, not left out."""
    yield check_python()
    yield check_secret(settings)
    yield check_folder(settings.data_dir)
    yield check_disk(settings.data_dir)
    async for check in _of_server(settings):
        yield check
    yield await check_tool_host(settings)


async def _of_server(settings: Settings) -> AsyncIterator[Check]:
    address = settings.database_url or settings.app_url
    if not address:
        fix = "set QUARTERDECK_DATABASE_URL, or run `qd dev` in this folder, which brings its own"
        yield Check("database", Verdict.FAIL, "none is set", fix)
        return
    try:
        database = await Database.open(urls_of(settings), size=2)
    except Error as fault:
        fix = "start it, or correct QUARTERDECK_DATABASE_URL"
        yield Check("database", Verdict.FAIL, f"{_shown(address)}: {fault.detail}", fix)
        return
    try:
        async for check in _of_database(database, settings):
            yield check
    finally:
        await database.close()


def check_python() -> Check:
    """The interpreter."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.platform in {"linux", "darwin"}:
        return Check("python", Verdict.OK, f"{version} on {sys.platform}")
    return Check("python", Verdict.FAIL, f"{version} on {sys.platform}", "use Linux or macOS")


def check_secret(settings: Settings) -> Check:
    """The master secret, from which all others derive."""
    length = len(settings.secret_key.get_secret_value())
    if length < SHORTEST_SECRET:
        fix = "set it to at least 16 characters of chance, the same for every process, and keep it"
        return Check("secret", Verdict.FAIL, "QUARTERDECK_SECRET_KEY is not set" if not length else "too short", fix)
    return Check("secret", Verdict.OK, f"{length} characters")


def check_folder(folder: Path) -> Check:
    """The data folder, and that nobody else can read what is secret in it."""
    if not folder.is_dir():
        return Check("data folder", Verdict.OK, f"{folder} will be made when it is needed")
    if not os.access(folder, os.W_OK | os.X_OK):
        return Check("data folder", Verdict.FAIL, f"{folder} can't be written", "give it to the user that runs this")
    open_files = [
        name for name in ("secret.key", "access.json", "postgres.password") if _readable_by_others(folder / name)
    ]
    if open_files:
        found = f"others can read {', '.join(open_files)}"
        return Check(
            "data folder", Verdict.FAIL, found, f"chmod 600 {' '.join(str(folder / name) for name in open_files)}"
        )
    return Check("data folder", Verdict.OK, str(folder))


def check_disk(folder: Path) -> Check:
    """Room on the data folder's disk."""
    nearest = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(nearest).free
    found = f"{free / _GIGABYTE:,.1f} GB free"
    if free < _LEAST_DISK:
        return Check("disk", Verdict.FAIL, found, "make room: a database with a full disk stops")
    return Check("disk", Verdict.WARN if free < _LITTLE_DISK else Verdict.OK, found, "make room before it is gone")


async def _of_database(database: Database, settings: Settings) -> AsyncIterator[Check]:
    async with database.system.transaction() as tx:
        row = await tx.fetchrow(SELECT_SERVER)
    assert row is not None, "a statement without a table has a row"
    yield Check("database", Verdict.OK, f"PostgreSQL {row['version']}")
    yield check_clock(row["now"], datetime.now(UTC))
    try:
        await refuse_unsafe(database)
        yield Check("roles", Verdict.OK, "row-level security holds qd_app and qd_system; commits are durable")
    except Error as fault:
        yield Check("roles", Verdict.FAIL, fault.detail, "run `quarterdeck migrate`, and see what is said here")
    try:
        await refuse_unmigrated(database)
    except Error as fault:
        yield Check("migrations", Verdict.FAIL, fault.detail, "quarterdeck migrate")
        return
    yield Check("migrations", Verdict.OK, "up to date")
    async with database.system.transaction() as tx:
        partitions = await look_at_partitions(tx)
        workers = [str(worker["state"]) for worker in await engine.listed(tx)]
    yield check_partitions(partitions.months, default_has_rows=partitions.default_has_rows)
    yield check_workers(workers)
    yield check_providers(await Providers.of(database, settings).all())


def check_clock(theirs: datetime, ours: datetime) -> Check:
    """This machine's clock against the database's, by which leases and partitions go."""
    off = abs((theirs - ours).total_seconds())
    verdict = Verdict.FAIL if off > _WRONG_CLOCK else Verdict.WARN if off > _OFF_CLOCK else Verdict.OK
    return Check("clock", verdict, f"{off:.1f} s from the database's", "synchronise the clocks, for example by chrony")


def check_partitions(months: Sequence[str], *, default_has_rows: bool) -> Check:
    """The log's partitions for the time to come."""
    if default_has_rows:
        found = "events were written that no month was ready for"
        return Check("partitions", Verdict.FAIL, found, "see docs: rows in run_events_default have to be moved")
    ahead = [month for month in months if month > f"run_events_{datetime.now(UTC):%Y_%m}"]
    if not ahead:
        return Check("partitions", Verdict.WARN, "none for next month", "run a worker: it makes them by itself")
    return Check("partitions", Verdict.OK, f"{len(ahead)} months ahead")


def check_workers(states: Sequence[str]) -> Check:
    """Somebody has to execute runs."""
    alive = states.count("alive")
    if not alive:
        return Check("workers", Verdict.WARN, "none is alive: runs wait", "start one: qd worker, or qd dev")
    return Check("workers", Verdict.OK, f"{alive} alive")


def check_providers(connections: Sequence[Connection]) -> Check:
    """Somebody has to answer agents."""
    keyless = [one.name for one in connections if one.kind in NEEDS_KEY and one.sealed_key is None]
    if keyless:
        fix = f"qd provider update {keyless[0]} --key-from VARIABLE"
        return Check("providers", Verdict.FAIL, f"{', '.join(keyless)} has no key", fix)
    if not connections:
        fix = "qd provider add openai --kind openai --key-from OPENAI_API_KEY"
        return Check("providers", Verdict.WARN, "none is connected: agents can ask no model", fix)
    return Check("providers", Verdict.OK, ", ".join(f"{one.name} ({one.kind})" for one in connections))


async def check_tool_host(settings: Settings) -> Check:
    """What holds tool code back here: a tool host is started and says what is in force."""
    from quarterdeck.releases.records import ToolServer
    from quarterdeck.spec.values import ServerKind
    from quarterdeck.tools import folders
    from quarterdeck.tools.launch import launch_of, uid_for
    from quarterdeck.tools.local import LocalServer
    from quarterdeck.tools.sandbox import Missing, Mode, Wanted, find

    root = Path(tempfile.mkdtemp(prefix="quarterdeck-doctor-"))
    try:
        folder = await asyncio.to_thread(folders.write_out, root, "doctor", {"nothing.py": _MODULE}, {})
        server = ToolServer("doctor", ServerKind.PYTHON, module="nothing.py")
        uid = uid_for(settings.tool_host_uid, server.name)
        wanted = Wanted.of(settings)
        launch = launch_of(server, folder, root, memory=settings.tool_host_memory, uid=uid, wanted=wanted)
        running = LocalServer(launch, None, lambda _: None)
        try:
            await running.start()
            found = find()
            if wanted.mode is Mode.OFF:
                return judge_isolation(running.process.isolation, "it is switched off", "QUARTERDECK_TOOL_SANDBOX=auto")
            if isinstance(found, Missing):
                return judge_isolation(running.process.isolation, found.why, found.fix)
            return judge_isolation(running.process.isolation)
        finally:
            await running.close()
    except (Error, OSError) as fault:
        return Check("tool host", Verdict.FAIL, f"does not start: {fault}", "agents with Python tools can't run here")
    finally:
        await asyncio.to_thread(folders.remove, root)


def judge_isolation(in_force: Sequence[str], why: str = "", fix: str = "") -> Check:
    """Whether code of others may run here: what is in force and what is not, why there is no sandbox, and the fix."""
    found = ", ".join(in_force) or "nothing"
    if any(measure.startswith("sandbox=") for measure in in_force):
        return Check("tool host", Verdict.OK, found)
    lacking = ["tools reach the whole network", "see all files that their user may read"]
    if not any(measure.startswith("uid=") for measure in in_force):
        lacking.append("and run as your user (start workers as root: they change users)")
    found = f"{found}; no sandbox{f' ({why})' if why else ''}: {', '.join(lacking)}"
    return Check("tool host", Verdict.WARN, found, fix or "register only code that you trust")


_MODULE = b"""\
from quarterdeck.tools.author import tool


@tool(effect="read")
def nothing() -> str:
    return "nothing"
"""


def _shown(address: str) -> str:
    try:
        return redacted(address)
    except Error:
        return "the address that is set"


def _readable_by_others(file: Path) -> bool:
    try:
        return bool(file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
    except OSError:
        return False
