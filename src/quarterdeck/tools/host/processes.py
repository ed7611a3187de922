"""Finding and ending everything that a tool host has started, also what tried to get away.

Standard library and /proc only: the warden uses it too. Where there is no /proc, the process group is all there is.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

MARK = "QUARTERDECK_HOST"
"""Every process that a host starts carries the host's token in this variable."""
_ROUNDS, _BETWEEN = 100, 0.02
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


def end_group(pid: int) -> None:
    """Kill a host and its process group, at once. Does nothing where they are gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def end_all(pid: int, token: str) -> int:
    """Kill a host, all below it and all that carry its token, until none is left; how many were beyond its group.

    The host is stopped first: as the nearest subreaper it keeps its descendants in sight for as long as it lives.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGSTOP)
    killed = _kill_until_none(lambda: descendants(pid))
    end_group(pid)
    return len(killed | _kill_until_none(lambda: marked(token)))


def _kill_until_none(find: Callable[[], set[int]]) -> set[int]:
    """Again and again, because what is killed may have forked just before, and takes a moment to be gone."""
    killed: set[int] = set()
    for _ in range(_ROUNDS):
        found = _kill(find())
        if not found:
            break
        killed |= found
        time.sleep(_BETWEEN)
    return killed


def descendants(pid: int) -> set[int]:
    """All living processes below one."""
    return below(pid, children())


def children() -> dict[int, list[int]]:
    """Every process's living children, in one pass over /proc; a subreaper has those that it inherited."""
    found: dict[int, list[int]] = {}
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):
            if name.isdigit():
                state, parent = _state_and_parent(name)
                if state not in {"Z", "X"}:
                    found.setdefault(parent, []).append(int(name))
    return found


def innermost(pid: int, depth: int) -> int:
    """The process that stands so many steps below one in which each has one child; 0 while it is not there yet."""
    for _ in range(depth):
        born = _born(pid)
        if len(born) != 1:
            return 0
        pid = born[0]
    return pid


def below(pid: int, tree: Mapping[int, Sequence[int]]) -> set[int]:
    """The processes below one in a tree that was read before."""
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        fresh = [child for child in tree.get(waiting.pop(), ()) if child not in found]
        found.update(fresh)
        waiting += fresh
    return found


def marked(token: str) -> set[int]:
    """Processes that carry a host's token and are not this one."""
    wanted = f"{MARK}={token}".encode()
    found: set[int] = set()
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):
            if (
                name.isdigit()
                and int(name) != os.getpid()
                and _carries(name, wanted)
                and _state_and_parent(name)[0] not in {"Z", "X"}
            ):
                found.add(int(name))
    return found


def resident(pid: int) -> int:
    """Bytes of memory that one process holds just now; 0 where that can't be seen."""
    try:
        with open(f"/proc/{pid}/statm") as pages:
            return int(pages.read().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def _born(pid: int) -> list[int]:
    """A process's children; the kernel's own list where it keeps one."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as listed:
            return [int(child) for child in listed.read().split()]
    except OSError:
        return children().get(pid, [])


def cpu_time(pid: int) -> float:
    """Seconds of processor time that a process and its ended children have used; 0 where that can't be seen."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return sum(int(ticks) for ticks in stat.read().rpartition(b")")[2].split()[11:15]) / _TICKS
    except (OSError, ValueError):
        return 0.0


def _carries(name: str, wanted: bytes) -> bool:
    try:
        with open(f"/proc/{name}/environ", "rb") as environ:
            return wanted in environ.read().split(b"\0")
    except OSError:
        return False


def _state_and_parent(name: str) -> tuple[str, int]:
    try:
        with open(f"/proc/{name}/stat", "rb") as stat:
            state, parent = stat.read().rpartition(b")")[2].split()[:2]
            return state.decode(), int(parent)
    except (OSError, ValueError):
        return "X", 0


def _kill(pids: Iterable[int]) -> set[int]:
    killed: set[int] = set()
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
    return killed
