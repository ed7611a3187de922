"""Starting the process of a tool server, confined, and ending it together with all that it has started."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zlib
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from quarterdeck.core.ids import token
from quarterdeck.core.json import decode_object, encode_text
from quarterdeck.core.log import get
from quarterdeck.releases.records import ToolServer
from quarterdeck.secrets.redaction import Redactor
from quarterdeck.tools import sandbox
from quarterdeck.tools.environments import interpreter_of
from quarterdeck.tools.host.begin import SET_ASIDE, Plan
from quarterdeck.tools.host.confine import PROCESSES, stay_undumpable
from quarterdeck.tools.host.processes import MARK, end_all, end_group, innermost
from quarterdeck.tools.said import Said
from quarterdeck.tools.sandbox import PLAIN, Bubblewrap, Mode, Room, Wanted
from quarterdeck.tools.warden import Warden

log = get(__name__)

_SOURCE = Path(__file__).resolve().parents[2]
"""The folder that `quarterdeck` is imported from."""
_BEGIN = "import sys; sys.path.append({!r}); from quarterdeck.tools.host.begin import main; main()"
_FILE_SIZE = 1024 * 1024 * 1024
_OPEN_FILES = 4096
_HEADROOM = 512 * 1024 * 1024
_UIDS = 4000
_COUNTS_BY_NAMESPACE = (5, 14)
"""The Linux since which a limit on processes counts those of one user namespace."""
_BELOW = 2
"""Steps from bubblewrap's own process, past the first one of the host's process space, to the host."""
_KNOWN = 8
"""Sets of secrets that a host's words are searched for: a new one comes with each rotation."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What to start: a release's Python module in a tool host, or a command. `memory` is in bytes, per host."""

    name: str
    folder: Path
    memory: int
    module: str = ""
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    interpreter: Path = field(default_factory=lambda: Path(sys.executable))
    uid: int = 0
    root: Path = Path()
    network: tuple[str, ...] = ()
    wanted: Wanted = PLAIN


def launch_of(spec: ToolServer, folder: Path, root: Path, *, memory: int, uid: int, wanted: Wanted = PLAIN) -> Launch:
    """How a local server of a release is started. `root` is the deployment's folder."""
    launch = Launch(
        spec.name,
        folder,
        memory,
        environment=dict(spec.environment or {}),
        uid=uid,
        root=root,
        network=spec.network,
        wanted=wanted,
    )
    if spec.kind == "stdio":
        return replace(launch, command=spec.command)
    if not spec.lock_digest:
        return replace(launch, module=spec.module)
    return replace(launch, module=spec.module, interpreter=interpreter_of(root, spec.lock_digest))


