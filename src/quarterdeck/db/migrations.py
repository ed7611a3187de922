"""Plain SQL files, applied forward only, each in one transaction, so that a deployment's processes agree on its tables.

A change expands first and contracts one release later: code of versions N and N-1 runs side by side. A file that
contracts says so in a comment line, `-- oldest code: 0007`: code whose newest migration is older refuses to run there.
"""

import asyncio
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import asyncpg  # pyright: ignore[reportMissingTypeStubs]  # there are none

from quarterdeck.core import log
from quarterdeck.core.settings import Settings
from quarterdeck.db import driver
from quarterdeck.db.driver import Connection
from quarterdeck.db.faults import Contended, MigrationChanged, MigrationFailed, NotPermitted, explain
from quarterdeck.db.pool import Database
from quarterdeck.db.scram import verifier
from quarterdeck.db.urls import APP, OWNER, SYSTEM, password_of

FOLDER = Path(__file__).parent / "migrations"
BOOTSTRAP = 0
"""Version of the file that makes roles and schemas: it runs every time and is not held to a checksum."""

_FILE_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_OLDEST_CODE = re.compile(r"^-- oldest code: (\d{4})$", re.MULTILINE)
_ATTEMPTS = 8
_LOCK = int.from_bytes(hashlib.sha256(b"quarterdeck migrate").digest()[:8], "big", signed=True)
_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Migration:
    """One file."""

    version: int
    name: str
    sql: str
    sha256: str
    oldest_code: int


@dataclass(frozen=True, slots=True)
class Applied:
    """One row of the database's own list."""

    version: int
    name: str
    sha256: str
    oldest_code: int


@dataclass(frozen=True, slots=True)
class Readiness:
    """How this code and the database's tables stand to each other."""

    pending: tuple[str, ...]
    """Files that `migrate` has still to apply: not ready."""
    ahead: tuple[str, ...]
    """Migrations of a newer version of the code: ready, as long as `too_old` is false."""
    too_old: bool
    """The database has dropped something that this code needs."""

    @property
    def ready(self) -> bool:
        """Whether this code may work on this database."""
        return not self.pending and not self.too_old


# All migrations that this database has seen.
SELECT_APPLIED = "SELECT version, name, sha256, oldest_code FROM qd.schema_migrations ORDER BY version"

# Whether the list exists at all, asked without an error when it does not.
SELECT_HAS_LIST = "SELECT to_regclass('qd.schema_migrations') IS NOT NULL"

# Note a migration, in the transaction that makes it true; the bootstrap is noted once and repeated always.
INSERT_APPLIED = """
INSERT INTO qd.schema_migrations (version, name, sha256, oldest_code) VALUES ($1, $2, $3, $4)
ON CONFLICT (version) DO UPDATE SET sha256 = excluded.sha256 WHERE schema_migrations.version = 0
"""

# Two `migrate` at once: the second waits here and then finds nothing to do.
TAKE_LOCK = "SELECT pg_advisory_lock($1)"


def read_migrations(folder: Path = FOLDER) -> tuple[Migration, ...]:
    """All files of a folder in order. Raises MigrationFailed for a file name or a numbering that can't be right."""
    found: dict[int, Migration] = {}
    for path in sorted(folder.glob("*.sql")):
        match = _FILE_NAME.fullmatch(path.name)
        if match is None:
            raise MigrationFailed(f"{path.name}: a migration is called NNNN_name.sql", file=path.name)
        version = int(match[1])
        if version in found:
            raise MigrationFailed(f"{path.name} has the number of {found[version].name}", file=path.name)
        sql = path.read_text(encoding="utf-8").replace("\r\n", "\n")
        oldest = _OLDEST_CODE.search(sql)
        digest = hashlib.sha256(sql.encode()).hexdigest()
        found[version] = Migration(version, path.name, sql, digest, int(oldest[1]) if oldest else 0)
    return tuple(found.values())


def compare(known: tuple[Migration, ...], applied: tuple[Applied, ...]) -> Readiness:
    """Judge a database's list against the files. Raises MigrationChanged for an applied file with another content."""
    done = {row.version: row for row in applied}
    for migration in known:
        row = done.get(migration.version)
        if row is not None and migration.version != BOOTSTRAP and row.sha256 != migration.sha256:
            raise MigrationChanged(
                f"{migration.name} differs from what was applied: restore it, and put the change into a new file",
                file=migration.name,
            )
    newest = max((migration.version for migration in known), default=0)
    return Readiness(
        pending=tuple(m.name for m in known if m.version not in done),
        ahead=tuple(row.name for row in applied if row.version > newest),
        too_old=any(row.oldest_code > newest for row in applied),
    )


