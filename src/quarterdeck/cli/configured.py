"""Settings as commands read, complete and pass them on."""

import secrets

from pydantic import ValidationError

from quarterdeck.cli.local import write_private
from quarterdeck.core.errors import Misconfigured
from quarterdeck.core.settings import Settings

SHORTEST_SECRET = 16
"""Characters below which a master secret is none."""

_KEPT_IN = "secret.key"


class SettingsInvalid(Misconfigured):
    """A setting can't be read."""

    code = "config.settings_invalid"


def read_settings() -> Settings:
    """The settings of the environment. Raises SettingsInvalid, which names each variable that is wrong."""
    try:
        return Settings()
    except ValidationError as fault:
        wrong = [
            f"QUARTERDECK_{str(error['loc'][0]).upper()}: {error['msg'][:1].lower()}{error['msg'][1:]}"
            for error in fault.errors(include_url=False, include_input=False)
        ]
        raise SettingsInvalid("; ".join(wrong)) from None


def with_secret(settings: Settings) -> Settings:
    """The settings with the folder's own secret where none was set; it is made the first time."""
    if settings.secret_key.get_secret_value():
        return settings
    file = settings.data_dir / _KEPT_IN
    if not file.is_file():
        write_private(file, secrets.token_urlsafe(48).encode())
    return altered(settings, secret_key=file.read_text(encoding="ascii").strip())


def altered(settings: Settings, **changes: object) -> Settings:
    """The same settings but for some. Children of this process are told those that were set, not the defaults."""
    kept = {name: getattr(settings, name) for name in settings.model_fields_set}
    return Settings.model_validate({**kept, **changes})
