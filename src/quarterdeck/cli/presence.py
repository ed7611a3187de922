"""Which deployment a process command means: the one that is set, else the one that `dev` runs in this folder."""

from pathlib import Path

from quarterdeck.cli.configured import altered, read_settings, with_secret
from quarterdeck.cli.local import find_folder
from quarterdeck.core.errors import Misconfigured
from quarterdeck.core.settings import Settings
from quarterdeck.db.embedded import kept_url


class NoDatabase(Misconfigured):
    """No database is set: set QUARTERDECK_DATABASE_URL, or run `qd dev` in this folder, which brings its own."""

    code = "config.no_database"


def settings_here() -> Settings:
    """The settings, with database and secret of this folder's `dev` where none is set. Raises NoDatabase."""
    settings = read_settings()
    if settings.database_url or settings.app_url:
        return settings
    folder = settings.data_dir if "data_dir" in settings.model_fields_set else find_folder(Path.cwd())
    url = kept_url(folder)
    if url is None:
        raise NoDatabase
    return with_secret(altered(settings, data_dir=folder, database_url=url))
