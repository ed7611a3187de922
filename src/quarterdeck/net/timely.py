"""A request body that is not sent too late: connecting takes time, and a process can be frozen in the middle of it."""

from collections.abc import Callable
from typing import Any

import aiohttp


class Timely(aiohttp.BytesPayload):
    """Asks once more when the connection stands. aiohttp holds the headers back until the first bytes of the body."""

    def __init__(self, content: bytes, late: Callable[[], bool]) -> None:
        super().__init__(content)
        self._late = late
        self.held_back = False

    async def write_with_length(self, writer: Any, content_length: int | None) -> None:  # noqa: ANN401  # aiohttp's own, not exported
        """Write the body, or nothing of it."""
        if self._late():
            self.held_back = True
            raise ConnectionAbortedError("held back")
        await super().write_with_length(writer, content_length)
