"""Letting another user read what a host needs, where it lies inside folders that are closed to others.

`/root` is the common case: Python itself, or the project, often lies below it. In a mount namespace of its own the host
then sees an empty folder in its place, in which nothing but the needed parts is to be found. Nobody else sees that, and
no permission of the machine is changed.
"""

import ctypes
import os
import stat
from collections.abc import Sequence

_CLONE_NEWNS = 0x00020000
_MS_BIND, _MS_REC, _MS_PRIVATE, _MS_NOSUID, _MS_NODEV = 0x1000, 0x4000, 0x40000, 0x2, 0x4


def unreachable(paths: Sequence[str]) -> list[str]:
    """The outermost folders that keep others away from these paths; empty = all can be reached."""
    found: set[str] = set()
    for path in paths:
        place = os.path.realpath(path)
        for folder in _ancestors(place):
            if not _open_to_others(folder, stat.S_IXOTH):
                found.add(folder)
                break
        else:
            if not _open_to_others(place, stat.S_IROTH):
                found.add(place)
    return sorted(found)


def make_reachable(paths: Sequence[str], closed: Sequence[str]) -> bool:
    """Show the paths below the closed folders, and nothing else there, to this process only.

    Works for root that may mount; answers False, with nothing changed, where the system does not allow that, or where a
    path itself is not meant for others.
    """
    needed = {os.path.realpath(path) for path in paths}
    if needed.intersection(closed):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) != 0:
        return False
    if _mount(libc, None, "/", None, _MS_REC | _MS_PRIVATE) != 0:
        return False
    for folder in closed:
        inside = sorted(path for path in needed if path.startswith(folder + "/"))
        # Held open before they disappear from sight; sorted, so that what lies inside another is bound with it.
        held = [(path, os.open(path, os.O_PATH)) for path in _outermost(inside)]
        if _mount(libc, "tmpfs", folder, "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=0755,size=64k") != 0:
            return False
        for path, descriptor in held:
            os.makedirs(path, mode=0o755, exist_ok=True)
            bound = _mount(libc, f"/proc/self/fd/{descriptor}", path, None, _MS_BIND | _MS_REC)
            os.close(descriptor)
            if bound != 0:
                return False
    return True


def _ancestors(path: str) -> list[str]:
    parts = path.split("/")[1:-1]
    return ["/" + "/".join(parts[: count + 1]) for count in range(len(parts))]


def _outermost(paths: Sequence[str]) -> list[str]:
    kept: list[str] = []
    for path in paths:
        if not any(path.startswith(outer + "/") for outer in kept):
            kept.append(path)
    return kept


def _open_to_others(path: str, right: int) -> bool:
    try:
        return bool(os.stat(path).st_mode & right)
    except OSError:
        return False


def _mount(
    libc: ctypes.CDLL, source: str | None, target: str, kind: str | None, flags: int, options: str | None = None
) -> int:
    return libc.mount(_c(source), _c(target), _c(kind), ctypes.c_ulong(flags), _c(options))


def _c(text: str | None) -> bytes | None:
    return os.fsencode(text) if text is not None else None
