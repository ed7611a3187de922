"""What a tool server writes to standard error goes into the log, at a pace that can't drown it."""

import asyncio
import contextlib
import os
from collections.abc import Callable

from quarterdeck.core.log import get
from quarterdeck.core.text import shorten, storable

log = get(__name__)

_CHUNK = 64 * 1024
_BURST, _PER_SECOND = 64, 20
_LONGEST = 2000
_PAUSE = 0.05
"""Seconds between two reads of a server that writes faster than it may: its own writing then waits."""


class Said:
    """Reads one descriptor, which it owns. `clean` takes secrets out of each line; `take` gets it then, and what it
    does not keep is logged.
    """

    def __init__(
        self, source: int, take: Callable[[str], bool], clean: Callable[[str], str], *, server: str, pid: int
    ) -> None:
        self._source = source
        self._take = take
        self._clean = clean
        self._server, self._pid = server, pid
        self._loop = asyncio.get_running_loop()
        self._allowance = float(_BURST)
        self._counted_at = self._loop.time()
        self._dropped = 0
        self._rest = b""
        self._open = True
        os.set_blocking(source, False)
        self._loop.add_reader(source, self._readable)

    def close(self) -> None:
        """Read what is left, a bounded part of it, and let go."""
        if self._open:
            self._readable()
        if self._open:
            self._end()

    def _readable(self) -> None:
        try:
            chunk = os.read(self._source, _CHUNK)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            self._end()
            return
        *lines, rest = (self._rest + chunk).split(b"\n")
        self._rest = rest[-_CHUNK:]
        for line in lines:
            self._line(line)
        if self._allowance < 1:
            self._loop.remove_reader(self._source)
            self._loop.call_later(_PAUSE, self._again)

    def _again(self) -> None:
        if self._open:
            self._loop.add_reader(self._source, self._readable)

    def _line(self, raw: bytes) -> None:
        line = shorten(self._clean(storable(raw.decode("utf-8", "replace"))), _LONGEST)
        if not line.strip() or self._take(line):
            return
        now = self._loop.time()
        self._allowance = min(_BURST, self._allowance + (now - self._counted_at) * _PER_SECOND)
        self._counted_at = now
        if self._allowance < 1:
            self._dropped += 1
            return
        self._allowance -= 1
        dropped, self._dropped = self._dropped, 0
        log.info(
            "tool.said", server=self._server, pid=self._pid, text=line, **({"dropped": dropped} if dropped else {})
        )

    def _end(self) -> None:
        self._open = False
        if self._rest:
            self._line(self._rest)
        self._loop.remove_reader(self._source)
        with contextlib.suppress(OSError):
            os.close(self._source)
