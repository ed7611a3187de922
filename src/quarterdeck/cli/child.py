"""One child process that is kept running: started again when it ends unasked, its output in a log file.

A child's input is a pipe that its parent holds open: it ends when the parent does, however that was, and the child,
told `--with-parent`, leaves in good order.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

COMMAND = (sys.executable, "-P", "-m", "quarterdeck")
"""This very program. Without -P a file in the working folder could stand in for one of its modules."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0
_SETTLED = 10.0
_LARGEST_LOG = 20 * 1024 * 1024


class What(StrEnum):
    """What can happen to a child."""

    STARTED = "started"
    DIED = "died"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a child. `status` is its exit status, negative for a signal, where it ended."""

    child: str
    what: What
    pid: int
    status: int = 0

    @property
    def words(self) -> str:
        """How people read it."""
        if self.what is What.STARTED:
            return f"started (pid {self.pid})"
        how = f"by {signal.Signals(-self.status).name}" if self.status < 0 else f"with status {self.status}"
        return f"ended {how}" + ("; starting it again" if self.what is What.DIED else "")


class Child:
    """A process by a name. `start`, `kill` and `stop` may be called from any thread."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        environ: Mapping[str, str],
        log_file: Path,
        tell: Callable[[Event], None],
    ) -> None:
        self.name = name
        self.log_file = log_file
        self.starts = 0
        self.status: int | None = None
        self.log_start = 0
        self._arguments = arguments
        self._environ = environ
        self._tell = tell
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._changing = threading.Lock()
        self._keeper: threading.Thread | None = None

    @property
    def pid(self) -> int:
        """The process id; 0 while there is no process."""
        process = self._process
        return 0 if process is None or process.returncode is not None else process.pid

    def start(self) -> None:
        """Start it and keep it running."""
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        self._stopping.clear()
        with contextlib.suppress(OSError):
            self.log_start = self.log_file.stat().st_size
        self._spawn()
        self._keeper = threading.Thread(target=self._keep, name=f"keep-{self.name}", daemon=True)
        self._keeper.start()

    def kill(self, sign: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal; answers the process id that it went to, 0 for none. What dies of it is started again."""
        process = self._process
        if process is None or process.poll() is not None:
            return 0
        process.send_signal(sign)
        return process.pid

    def ask_to_end(self) -> None:
        """Tell it to end and not to be started again; `stop` waits for that."""
        with self._changing:
            if not self._stopping.is_set():  # asked twice, a process that has let go of its signals would die of it
                self._stopping.set()
                self.kill(signal.SIGTERM)

    def stop(self, grace: float) -> None:
        """End it: in good order within `grace` seconds, else at once."""
        self.ask_to_end()
        if self._keeper is not None:
            self._keeper.join(grace)
            if self._keeper.is_alive():
                self.kill(signal.SIGKILL)
                self._keeper.join()

    def last_words(self) -> str:
        """The last line that it wrote."""
        try:
            with self.log_file.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - 8192))
                lines = log.read().decode(errors="replace").split("\n")
        except OSError:
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def _keep(self) -> None:
        pause = _FIRST_PAUSE
        while (process := self._process) is not None:
            began = time.monotonic()
            self.status = process.wait()
            if process.stdin is not None:
                with contextlib.suppress(OSError):
                    process.stdin.close()
            ended = self._stopping.is_set()
            self._tell(Event(self.name, What.ENDED if ended else What.DIED, process.pid, self.status))
            if time.monotonic() - began > _SETTLED:
                pause = _FIRST_PAUSE
            if self._stopping.wait(pause):
                return
            pause = min(pause * 2, _LONGEST_PAUSE)
            self._spawn()

    def _spawn(self) -> None:
        with contextlib.suppress(OSError):
            if self.log_file.stat().st_size > _LARGEST_LOG:
                self.log_file.replace(self.log_file.with_suffix(".log.1"))
        with self._changing:
            if self._stopping.is_set():
                return
            # The log is a file and not a pipe: a terminal that is held must not hold the child.
            with open(self.log_file, "ab", opener=_private) as log:
                self._process = subprocess.Popen(
                    [*COMMAND, *self._arguments, "--with-parent"],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=dict(self._environ),
                    # Ctrl-C in the terminal is for the parent, which ends its children in the right order.
                    start_new_session=True,
                )
            self.starts += 1
            pid = self._process.pid
        self._tell(Event(self.name, What.STARTED, pid))


def _private(path: str, flags: int) -> int:
    """Logs name what runs and for whom; agents' tools run as other users of this machine."""
    return os.open(path, flags, 0o600)


def leave_with_parent() -> None:
    """In a child: end in good order as soon as the parent is gone."""

    def wait() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 1024):
                pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="with-parent", daemon=True).start()
