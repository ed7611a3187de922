"""The deployment that lives in a folder: where it answers, and the keys made for whoever works there.

The folder is `.quarterdeck` unless set otherwise. Everything secret in it is a file that only its owner may read.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from quarterdeck.core.json import encode

FOLDER = ".quarterdeck"
_ACCESS = "access.json"


@dataclass(frozen=True, slots=True)
class Access:
    """Where a deployment answers and what opens it: a tenant's key for daily work, the admin's for the rest."""

    url: str
    tenant: str
    key: str
    admin_key: str


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