async def readiness(database: Database, folder: Path = FOLDER) -> Readiness:
    """Compare the database with this code; any role may ask. Raises DatabaseAway and the like."""
    async with database.app.transaction() as tx:
        has_list = await tx.fetchval(SELECT_HAS_LIST)
        rows = await tx.fetch(SELECT_APPLIED) if has_list else []
    verdict = compare(read_migrations(folder), tuple(Applied(**row) for row in rows))
    if verdict.ahead:
        _log.warning("database.ahead_of_code", ahead=list(verdict.ahead), too_old=verdict.too_old)
    return verdict


async def migrate(settings: Settings, *, owner: str = "", folder: Path = FOLDER) -> tuple[str, ...]:
    """Bring the database up to this code and answer the names of the files that this took.

    Safe to repeat, and to run twice at once. Connects as the owner (`owner` stands in for `settings.database_url`), not
    through PgBouncer. Each file is one transaction: after a crash or an error what was finished stays, and the next
    `migrate` goes on from there. Raises MigrationChanged, MigrationFailed, NotPermitted, DatabaseAway and the like.
    """
    known = read_migrations(folder)
    passwords = _passwords(settings)
    try:
        connection = await driver.connect(owner or settings.database_url)
    except Exception as fault:
        raise explain(fault, closed=True) or fault from fault
    try:
        await connection.execute(TAKE_LOCK, _LOCK)
        return await _migrate(connection, known, passwords)
    finally:
        await connection.close(timeout=5.0)


async def _migrate(connection: Connection, known: tuple[Migration, ...], passwords: dict[str, str]) -> tuple[str, ...]:
    for migration in known:
        if migration.version == BOOTSTRAP:
            await _run(connection, migration, _with_passwords(migration.sql, passwords))
    await connection.execute(f"SET ROLE {OWNER}")
    applied = tuple(Applied(**row) for row in await connection.fetch(SELECT_APPLIED))
    pending = compare(known, applied).pending
    for migration in known:
        if migration.name in pending:
            await _run(connection, migration, migration.sql)
            _log.info("database.migrated", file=migration.name)
    return pending


async def _run(connection: Connection, migration: Migration, script: str) -> None:
    """One file in one transaction, again when another process was in its way."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            # The lock timeout keeps a change that waits for a table from stopping all who come after it.
            await connection.execute(f"BEGIN; SET LOCAL lock_timeout = '5s';\n{script}")
            await connection.execute(
                INSERT_APPLIED, migration.version, migration.name, migration.sha256, migration.oldest_code
            )
            await connection.execute("COMMIT")
        except _IN_THE_WAY[migration.version == BOOTSTRAP] as fault:
            await connection.execute("ROLLBACK")
            if attempt == _ATTEMPTS:
                raise Contended(f"{migration.name} could not get its locks", reason=str(fault)) from fault
            _log.warning("database.migration_waits", file=migration.name, reason=str(fault))
            await asyncio.sleep(0.05 * 2**attempt)
        except asyncpg.InsufficientPrivilegeError as fault:
            raise NotPermitted(f"{migration.name}: {fault}", file=migration.name) from fault
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as fault:
            error = explain(fault, closed=connection.is_closed())
            raise error or MigrationFailed(f"{migration.name}: {fault}", file=migration.name) from fault
        else:
            return


def _passwords(settings: Settings) -> dict[str, str]:
    """Derived passwords; a role whose URL was given keeps the password that its owner chose."""
    given = {APP: settings.app_url, SYSTEM: settings.system_url}
    return {role: password_of(settings, role) for role, url in given.items() if not url}


def _with_passwords(sql: str, passwords: dict[str, str]) -> str:
    """The bootstrap script, then the passwords as the user who connected, then qd_owner again."""
    # A verifier is base64, digits and `$:-`: nothing in it has to be quoted.
    logins = [f"ALTER ROLE {role} PASSWORD '{verifier(password)}';" for role, password in passwords.items()]
    return "\n".join([sql, "RESET ROLE;", *logins, f"SET LOCAL ROLE {OWNER};"])


_CONTENDED = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
# Roles belong to the whole server: two databases that are bootstrapped at once meet there, in these ways.
_MEET_AT_ROLES = (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError, asyncpg.InternalServerError)
_IN_THE_WAY = (_CONTENDED, (*_CONTENDED, *_MEET_AT_ROLES))
