"""Token deltas go to whoever listens, unlogged: coalesced, marked with where they belong, never a promise."""

import asyncio
from collections.abc import Callable

from quarterdeck.core.ids import RunId
from quarterdeck.core.json import Json
from quarterdeck.db.wakes import DELTAS
from quarterdeck.runs.service import Wakes

EVERY = 0.05
LARGEST = 6000
"""Characters of one delta: with its marks it stays below what one NOTIFY carries."""


class Deltas:
    """Streams the pieces of one model call. `offset` counts characters of a kind, so a reader sees what it missed."""

    def __init__(self, wakes: Wakes, watched: Callable[[], bool], run: RunId, step: int, attempt: int) -> None:
        self._wakes = wakes
        self._watched = watched
        self._run = run
        self._step = step
        self._attempt = attempt
        self._pieces: list[tuple[str, str]] = []
        self._offsets: dict[str, int] = {}
        self._timer: asyncio.TimerHandle | None = None

    def reset(self) -> None:
        """What was streamed of this step before is void: it is written anew."""
        self._pieces.clear()
        self._offsets.clear()
        self._wakes.send(DELTAS, {**self._place(), "reset": True})

    def add(self, kind: str, piece: str) -> None:
        """One piece, as the provider sent it."""
        self._pieces.append((kind, piece))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(EVERY, self.send)

    def send(self) -> None:
        """Send what has come so far."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        pieces, self._pieces = self._pieces, []
        for kind, text in _joined(pieces):
            for start in range(0, len(text), LARGEST):
                self._send_one(kind, text[start : start + LARGEST])

    def _send_one(self, kind: str, text: str) -> None:
        offset = self._offsets.get(kind, 0)
        self._offsets[kind] = offset + len(text)
        if self._watched():
            self._wakes.send(DELTAS, {**self._place(), "offset": offset, "kind": kind, "text": text})

    def _place(self) -> dict[str, Json]:
        return {"run": self._run.hex, "step": self._step, "attempt": self._attempt}


def _joined(pieces: list[tuple[str, str]]) -> list[tuple[str, str]]:
    joined: list[tuple[str, str]] = []
    for kind, piece in pieces:
        if joined and joined[-1][0] == kind:
            joined[-1] = (kind, joined[-1][1] + piece)
        else:
            joined.append((kind, piece))
    return joined
