"""The walls around a tool host, built by bubblewrap where the system lets it: its own view of files, processes and
network, in which there is only what the host needs.

What lies outside is not forbidden but absent: the worker and its memory, the deployment's folder, other releases, the
database's port. Where bubblewrap is missing or may do nothing, hosts are confined by user and limits alone, as before,
and that is said; with `require` they do not start.
"""

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

from quarterdeck.core.log import get
from quarterdeck.core.settings import Settings
from quarterdeck.tools.errors import ServerUnavailable

log = get(__name__)

_SHARED_MEMORY = 64 * 1024 * 1024
_PROBE_WITHIN = 10.0
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store")
_ETC = (
    *("alternatives", "crypto-policies", "fonts", "group", "hosts", "ld.so.cache", "localtime", "mime.types"),
    *("nsswitch.conf", "passwd", "pki", "ssl"),
)
_ETC_OF_NETWORKS = ("gai.conf", "host.conf", "protocols", "resolv.conf", "services")
"""What programs read in /etc that is nobody's secret. The rest is not there; each part costs a host's start a bit."""


class Mode(StrEnum):
    """Whether tools may run without walls: `auto` = with them where they can be built, `require` = not at all."""

    AUTO = "auto"
    REQUIRE = "require"
    OFF = "off"


class Network(StrEnum):
    """What a host can reach, in the words of reports."""

    NONE = "none"
    DECLARED = "declared hosts, not enforced by address"
    OPEN = "open"


class SandboxMissing(ServerUnavailable):
    """This deployment runs tools only in a sandbox, and there is none on this machine."""

    code = "tools.sandbox_missing"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the settings say. `scratch` in bytes, `cpu` in seconds; all hosts see the folders `reads` and `writes`."""

    mode: Mode = Mode.AUTO
    scratch: int = 256 * 1024 * 1024
    cpu: float = 3600.0
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: Settings) -> "Wanted":
        """As the settings say."""
        return cls(
            Mode(settings.tool_sandbox),
            settings.tool_host_scratch,
            settings.tool_host_cpu,
            _folders(settings.tool_host_reads),
            _folders(settings.tool_host_writes or ""),
        )


PLAIN = Wanted()
"""Where nothing is set."""


@dataclass(frozen=True, slots=True)
class Bubblewrap:
    """A bubblewrap that works here. `flags` are those that it needs to be let; `own_users` = in a user namespace."""

    program: str
    version: str
    flags: tuple[str, ...]

    @property
    def own_users(self) -> bool:
        """Whether a host has a user namespace of its own, in which there is one user."""
        return "--unshare-user" in self.flags


@dataclass(frozen=True, slots=True)
class Missing:
    """Why there is no sandbox here, and what to do about it."""

    why: str
    fix: str


Found: TypeAlias = Bubblewrap | Missing


@dataclass(frozen=True, slots=True)
class Room:
    """What one host sees. `needs` are read-only; `hidden` is the deployment's folder, of which only `shown` stay."""

    scratch: Path
    needs: tuple[str, ...]
    shown: tuple[str, ...]
    hidden: Path
    network: Network


@functools.cache
def find() -> Found:
    """The sandbox of this machine, tried once a process: what is installed may be forbidden."""
    found = _find()
    if isinstance(found, Bubblewrap):
        log.info("tools.sandbox", program=found.program, version=found.version, own_users=found.own_users)
    else:
        log.warning("tools.no_sandbox", why=found.why, fix=found.fix)
    return found


def choose(wanted: Wanted) -> Bubblewrap | None:
    """The sandbox to use, or None to go without. Raises SandboxMissing where that is not allowed."""
    if wanted.mode is Mode.OFF:
        return None
    found = find()
    if isinstance(found, Bubblewrap):
        return found
    if wanted.mode is Mode.REQUIRE:
        told = f"Tools run here only in a sandbox (QUARTERDECK_TOOL_SANDBOX=require): {found.why}. Fix: {found.fix}."
        raise SandboxMissing(told, again=False)
    return None


def network_of(declared: Sequence[str]) -> Network:
    """What a host in a sandbox may reach: nothing unless its release declares hosts."""
    return Network.DECLARED if declared else Network.NONE


def walls(found: Bubblewrap, wanted: Wanted, room: Room) -> list[str]:
    """The command line in front of the host's own. Each part is built or the host does not start."""
    arguments = [found.program, *found.flags, *_NAMESPACES]
    if room.network is Network.NONE:
        arguments.append("--unshare-net")
    arguments += [
        *_system(),
        *_etc(room.network),
        "--proc",
        "/proc",
        *(() if found.own_users else _SYSCTL),
        "--dev",
        "/dev",
    ]
    arguments += [
        *_memory(_SHARED_MEMORY, "1777"),
        _SHM,
        "--remount-ro",
        "/dev",
        *_memory(wanted.scratch, "1777"),
        _TMP,
    ]
    around = _real((*room.needs, *wanted.reads))
    arguments += _bound("--ro-bind", around)
    # A program may be installed around the deployment's folder; that is none of its business all the same.
    hidden = os.path.realpath(room.hidden)
    if room.hidden.is_dir() and any(_is_below(hidden, path) for path in (*around, *_SYSTEM)):
        arguments += [*_memory(_SHARED_MEMORY, "0755"), hidden]
    arguments += [*_bound("--ro-bind", _real(room.shown)), *_bound("--bind", _real(wanted.writes))]
    scratch = str(room.scratch)
    # A part of /tmp, so that both share the room there is; elsewhere it has its own.
    arguments += ["--perms", "0700", "--dir"] if _is_below(scratch, _TMP) else _memory(wanted.scratch, "0700")
    return [*arguments, scratch, "--remount-ro", "/", "--chdir", scratch, "--"]


