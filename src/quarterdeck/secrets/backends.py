"""Where secrets can live beside the vault. Each back end has a name, by which references call it: `secret://env/NAME`."""

import asyncio
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from quarterdeck.core.settings import Settings
from quarterdeck.secrets.records import LARGEST, SecretMissing

_PREFIX = "QUARTERDECK_SECRET_"


class Backend(Protocol):
    """A place that somebody else looks after. It is read at each use, so that a change there counts at once."""

    async def read(self, name: str) -> str | None:
        """The secret's value, or None where there is none. Raises SecretMissing where it can't or must not be read."""
        ...


@dataclass(frozen=True, slots=True)
class Environment:
    """The environment of this process: `NAME` is the variable QUARTERDECK_SECRET_NAME."""

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    async def read(self, name: str) -> str | None:
        """The variable's value. The deployment's own master secret is none of them, though it is called alike."""
        if f"secret_{name.lower()}" in Settings.model_fields:
            raise SecretMissing(f"`secret://env/{name}` would be a setting of the deployment itself.")
        return self.environment.get(_PREFIX + name) or self.environment.get(_PREFIX + name.upper()) or None


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder with a file a secret, as orchestrators mount them. One line break at a file's end does not count."""

    path: Path

    async def read(self, name: str) -> str | None:
        """The file's content. Raises SecretMissing for one that others on this machine may read or write."""
        return await asyncio.to_thread(self._read, name)

    def _read(self, name: str) -> str | None:
        folder = self.path.resolve()
        # Orchestrators swap all files at once through a link inside the folder; one that leads out of it is none.
        place = (folder / name).resolve()
        if not place.is_relative_to(folder):
            raise SecretMissing(f"`secret://file/{name}` leads out of its folder.")
        try:
            descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as fault:
            raise SecretMissing(f"`secret://file/{name}` can't be read: {fault.strerror}.") from None
        with os.fdopen(descriptor, "rb") as file:
            problem = _problem(os.fstat(file.fileno()))
            if problem is not None:
                raise SecretMissing(f"`secret://file/{name}` is not used: {problem}.")
            content = file.read(LARGEST + 2)
        try:
            return content.decode().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            raise SecretMissing(f"`secret://file/{name}` is no text.") from None


def backends_of(settings: Settings) -> Mapping[str, Backend]:
    """The back ends of a deployment, by name."""
    found: dict[str, Backend] = {"env": Environment()}
    if settings.vault_folder is not None:
        found["file"] = Folder(settings.vault_folder)
    return found


def open_to(settings: Settings) -> Mapping[str, frozenset[str]]:
    """The tenants that may use each back end, by slug; `*` is every tenant."""
    lists = {"env": settings.vault_env_tenants, "file": settings.vault_file_tenants}
    return {name: frozenset(slug.strip() for slug in text.split(",") if slug.strip()) for name, text in lists.items()}


def _problem(found: os.stat_result) -> str | None:
    """Why a file's content is no secret."""
    if not stat.S_ISREG(found.st_mode):
        return "it is no file"
    if found.st_uid not in {0, os.geteuid()}:
        return "it belongs to another user"
    if found.st_mode & (stat.S_IRWXO | stat.S_IWGRP):
        return f"its mode {stat.S_IMODE(found.st_mode):o} lets others read or write it; chmod it to 400 or 440"
    return None