class HostProcess:
    """A running tool server. `on_exit` is called once, on the event loop, when it and all that it started are gone.

    Raises SandboxMissing where it may run in a sandbox only and there is none. `pid` is the process that holds all of
    it: killing that ends it. `main` is the server itself, which in a sandbox stands below.
    """

    def __init__(self, launch: Launch, warden: Warden | None, on_exit: Callable[[int | None], None]) -> None:
        self._sandbox = sandbox.choose(launch.wanted)
        # Before anything foreign runs under our own user: it could read this process's environment otherwise.
        stay_undumpable()
        self._on_exit = on_exit
        self._warden = warden
        # Names the worker too, so that whoever looks at a machine sees whose hosts are whose.
        self.token = f"{os.getpid()}-{token(12)}"
        self.scratch = Path(tempfile.mkdtemp(prefix="quarterdeck-host-"))
        self.started_at = time.time()
        self.isolation: tuple[str, ...] = ()
        self.failure = ""
        self._last_words: deque[str] = deque(maxlen=20)
        self._known: deque[Redactor] = deque(maxlen=_KNOWN)
        theirs_in, self.sink = os.pipe()
        self.source, theirs_out = os.pipe()
        said, theirs_said = os.pipe()
        try:
            # From the event loop's own thread: the kernel ends a host when the thread that started it ends.
            self._process = subprocess.Popen(
                _arguments(launch, self.scratch, self._sandbox),
                stdin=theirs_in,
                stdout=theirs_out,
                stderr=theirs_said,
                env=_environment(launch, self.scratch, self.token),
                cwd=self.scratch,
                start_new_session=True,
            )
        except OSError:
            for ours in (self.sink, self.source, said):
                os.close(ours)
            shutil.rmtree(self.scratch, ignore_errors=True)
            raise
        finally:
            for theirs in (theirs_in, theirs_out, theirs_said):
                os.close(theirs)
        self.pid = self._process.pid
        self._main = 0
        if warden is not None:
            warden.watch(self.token, self.pid, self.scratch)
        self._said = Said(said, self._line, self._clean, server=launch.name, pid=self.pid)
        self.exited = asyncio.get_running_loop().create_task(self._watch())

    @property
    def main(self) -> int:
        """The server's own process; the one that holds it until that can be told."""
        if not self._main and self._sandbox is not None:
            self._main = innermost(self.pid, _BELOW)
        return self._main or self.pid

    @property
    def last_words(self) -> str:
        """What it said last on standard error: why it would not start, mostly."""
        return "\n".join(self._last_words)

    def know(self, redactor: Redactor) -> None:
        """Take these secrets out of what it says from now on, and those of the calls before too."""
        if redactor and redactor not in self._known:
            self._known.append(redactor)

    def kill(self) -> None:
        """End it at once. What it started beyond its process group is found and ended after it."""
        end_group(self.pid)

    async def _watch(self) -> None:
        await _zombie(self.pid)
        # Before it is reaped: until then nobody else can have its number, or its group's.
        beyond = await asyncio.to_thread(end_all, self.pid, self.token)
        code = self._process.wait()
        if beyond:
            log.warning("tools.left_behind", pid=self.pid, ended=beyond)
        if self._warden is not None:
            self._warden.forget(self.token)
        await asyncio.to_thread(shutil.rmtree, self.scratch, ignore_errors=True)
        self._said.close()
        self._on_exit(code)

    def _clean(self, line: str) -> str:
        for redactor in self._known:
            line, _ = redactor.clean(line)
        return line

    def _line(self, line: str) -> bool:
        """A line of its standard error; True = it was meant for us."""
        if line.startswith('{"quarterdeck": '):
            with contextlib.suppress(ValueError):
                told = decode_object(line)
                if told.get("quarterdeck") == "failed":
                    self.failure = str(told.get("why"))
                    return True
                in_force = told.get("in_force")
                if isinstance(in_force, list) and not self.isolation:
                    self.isolation = tuple(str(measure) for measure in in_force)
                    return True
        self._last_words.append(line)
        return False


