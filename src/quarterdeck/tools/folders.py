"""A release's files on this machine: written once, named by the release's id, and read-only from then on."""

import hashlib
import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from quarterdeck.core.ids import token
from quarterdeck.tools.errors import ToolsUnprepared

_READY = 0o555


def place_of(root: Path, release: str) -> Path:
    """Where a release's files lie, or will lie."""
    return root / "releases" / release


def write_out(root: Path, release: str, files: Mapping[str, bytes], digests: Mapping[str, str]) -> Path:
    """Write a release's files, each checked against its digest. Idempotent, also among several processes.

    Raises ToolsUnprepared where a file is not what the manifest says, or leads out of the folder.
    """
    place = place_of(root, release)
    if place.is_dir():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    # Hosts of all tenants pass through here, and a release's id is nothing that one could guess: no listing.
    place.parent.chmod(0o711)
    draft = place.parent / f".{release[:16]}.{token(6)}"
    try:
        for name, content in files.items():
            _write(draft, name, content, digests.get(name))
        draft.mkdir(exist_ok=True)
        _seal(draft)
        os.rename(draft, place)
    except OSError as fault:
        # Another process was quicker: what it wrote was checked in the same way.
        if not place.is_dir():
            raise ToolsUnprepared(f"The release's files could not be written: {fault.strerror}.") from fault
    finally:
        remove(draft)
    return place


def remove(folder: Path) -> None:
    """Remove a folder of ours, read-only as it may be."""
    if not folder.exists():
        return
    for path, _, _ in os.walk(folder):
        Path(path).chmod(0o755)
    shutil.rmtree(folder, ignore_errors=True)


def _write(folder: Path, name: str, content: bytes, digest: str | None) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or not path.parts or ".." in path.parts or "\0" in name:
        raise ToolsUnprepared(f"The release holds a file called {name[:100]!r}, which leads out of its folder.")
    if digest is not None and hashlib.sha256(content).hexdigest() != digest:
        raise ToolsUnprepared(f"The release's file {name[:100]!r} is not the one that its manifest names.")
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)


def _seal(folder: Path) -> None:
    """Readable by whoever runs the host, writable by nobody."""
    for path, _, names in os.walk(folder, topdown=False):
        for name in names:
            (Path(path) / name).chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
        Path(path).chmod(_READY)
