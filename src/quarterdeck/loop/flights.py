"""Calls of one attempt that are on their way, each with a way to stop it: the run ends, or a switch is thrown."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(eq=False, slots=True)
class Flight:
    """One call on its way, or one question to a model (which has neither tool nor server).

    `cancel` set: its tool is told to stop, and what became of it is accounted for; a question is abandoned.
    """

    tool: str = ""
    server: str = ""
    reads: bool = True
    model: str = ""
    provider: str = ""
    cancel: asyncio.Event = field(default_factory=asyncio.Event)


class Flights:
    """The calls on their way of one attempt."""

    def __init__(self) -> None:
        self._going: set[Flight] = set()
        self._stopped = False

    @contextmanager
    def begin(self, flight: Flight) -> Generator[Flight]:
        """Know of it while the block lasts. One that begins after all were stopped is stopped at once."""
        self._going.add(flight)
        if self._stopped:
            flight.cancel.set()
        try:
            yield flight
        finally:
            self._going.discard(flight)

    def stop(self) -> None:
        """Stop all, and those that are yet to begin."""
        self._stopped = True
        self.stop_those(lambda _: True)

    def stop_those(self, meant: Callable[[Flight], bool]) -> None:
        """Stop the calls on their way that are meant; later ones are judged by the gate."""
        for flight in self._going:
            if meant(flight):
                flight.cancel.set()
