"""Which runs somebody is listening to right now: tokens are streamed for those only."""

import time

from quarterdeck.core.json import Json
from quarterdeck.db.wakes import Heard

FOR = 10.0
"""Seconds for which an announcement holds; listeners announce themselves twice in that time."""


class Watched:
    """Keeps what was announced on the channel `qd_watch`: run ids as hexadecimal text."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def heard(self, heard: Heard) -> None:
        """Somebody announced what they watch."""
        now = time.monotonic()
        for item in heard.items:
            self._note(item, now)
        if len(self._until) > 10_000:
            self._until = {run: until for run, until in self._until.items() if until > now}

    def __contains__(self, run: str) -> bool:
        return self._until.get(run, 0.0) > time.monotonic()

    def _note(self, item: Json, now: float) -> None:
        if isinstance(item, str):
            self._until[item] = now + FOR
