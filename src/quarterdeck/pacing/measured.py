"""What one process has asked lately, a minute: all there is to go by when a provider refuses for the first time."""

import time
from math import exp

_OVER = 10.0
FEW = 3.0
"""Calls within the last seconds from which on there is a rate to speak of."""


class Measured:
    """Two sums that fade with time."""

    __slots__ = ("_at", "_began", "_requests", "_tokens")

    def __init__(self) -> None:
        self._requests = 0.0
        self._tokens = 0.0
        self._at = self._began = time.monotonic()

    def add(self, requests: float, tokens: float) -> None:
        """So much was asked now."""
        self._fade()
        self._requests += requests
        self._tokens += tokens

    def a_minute(self) -> tuple[float, float]:
        """Calls and tokens a minute; nothing where only a few were made: two calls at once are no rate."""
        self._fade()
        if self._requests < FEW:
            return 0.0, 0.0
        # A sum that has only begun to fill stands for the time since it began.
        span = _OVER * (1 - exp(-max(1.0, self._at - self._began) / _OVER))
        return self._requests / span * 60, self._tokens / span * 60

    def _fade(self) -> None:
        now = time.monotonic()
        fading = exp((self._at - now) / _OVER)
        self._requests *= fading
        self._tokens *= fading
        self._at = now
