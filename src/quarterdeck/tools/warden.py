"""The worker's end of its warden: the process that clears up after its tool hosts should it be killed."""

import contextlib
import subprocess
import sys
from pathlib import Path

_SOURCE = Path(__file__).resolve().parents[2]
_BEGIN = "import sys; sys.path.append({!r}); from quarterdeck.tools.host.warden import main; main()"


class Warden:
    """Started with the first host. Losing it is no fault: hosts die with their worker without it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def watch(self, token: str, pid: int, scratch: Path) -> None:
        """Name a host that was started."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-B", "-c", _BEGIN.format(str(_SOURCE))],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
                cwd="/",
                start_new_session=True,
                text=True,
            )
        self._tell(f"+\t{token}\t{pid}\t{scratch}")

    def forget(self, token: str) -> None:
        """Name a host that has ended."""
        self._tell(f"-\t{token}")

    def close(self) -> None:
        """Let it go; it ends whatever was not forgotten."""
        if self._process is not None:
            with contextlib.suppress(OSError):
                self._process.communicate(timeout=5)
            self._process = None

    def _tell(self, line: str) -> None:
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.write(line + "\n")
                self._process.stdin.flush()