async def _zombie(pid: int) -> None:
    """Wait until a child has ended, without reaping it."""
    loop = asyncio.get_running_loop()
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):
        await asyncio.to_thread(os.waitid, os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        return
    ended = loop.create_future()
    loop.add_reader(descriptor, lambda: ended.done() or ended.set_result(None))
    try:
        await ended
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _arguments(launch: Launch, scratch: Path, found: Bubblewrap | None) -> list[str]:
    """The command line: bubblewrap's walls if there are any, our own Python, and in it the plan.

    Python begins without what is installed for it, unless that is the worker's own: packages run code when it starts,
    and it starts with the worker's rights.
    """
    other = str(launch.interpreter) if launch.module and _needs_its_own_start(launch) else ""
    bare = ["-S"] if launch.command or other else []
    around = needs(launch)
    read = [*around, *shown(launch)]
    room = Room(
        scratch, tuple(around), shown(launch), launch.root.absolute(), network=sandbox.network_of(launch.network)
    )
    plan: Plan = {
        "parent": 0 if found else os.getpid(),
        "uid": launch.uid,
        "filtered": launch.wanted.mode is not Mode.OFF,
        "sandbox": _described(found, launch, room) if found else {},
        "interpreter": other,
        "scratch": str(scratch),
        "needs": read if found else [*read, str(scratch.parent)],
        "limits": _limits(launch, found),
        "folder": str(launch.folder),
        "module": launch.module,
        "paths": [str(_SOURCE), *(path for path in sys.path if path.endswith("-packages"))],
        "command": list(launch.command),
    }
    walls = sandbox.walls(found, launch.wanted, room) if found else []
    return [*walls, sys.executable, "-I", "-B", *bare, "-c", _BEGIN.format(str(_SOURCE)), encode_text(plan)]


def _needs_its_own_start(launch: Launch) -> bool:
    """Whether another Python serves, or this one started anew: the linker reads its variables only then."""
    return str(launch.interpreter) != sys.executable or any(name.startswith("LD_") for name in launch.environment)


def _limits(launch: Launch, found: Bubblewrap | None) -> dict[str, int]:
    limits = {
        "core": 0,
        "fsize": _FILE_SIZE,
        "nofile": _OPEN_FILES,
        # A wall far behind the limit that is watched: what allocates faster than anybody can look meets this one.
        "data": 2 * launch.memory + _HEADROOM,
        "cpu": round(2 * launch.wanted.cpu),
    }
    # Under another uid it is set later. In a user namespace of its own the host's processes alone are counted.
    if found is not None and found.own_users and _counts_by_namespace():
        limits["nproc"] = PROCESSES
    return limits


def _counts_by_namespace() -> bool:
    release = os.uname().release.split(".")
    return tuple(int(part) for part in release[:2] if part.isdigit()) >= _COUNTS_BY_NAMESPACE


def _described(found: Bubblewrap, launch: Launch, room: Room) -> dict[str, str]:
    """The walls in the words of reports."""
    described = {
        "sandbox": f"bubblewrap {found.version}",
        "files": "read-only",
        "scratch": str(launch.wanted.scratch),
        "processes": "own",
        "network": str(room.network),
    }
    if launch.wanted.writes:
        described["files"] = f"read-only but for {', '.join(launch.wanted.writes)}"
    return described


def needs(launch: Launch) -> list[str]:
    """What the process has to be able to read beside what is shown of the deployment's folder and its scratch."""
    found = [sys.prefix, sys.base_prefix, str(_SOURCE / "quarterdeck")]
    found += [path for path in sys.path if path.endswith("-packages")]
    executable = shutil.which(launch.command[0]) if launch.command else None
    if executable is not None:
        # A program's own parts lie around it: /opt/x/bin/program needs /opt/x.
        around = str(Path(executable).resolve().parents[1])
        found += [executable, around] if around != "/" else [executable, str(Path(executable).resolve())]
    # What the author names by its whole path, a script or a folder, is meant to be read.
    found += [word for word in launch.command[1:] if os.path.isabs(word) and os.path.exists(word)]
    return [path for path in found if path != "/"]


def shown(launch: Launch) -> tuple[str, ...]:
    """What the host sees of the deployment's folder: its release, and the environment that its Python is in."""
    own = str(launch.interpreter.parents[1])
    return (str(launch.folder), *([] if launch.command or own == "/" else [own]))


def uid_for(first: int, name: str) -> int:
    """The user that a host of this name runs as, out of the range that begins at `first`; 0 = its starter's own."""
    if not first or os.geteuid() != 0:
        return 0
    return first + zlib.crc32(name.encode()) % _UIDS


def _environment(launch: Launch, scratch: Path, mark: str) -> dict[str, str]:
    path = os.environ.get("PATH", os.defpath)
    return {
        "PATH": path if launch.command else f"{launch.interpreter.parent}:{path}",
        "LANG": "C.UTF-8",
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        **{f"{SET_ASIDE}{name}": value for name, value in launch.environment.items()},
        MARK: mark,
    }
