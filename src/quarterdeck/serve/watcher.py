"""One stream's place: how far it has come, how far the log has, and the tokens that wait for it."""

import asyncio
from collections import deque

from quarterdeck.core.ids import RunId, TenantId
from quarterdeck.runs.records import StoredEvent
from quarterdeck.serve.frames import Delta, answered_step, frame_of_delta, is_last

MOST_WAITING = 256 * 1024
"""Bytes of tokens kept for a client that is slower than the model; what is more is dropped, oldest first."""


class Watcher:
    """State of one stream; used in one event loop only."""

    __slots__ = (
        "_deltas",
        "_known",
        "_shown",
        "_size",
        "_suspect",
        "at_end",
        "dropped",
        "run",
        "seq",
        "stirred",
        "tenant",
    )

    def __init__(self, tenant: TenantId, run: RunId, after: int) -> None:
        self.tenant = tenant
        self.run = run
        self.seq = after
        self.stirred = asyncio.Event()
        self.at_end = True
        self.dropped = 0
        self._known = 0
        self._suspect = True
        self._deltas: deque[tuple[Delta, bytes]] = deque()
        self._size = 0
        self._shown = (-1, -1, True)
        """Step and attempt of the message that tokens were last shown of, and whether it is complete."""

    @property
    def behind(self) -> bool:
        """Whether the log has, or may have, what this stream has not."""
        return self._suspect or self._known > self.seq

    def grew(self, seq: int) -> None:
        """The log is known to reach `seq`."""
        if seq > self._known:
            self._known = seq
            if seq > self.seq:
                self.stirred.set()

    def suspect(self) -> None:
        """The log may have grown."""
        self._suspect = True
        self.stirred.set()

    def passed(self, event: StoredEvent) -> None:
        """An event went out."""
        self.seq = event.seq
        self.at_end = is_last(event)
        step = answered_step(event)
        if step is not None:
            self._shown = (step, event.attempt, True)

    def begin_look(self) -> int:
        """A look at the log begins: what is heard from now on is news to it. Answers how far it is known to reach."""
        self._suspect = False
        return self._known

    def end_look(self, promised: int, *, full_page: bool) -> None:
        """A look at the log is over. After a full page another is due."""
        if full_page:
            self._suspect = True
        elif self._known == promised:
            # What a wake promised and the log does not hold is not to be looked for again and again.
            self._known = min(self._known, self.seq)

    def may_be_over(self) -> None:
        """Whether the run has ended is worth asking, though no event says so."""
        self.at_end = True
        self.stirred.set()

    def add(self, delta: Delta, frame: bytes) -> None:
        """Tokens came by."""
        self._deltas.append((delta, frame))
        self._size += len(frame)
        while self._size > MOST_WAITING:
            _, lost = self._deltas.popleft()
            self._size -= len(lost)
            self.dropped += 1
        self.stirred.set()

    def take_deltas(self) -> list[bytes]:
        """The frames of waiting tokens, less those of a complete message, and with a reset before a new start."""
        frames: list[bytes] = []
        for delta, frame in self._deltas:
            step, attempt, complete = self._shown
            place = (delta.attempt, delta.step)
            if place < (attempt, step) or (complete and place == (attempt, step)):
                continue
            if delta.step == step and delta.attempt > attempt and not complete and not delta.reset:
                frames.append(frame_of_delta(Delta(delta.run, delta.step, delta.attempt, reset=True)))
            self._shown = (delta.step, delta.attempt, False)
            frames.append(frame)
        self._deltas.clear()
        self._size = 0
        return frames
