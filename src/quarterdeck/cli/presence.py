"""Which deployment a process command means: the one that is set, else the one that `dev` runs in this folder."""

from pathlib import Path

from quarterdeck.cli.configured import SHORTEST_SECRET, altered, read_settings, with_secret
from quarterdeck.cli.local import find_folder
from quarterdeck.core.errors import Misconfigured
from quarterdeck.core.settings import Settings
from quarterdeck.db.embedded import kept_url
from quarterdeck.db.faults import SecretMissing


class NoDatabase(Misconfigured):
    """No database is set: set QUARTERDECK_DATABASE_URL, or run `qd dev` in this folder, which brings its own."""

    code = "config.no_database"


def settings_here() -> Settings:
    """The settings, with database and secret of this folder's `dev` where none is set.

    A database that was set wants its secret set too: the folder's own would change the passwords of another
    deployment's roles. Raises NoDatabase and SecretMissing.
    """
    settings = read_settings()
    if not settings.database_url and not settings.app_url:
        folder = settings.data_dir if "data_dir" in settings.model_fields_set else find_folder(Path.cwd())
        url = kept_url(folder)
        if url is None:
            raise NoDatabase
        settings = with_secret(altered(settings, data_dir=folder, database_url=url))
    if len(settings.secret_key.get_secret_value()) < SHORTEST_SECRET:
        raise SecretMissing
    return settings
