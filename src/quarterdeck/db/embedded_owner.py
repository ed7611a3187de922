"""Who runs the embedded PostgreSQL: it refuses root, so root hands it to a user that owns its folder and no more."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from quarterdeck.db.embedded_faults import FolderNotPermitted, NamelessUser

CANDIDATES = ("quarterdeck", "postgres", "daemon")
"""Users that root may hand the database to, best first. Never `nobody`: others run untrusted things as that one."""


class Identity(TypedDict, total=False):
    """The arguments of `subprocess.Popen` that change user; empty where no change is needed."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class Owner:
    """The user that the server's processes run as, and that the data folder belongs to."""

    uid: int
    gid: int
    name: str | None
    by_root: bool
    """Whether we are root and have to change to it."""

    def identity(self) -> Identity:
        """How to start a process as this user."""
        return Identity(user=self.uid, group=self.gid, extra_groups=[]) if self.by_root else Identity()

    def must_have_name(self) -> None:
        """Raises NamelessUser where a new folder is to be made and this user has no entry in /etc/passwd."""
        if self.name is None:
            raise NamelessUser(uid=self.uid)

    def reaches(self, path: Path) -> bool:
        """Whether this user may walk to `path`: judged by mode bits, so that an unusual grant reads as no."""
        return all(self._may_search(parent.stat()) for parent in path.resolve().parents)

    def _may_search(self, folder: os.stat_result) -> bool:
        if folder.st_uid == self.uid:
            return bool(folder.st_mode & stat.S_IXUSR)
        if folder.st_gid == self.gid:
            return bool(folder.st_mode & stat.S_IXGRP)
        return bool(folder.st_mode & stat.S_IXOTH)


def owner_of(folder: Path) -> Owner:
    """The owner of an existing data folder, or the one that a new folder shall have.

    Raises FolderNotPermitted when the folder belongs to somebody we can't become.
    """
    existing = folder.stat().st_uid if folder.is_dir() else None
    me = os.geteuid()
    if me != 0:
        if existing not in {None, me}:
            raise FolderNotPermitted(
                f"{folder} belongs to {_name(existing)} and this process runs as {_name(me)}", folder=str(folder)
            )
        return Owner(me, os.getegid(), _name_or_none(me), by_root=False)
    if existing is not None:
        return Owner(existing, folder.stat().st_gid, _name_or_none(existing), by_root=True)
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Owner(entry.pw_uid, entry.pw_gid, name, by_root=True)
    raise NamelessUser(f"root can't run PostgreSQL, and none of the users {', '.join(CANDIDATES)} exists")


def _name_or_none(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def _name(uid: int | None) -> str:
    return "nobody" if uid is None else _name_or_none(uid) or f"uid {uid}"
