"""What can go wrong with the database, as errors that a user may read, and the translation of the driver's own."""

import asyncpg  # pyright: ignore[reportMissingTypeStubs]  # there are none

from quarterdeck.core.errors import Error, Misconfigured, Unavailable


class DatabaseAway(Unavailable):
    """The database can't be reached just now; nothing was changed, try again."""

    code = "database.away"


class CommitUnknown(DatabaseAway):
    """The database went away during a commit: whether the change was made is not known, so look before repeating it."""

    code = "database.commit_unknown"


class DatabaseBusy(Unavailable):
    """The database has no connection to spare; try again in a moment."""

    code = "database.busy"


class DatabaseFull(Unavailable):
    """The database's disk is full: nothing can be written until space is made."""

    code = "database.full"


class Contended(Unavailable):
    """Another transaction was in the way and this one was undone; it can simply be repeated."""

    code = "database.contended"


class StatementTooSlow(Unavailable):
    """A statement took longer than the database allows and was stopped; nothing was changed."""

    code = "database.too_slow"


class CommitRefused(Error):
    """A statement of this transaction had failed and the failure was swallowed, so nothing was committed."""

    code = "database.commit_refused"


class LoginRefused(Misconfigured):
    """The database refused this user or password; check QUARTERDECK_DATABASE_URL and run `quarterdeck migrate`."""

    code = "database.login_refused"


class NoSuchDatabase(Misconfigured):
    """The server has no database of this name; create it or correct QUARTERDECK_DATABASE_URL."""

    code = "database.missing"


class SecretMissing(Misconfigured):
    """QUARTERDECK_SECRET_KEY is missing or shorter than 16 characters: passwords of database roles derive from it."""

    code = "config.secret_missing"


class BadUrl(Misconfigured):
    """A database URL can't be read; it looks like postgresql://user:password@host:5432/database."""

    code = "config.bad_url"


class MigrationChanged(Misconfigured):
    """A migration was changed after this database applied it; restore it, and put the change into a new file."""

    code = "database.migration_changed"


class MigrationFailed(Misconfigured):
    """A migration can't be applied; the database is as it was before this file."""

    code = "database.migration_failed"


class MigrationsPending(Misconfigured):
    """The database is older than this code; run `quarterdeck migrate` first."""

    code = "database.migrations_pending"


class CodeTooOld(Misconfigured):
    """The database was migrated for a newer version and lacks what this one needs; upgrade this process."""

    code = "database.code_too_old"


class NotPermitted(Misconfigured):
    """The user of QUARTERDECK_DATABASE_URL may not do this; it needs CREATEROLE and CREATE on the database."""

    code = "database.not_permitted"


class RoleTooPowerful(Misconfigured):
    """A process connects as a role that row-level security does not hold."""

    code = "database.role_too_powerful"


class NotDurable(Misconfigured):
    """The server may lose what it says it has committed."""

    code = "database.not_durable"


class ServerTooOld(Misconfigured):
    """This PostgreSQL is older than Quarterdeck can use."""

    code = "database.server_too_old"


def explain(fault: BaseException, *, closed: bool = False) -> Error | None:
    """Our error for a fault of the driver or the network; None when the database's state is not to blame.

    `closed` says that the connection is gone (or never came): only then is an OSError, or the driver's plain
    "connection is closed", taken for the loss of the database and not for something of the caller's own.
    """
    for kinds, error in _SENTENCES:
        if isinstance(fault, kinds):
            return error(reason=_first_line(fault))
    if closed and isinstance(fault, (OSError, asyncpg.InterfaceError)):
        return DatabaseAway(reason=_first_line(fault))
    return None


_SENTENCES: tuple[tuple[tuple[type[BaseException], ...], type[Error]], ...] = (
    (
        (
            asyncpg.SerializationError,
            asyncpg.DeadlockDetectedError,
            asyncpg.LockNotAvailableError,
            # A migration changed a table under a prepared statement; the driver has forgotten the old plan by now.
            asyncpg.InvalidCachedStatementError,
            asyncpg.OutdatedSchemaCacheError,
        ),
        Contended,
    ),
    (
        (
            asyncpg.PostgresConnectionError,
            asyncpg.AdminShutdownError,
            asyncpg.CrashShutdownError,
            asyncpg.CannotConnectNowError,
            asyncpg.DatabaseDroppedError,
            asyncpg.IdleSessionTimeoutError,
            asyncpg.IdleInTransactionSessionTimeoutError,
            # The driver's words for a statement that meets the server's farewell before the connection is closed.
            asyncpg.InternalClientError,
        ),
        DatabaseAway,
    ),
    ((asyncpg.DiskFullError,), DatabaseFull),
    ((asyncpg.QueryCanceledError,), StatementTooSlow),
    ((asyncpg.TooManyConnectionsError,), DatabaseBusy),
    ((asyncpg.InvalidAuthorizationSpecificationError,), LoginRefused),
    ((asyncpg.InvalidCatalogNameError,), NoSuchDatabase),
)


def _first_line(fault: BaseException) -> str:
    return (str(fault) or type(fault).__name__).splitlines()[0]
