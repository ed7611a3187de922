"""A shell for tests: the command line as a process of its own, on a pipe or on a terminal."""

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quarterdeck.cli.child import COMMAND
from tests.flow.cli.anteroom import anteroom

PATIENCE = 60.0


@dataclass(frozen=True)
class Said:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its output as JSON."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """Its output as JSON, a line each."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass
class Shell:
    """A folder to work in, and the variables that are set there."""

    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def environ(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("QUARTERDECK_")}
        plain = {"TERM": "xterm", "COLUMNS": "120", "LINES": "40", "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}
        return {**kept, **plain, **self.variables}

    def __call__(self, *words: str, given: str = "", code: int | None = 0) -> Said:
        """Run a command that has no terminal. Fails unless it ends with `code`; None lets any pass."""
        said = Said(*anteroom().run(words, self.folder, self.environ, given, PATIENCE))
        assert code is None or said.code == code, f"{' '.join(words)} ended with {said}"
        return said

    @contextmanager
    def started(self, *words: str, output: Path | None = None) -> Iterator["subprocess.Popen[str]"]:
        """A command that goes on while the block does; told to end after it, and killed if it won't.

        What it prints goes to `output`, or to a pipe.
        """
        with contextlib.ExitStack() as stack:
            process = subprocess.Popen(
                [*COMMAND, *words],
                cwd=self.folder,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if output is None else stack.enter_context(output.open("w")),
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
            try:
                process.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()

    @contextmanager
    def terminal(self, *words: str) -> Iterator["Terminal"]:
        """A command on a terminal of its own."""
        pid, descriptor = pty.fork()
        if pid == 0:
            os.chdir(self.folder)
            # Tests that run in the background were told to ignore it, and a person's terminal was not.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.execve(COMMAND[0], [*COMMAND, *words], self.environ)
        terminal = Terminal(pid, descriptor)
        try:
            yield terminal
        finally:
            terminal.close()


class Terminal:
    """What a person sees, and what they type."""

    def __init__(self, pid: int, descriptor: int) -> None:
        self.pid = pid
        self.shown = ""
        self._descriptor = descriptor
        self._code: int | None = None

    def see(self, words: str, within: float = PATIENCE) -> None:
        """Wait until these words are on the screen. Fails where they don't come."""
        until = time.monotonic() + within
        while words not in self.shown:
            assert time.monotonic() < until, f"{words!r} did not come; there was {self.shown!r}"
            if not self._read(0.1):
                break
        assert words in self.shown, f"{words!r} did not come; there was {self.shown!r}"

    def type(self, text: str) -> None:
        os.write(self._descriptor, text.encode())

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.type("\x03")

    def end(self) -> int:
        """Its exit code, once it has ended."""
        while self._read(0.1):
            pass
        return self._wait()

    def close(self) -> None:
        if self._code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self._wait()
        os.close(self._descriptor)

    def _wait(self) -> int:
        if self._code is None:
            self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._code

    def _read(self, seconds: float) -> bool:
        """Take what was printed; False once the other end is closed."""
        if not select.select([self._descriptor], [], [], seconds)[0]:
            return True
        try:
            chunk = os.read(self._descriptor, 65_536)
        except OSError:  # EIO: the other end is closed
            return False
        self.shown += chunk.decode(errors="replace")
        return bool(chunk)
