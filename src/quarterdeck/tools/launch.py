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
from dataclasses import dataclass, field
from pathlib import Path

from quarterdeck.core.ids import token
from quarterdeck.core.json import decode_object, encode_text
from quarterdeck.core.log import get
from quarterdeck.releases.records import ToolServer
from quarterdeck.tools.environments import interpreter_of
from quarterdeck.tools.host.begin import Plan
from quarterdeck.tools.host.confine import stay_undumpable
from quarterdeck.tools.host.processes import MARK, end_all, end_group
from quarterdeck.tools.said import Said
from quarterdeck.tools.warden import Warden

log = get(__name__)

_SOURCE = Path(__file__).resolve().parents[2]
"""The folder that `quarterdeck` is imported from."""
_BEGIN = "import sys; sys.path.append({!r}); from quarterdeck.tools.host.begin import main; main()"
_FILE_SIZE = 1024 * 1024 * 1024
_OPEN_FILES = 4096
_HEADROOM = 512 * 1024 * 1024
_UIDS = 4000


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


def launch_of(spec: ToolServer, folder: Path, root: Path, *, memory: int, uid: int) -> Launch:
    """How a local server of a release is started."""
    environment = dict(spec.environment or {})
    if spec.kind == "stdio":
        return Launch(spec.name, folder, memory, command=spec.command, environment=environment, uid=uid)
    launch = Launch(spec.name, folder, memory, module=spec.module, environment=environment, uid=uid)
    if not spec.lock_digest:
        return launch
    interpreter = interpreter_of(root, spec.lock_digest)
    return Launch(spec.name, folder, memory, spec.module, environment=environment, interpreter=interpreter, uid=uid)


class HostProcess:
    """A running tool server. `on_exit` is called once, on the event loop, when it and all that it started are gone."""

    def __init__(self, launch: Launch, warden: Warden | None, on_exit: Callable[[int | None], None]) -> None:
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
        theirs_in, self.sink = os.pipe()
        self.source, theirs_out = os.pipe()
        said, theirs_said = os.pipe()
        try:
            # From the event loop's own thread: the kernel ends a host when the thread that started it ends.
            self._process = subprocess.Popen(
                _arguments(launch, self.scratch),
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
        if warden is not None:
            warden.watch(self.token, self.pid, self.scratch)
        self._said = Said(said, self._line, server=launch.name, pid=self.pid)
        self.exited = asyncio.get_running_loop().create_task(self._watch())

    @property
    def last_words(self) -> str:
        """What it said last on standard error: why it would not start, mostly."""
        return "\n".join(self._last_words)

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


def _arguments(launch: Launch, scratch: Path) -> list[str]:
    bare = ["-S"] if launch.command else []
    plan: Plan = {
        "parent": os.getpid(),
        "uid": launch.uid,
        "scratch": str(scratch),
        "needs": needs(launch, scratch),
        "limits": {
            "core": 0,
            "fsize": _FILE_SIZE,
            "nofile": _OPEN_FILES,
            # A wall far behind the limit that is watched: what allocates faster than anybody can look meets this one.
            "data": 2 * launch.memory + _HEADROOM,
        },
        "folder": str(launch.folder),
        "module": launch.module,
        "paths": [str(_SOURCE), *(path for path in sys.path if path.endswith("-packages"))],
        "command": list(launch.command),
    }
    interpreter = sys.executable if launch.command else str(launch.interpreter)
    return [interpreter, "-I", "-B", *bare, "-c", _BEGIN.format(str(_SOURCE)), encode_text(plan)]


def needs(launch: Launch, scratch: Path) -> list[str]:
    """Everything that the process has to be able to read."""
    found = [sys.prefix, sys.base_prefix, str(_SOURCE / "quarterdeck"), str(launch.folder), str(scratch.parent)]
    found += [path for path in sys.path if path.endswith("-packages")]
    if launch.command:
        executable = shutil.which(launch.command[0])
        # A program's own parts lie around it: /opt/x/bin/program needs /opt/x.
        found += [str(Path(executable).resolve().parents[1])] if executable else []
    else:
        # bin/python, which is a link into the Python that the environment was made from
        found += [str(launch.interpreter.parents[1])]
    return [path for path in found if path != "/"]


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
        **launch.environment,
        MARK: mark,
    }
