"""Messages as lines over a pair of file descriptors, straight on the event loop: no stream objects in between.

What the other side sends is bounded: a line beyond the limit is read away and only its two ends are looked at.
"""

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import Callable

CHUNK = 256 * 1024
KEPT_ENDS = 4096


class Lines:
    """Owns both descriptors from now on. Callbacks run on the event loop and must not block or raise.

    `on_line(line)`; `on_long_line(beginning, end, size)` for a line beyond `limit`; `on_end()` once, when the other
    side has closed or is gone.
    """

    def __init__(
        self,
        source: int,
        sink: int,
        *,
        limit: int,
        on_line: Callable[[bytes], None],
        on_long_line: Callable[[bytes, bytes, int], None],
        on_end: Callable[[], None],
    ) -> None:
        self._source, self._sink, self._limit = source, sink, limit
        self._on_line, self._on_long_line, self._on_end = on_line, on_long_line, on_end
        self._parts: list[bytes] = []
        self._size = 0
        self._skipping = False
        self._beginning = self._tail = b""
        self._unsent: deque[memoryview] = deque()
        self._drained: asyncio.Event | None = None
        self._closed = False
        self._loop = asyncio.get_running_loop()
        os.set_blocking(source, False)
        os.set_blocking(sink, False)
        self._loop.add_reader(source, self._readable)

    @property
    def clogged(self) -> bool:
        """Whether something sent before still waits for the other side to read."""
        return bool(self._unsent)

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent or received any more."""
        return self._closed

    async def drained(self) -> None:
        """Wait until what was sent has been taken, or the connection ended."""
        while self._unsent and not self._closed:
            if self._drained is None:
                self._drained = asyncio.Event()
            await self._drained.wait()

    def send(self, line: bytes) -> bool:
        """Send one line, at once as far as the other side has room. False = nothing of it was sent: closed."""
        if self._sink < 0:
            return False
        rest = memoryview(line + b"\n")
        if not self._unsent:
            try:
                rest = rest[os.write(self._sink, rest) :]
            except BlockingIOError:
                pass
            except OSError:
                self._end()
                return False
        if rest:
            if not self._unsent:
                self._loop.add_writer(self._sink, self._writable)
            self._unsent.append(rest)
        return True

    def close_sink(self) -> None:
        """Say that nothing more will be sent: how a stdio server is asked to end."""
        if self._sink >= 0:
            if self._unsent:
                self._loop.remove_writer(self._sink)
                self._unsent.clear()
            with contextlib.suppress(OSError):
                os.close(self._sink)
            self._sink = -1

    def close(self) -> None:
        """Let go of both descriptors. `on_end` is called if it was not before."""
        self._end()

    def _readable(self) -> None:
        try:
            chunk = os.read(self._source, CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            chunk = b""
        if not chunk:
            self._end()
            return
        *whole, rest = chunk.split(b"\n")
        for line in whole:
            self._more(line)
            self._line_ends()
            if self._closed:
                return
        if rest:
            self._more(rest)

    def _more(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._skipping:
            self._tail = (self._tail + piece)[-KEPT_ENDS:]
        elif self._size > self._limit:
            held = b"".join([*self._parts, piece])
            self._beginning, self._tail = held[:KEPT_ENDS], held[-KEPT_ENDS:]
            self._parts.clear()
            self._skipping = True
        else:
            self._parts.append(piece)

    def _line_ends(self) -> None:
        size, self._size = self._size, 0
        if self._skipping:
            self._skipping = False
            self._on_long_line(self._beginning, self._tail, size)
            return
        line = b"".join(self._parts)
        self._parts.clear()
        if line and not line.isspace():
            self._on_line(line)

    def _writable(self) -> None:
        try:
            while self._unsent:
                sent = os.write(self._sink, self._unsent[0])
                if sent < len(self._unsent[0]):
                    self._unsent[0] = self._unsent[0][sent:]
                    return
                self._unsent.popleft()
        except BlockingIOError:
            return
        except OSError:
            self._end()
            return
        self._loop.remove_writer(self._sink)
        self._tell_drained()

    def _tell_drained(self) -> None:
        if self._drained is not None:
            self._drained.set()
            self._drained = None

    def _end(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._source)
        self.close_sink()
        with contextlib.suppress(OSError):
            os.close(self._source)
        self._tell_drained()
        self._on_end()
