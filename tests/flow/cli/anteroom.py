"""Where commands wait until they are wanted: a process that has read the program, and parts into one for each command.

A command is a process of its own as ever, with its own folder, variables, files and state. What it saves is to read the
same modules again, some hundred times in these tests.
"""

import atexit
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile

ROOT = Path(__file__).parents[3]
LARGEST = 100_000
NUMBER = struct.Struct("i")


class Anteroom:
    """The process that waits, as tests know it."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "tests.flow.cli.anteroom", str(theirs.fileno())],
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                pass_fds=[theirs.fileno()],
            )
        atexit.register(self.close)

    def close(self) -> None:
        """Send it away."""
        self._socket.close()
        self._process.wait(10)

    def run(
        self, words: Sequence[str], folder: Path, environ: Mapping[str, str], given: str, patience: float
    ) -> tuple[int, str, str]:
        """Run a command to its end: its exit code and what it printed. Raises TimeoutExpired when it was too slow."""
        wish = json.dumps({"words": words, "folder": str(folder), "environ": dict(environ)}).encode()
        assert len(wish) < LARGEST
        read, write = os.pipe()
        with TemporaryFile() as stdin, TemporaryFile() as out, TemporaryFile() as err:
            stdin.write(given.encode())
            stdin.seek(0)
            try:
                socket.send_fds(self._socket, [wish], [stdin.fileno(), out.fileno(), err.fileno(), write])
                os.close(write)
                pid = _number(read)
                if not select.select([read], [], [], patience)[0]:
                    os.kill(pid, signal.SIGKILL)
                    raise subprocess.TimeoutExpired(list(words), patience)
                code = _number(read)
            finally:
                os.close(read)
            out.seek(0)
            err.seek(0)
            return code, out.read().decode(), err.read().decode()


def _number(descriptor: int) -> int:
    return NUMBER.unpack(os.read(descriptor, NUMBER.size))[0]


@cache
def anteroom() -> Anteroom:
    """The one of this test process."""
    return Anteroom()


def main(asked: socket.socket) -> None:
    """Wait for wishes and part for each, until nobody is left who could have one."""
    import quarterdeck.cli.screen
    import quarterdeck.releases.build
    import quarterdeck.sdk
    import quarterdeck.tools.extract  # noqa: F401
    from quarterdeck.cli.root import COMMANDS, load

    for name in COMMANDS:
        load(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        wish, descriptors, _, _ = socket.recv_fds(asked, LARGEST, 4)
        if not wish:
            return
        if os.fork() == 0:
            asked.close()
            attend(json.loads(wish), descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def attend(wish: Mapping[str, object], descriptors: Sequence[int]) -> None:
    """In the process for one command: become it in a child, and tell how that ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    tell = descriptors[3]
    pid = os.fork()
    if pid == 0:
        become(wish, descriptors)
    os.write(tell, NUMBER.pack(pid))
    _, status = os.waitpid(pid, 0)
    os.write(tell, NUMBER.pack(os.waitstatus_to_exitcode(status)))
    os._exit(0)


def become(wish: Mapping[str, object], descriptors: Sequence[int]) -> None:
    """Be the command, and exit as it does."""
    import quarterdeck.cli

    for number, descriptor in enumerate(descriptors[:3]):
        os.dup2(descriptor, number)
    for descriptor in descriptors:
        os.close(descriptor)
    plain = [open(number, mode, closefd=False) for number, mode in enumerate("rww")]  # noqa: SIM115  # for good
    sys.stdin, sys.stdout, sys.stderr = plain
    match wish:
        case {"words": list(words), "folder": str(folder), "environ": dict(environ)}:
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(environ)
            sys.path.remove(str(ROOT))
            sys.argv = [str(Path(quarterdeck.__file__).with_name("__main__.py")), *words]
        case _:
            raise ValueError(wish)
    quarterdeck.cli.main()
    sys.exit(0)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
