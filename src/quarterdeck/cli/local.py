"""The deployment that lives in a folder: its secret, where it answers, and the keys made for whoever works there.

The folder is `.quarterdeck` unless set otherwise. Everything secret in it is a file that only its owner may read.
"""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

import msgspec

from quarterdeck.core.json import encode
from quarterdeck.core.settings import Settings

FOLDER = ".quarterdeck"
_SECRET, _ACCESS = "secret.key", "access.json"


@dataclass(frozen=True, slots=True)
class Access:
    """Where a deployment answers and what opens it: a tenant's key for daily work, the admin's for the rest."""

    url: str
    tenant: str
    key: str
    admin_key: str


def with_secret(settings: Settings) -> Settings:
    """The settings with the folder's own secret where none was set; it is made the first time."""
    if settings.secret_key.get_secret_value():
        return settings
    file = settings.data_dir / _SECRET
    if not file.is_file():
        write_private(file, secrets.token_urlsafe(48).encode())
    return altered(settings, secret_key=file.read_text(encoding="ascii").strip())


def altered(settings: Settings, **changes: object) -> Settings:
    """The same settings but for some. Children of this process are told those that were set, not the defaults."""
    kept = {name: getattr(settings, name) for name in settings.model_fields_set}
    return Settings.model_validate({**kept, **changes})


def remember(folder: Path, access: Access) -> None:
    """Keep what opens this folder's deployment, for the commands that are run here later."""
    write_private(folder / _ACCESS, encode(access))


def recall(folder: Path) -> Access | None:
    """What `remember` kept; None where there is nothing, or nothing that can be read or trusted."""
    file = folder / _ACCESS
    try:
        # A file of somebody else's would send our prompts to a server of theirs.
        if file.stat().st_uid not in {os.geteuid(), 0}:
            return None
        return msgspec.json.decode(file.read_bytes(), type=Access)
    except (OSError, msgspec.MsgspecError):
        return None


def find_folder(start: Path, named: str = "") -> Path:
    """The folder of the deployment that commands in `start` mean: the named one, else the nearest above."""
    if named:
        return Path(named)
    for parent in (start, *start.parents):
        if (parent / FOLDER / _ACCESS).is_file():
            return parent / FOLDER
    return start / FOLDER


def write_private(file: Path, content: bytes) -> None:
    """Write a file that only we may read, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(file)
