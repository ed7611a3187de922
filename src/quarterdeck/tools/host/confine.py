"""A child process gives up, before foreign code runs in it, what foreign code should not have.

Standard library only: it also runs in front of commands that are no Python. Each measure that the system does not
allow is left out, and what is in force is said, so that nobody takes a wish for a wall.
"""

import contextlib
import ctypes
import os
import resource
import signal
import sys
from collections.abc import Mapping, Sequence

from quarterdeck.tools.host.mounts import make_reachable, unreachable

_SET_PDEATHSIG, _SET_DUMPABLE, _CAPBSET_DROP, _SET_CHILD_SUBREAPER, _SET_NO_NEW_PRIVS = 1, 4, 24, 36, 38
_CAPABILITIES = 64
_CAPSET_VERSION = 0x20080522
_LINUX = sys.platform == "linux"
PROCESSES = 256
"""Processes and threads of one host, where they can be counted without the worker's."""


def confine(*, parent: int, uid: int, scratch: str, needs: Sequence[str], limits: Mapping[str, int]) -> list[str]:
    """Confine this process and whatever it becomes; answers what is in force, in words.

    `uid` 0 = keep the one it has. `needs` are the folders that it must be able to read under another uid. Exits when
    `parent` is dead already; 0 = in a sandbox, which ends with the worker by itself.
    """
    in_force = [_limit(name, value) for name, value in limits.items()]
    if os.geteuid() == 0:
        in_force += _become(uid, scratch, needs) if uid else _without_capabilities()
    if _prctl(_SET_NO_NEW_PRIVS, 1):
        in_force.append("no_new_privs")
    # Last, because a change of credentials clears it. From here on the host ends with its worker, however that ends.
    if _prctl(_SET_PDEATHSIG, signal.SIGKILL):
        in_force.append("dies_with_worker")
    if parent and os.getppid() != parent:
        os._exit(0)
    if _prctl(_SET_CHILD_SUBREAPER, 1):
        in_force.append("keeps_its_children")
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("500")
    return [measure for measure in in_force if measure]


def stay_undumpable() -> bool:
    """Keep other processes of the same user out of this one's memory and environment. True where the system can."""
    return _prctl(_SET_DUMPABLE, 0)


def _limit(name: str, value: int) -> str:
    kind: int | None = getattr(resource, f"RLIMIT_{name.upper()}", None)
    if kind is None:
        return ""
    try:
        _, hard = resource.getrlimit(kind)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))
    except (OSError, ValueError):
        return ""
    return f"{name}={value}"


def _become(uid: int, scratch: str, needs: Sequence[str]) -> list[str]:
    """Another user where that one can read what it needs, else the same one without capabilities."""
    hidden = unreachable(needs)
    if hidden and not make_reachable(needs, hidden):
        return _without_capabilities()
    try:
        os.chown(scratch, uid, uid)
        _empty_bounding_set()
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)  # with which all capabilities are gone
    except OSError:
        # In a container whose users are mapped, that one may not exist.
        if os.geteuid() != 0:
            raise
        os.setresgid(0, 0, 0)
        os.chown(scratch, 0, 0)
        return _without_capabilities()
    # Only now: the limit counts all processes of the user, and would have counted the worker's.
    return [f"uid={uid}", _limit("nproc", PROCESSES), *(["private_mounts"] if hidden else [])]


def _without_capabilities() -> list[str]:
    """The same user with no more rights than any other: it still owns what it owns, and that is said."""
    _empty_bounding_set()
    cleared = _libc is not None and _libc.capset(ctypes.byref(_CapHeader(_CAPSET_VERSION, 0)), (_CapSet * 2)()) == 0
    return ["own_uid_without_capabilities" if cleared else "own_uid"]


def _empty_bounding_set() -> None:
    """Nothing that is executed from here on can gain a capability."""
    for capability in range(_CAPABILITIES):
        _prctl(_CAPBSET_DROP, capability)


class _CapHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapSet(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


_libc = ctypes.CDLL(None, use_errno=True) if _LINUX else None


def _prctl(option: int, value: int) -> bool:
    return _libc is not None and _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) == 0