_NAMESPACES = (
    *("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
    *("--hostname", "tools", "--die-with-parent"),
)
_TMP, _SHM = "/tmp", "/dev/shm"  # noqa: S108  # inside the walls, where nobody else is


_SYSCTL = ("--ro-bind", "/proc/sys", "/proc/sys")
"""Where there is no user namespace, a host that keeps the user root could set them otherwise."""


def _memory(size: int, mode: str) -> list[str]:
    return ["--size", str(size), "--perms", mode, "--tmpfs"]


def _find() -> Found:
    if sys.platform != "linux":
        return Missing(f"bubblewrap is for Linux and this is {sys.platform}", "run workers on Linux")
    program = shutil.which("bwrap")
    if program is None:
        return Missing("bubblewrap is not installed", "install it: `apt install bubblewrap`, or your system's like")
    said = ""
    for flags in _ways():
        works, said = _try(program, flags)
        if works:
            return Bubblewrap(program, said, flags)
    return Missing(f"{program} may not make namespaces here: {said}", _HOW_TO_ALLOW)


_HOW_TO_ALLOW = (
    "allow them: user namespaces on the host (user.max_user_namespaces, and on Ubuntu an AppArmor profile for bwrap), "
    "and in a container a seccomp profile that lets `unshare` and `mount` through, or CAP_SYS_ADMIN"
)


def _ways() -> tuple[tuple[str, ...], ...]:
    """How it may work, best first. Root needs no user namespace, and hosts then get a user of their own."""
    others = (("--unshare-user", "--disable-userns"), ("--unshare-user",))
    return ((), *others) if os.geteuid() == 0 else others


def _try(program: str, flags: Sequence[str]) -> tuple[bool, str]:
    """Whether a sandbox of this kind can be built; its version, or what stood against it."""
    arguments = [program, *flags, *_NAMESPACES, "--unshare-net", "--ro-bind", "/", "/", "--proc", "/proc"]
    arguments += [] if flags else _SYSCTL
    arguments += ["--dev", "/dev", "--size", "4096", "--perms", "1777", "--tmpfs", _TMP, "--remount-ro", "/"]
    try:
        done = subprocess.run(
            [*arguments, "--", program, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={},
            cwd="/",
            timeout=_PROBE_WITHIN,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as fault:
        return False, str(fault)
    if done.returncode:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines()
        return False, (words[-1] if words else f"exit {done.returncode}")[:300]
    return True, done.stdout.decode("utf-8", "replace").split()[-1]


def _system() -> list[str]:
    """The system's programs and libraries, as they lie."""
    arguments: list[str] = []
    for path in _SYSTEM:
        if os.path.islink(path):
            arguments += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            arguments += ["--ro-bind", path, path]
    return arguments


def _etc(network: Network) -> list[str]:
    arguments = [*_OPEN_FOLDER, "/etc"]
    for name in (*_ETC, *(() if network is Network.NONE else _ETC_OF_NETWORKS)):
        path = f"/etc/{name}"
        # Often a link to where it would not be found.
        if os.path.exists(path):
            arguments += ["--ro-bind", os.path.realpath(path), path]
    return arguments


_OPEN_FOLDER = ("--perms", "0755", "--dir")


def _real(paths: Iterable[str]) -> list[str]:
    """Each path under its own name and, where links lead to it, under its real one; nothing inside another, twice."""
    both = {path for given in paths for path in (os.path.normpath(given), os.path.realpath(given))}
    kept: list[str] = []
    for path in sorted(both):
        if os.path.exists(path) and not _is_system(path) and not any(_is_below(path, outer) for outer in kept):
            kept.append(path)
    return kept


def _bound(how: str, paths: Sequence[str]) -> list[str]:
    """The paths, in folders that the host's user can pass through."""
    arguments: list[str] = []
    for path in paths:
        for folder in reversed(Path(path).parents[:-1]):
            arguments += [*_OPEN_FOLDER, str(folder)]
        arguments += [how, path, path]
    return arguments


def _is_system(path: str) -> bool:
    return any(path == known or _is_below(path, known) for known in _SYSTEM if not os.path.islink(known))


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip("/") + "/")


def _folders(setting: str) -> tuple[str, ...]:
    return tuple(folder.strip() for folder in setting.split(",") if folder.strip())
