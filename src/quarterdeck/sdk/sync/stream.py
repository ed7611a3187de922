# Made by `python -m scripts.sdk` from sdk/aio; change that instead.
"""A run's events as they happen, across every cut: each event once and in order, whatever the network does."""

from collections.abc import Callable, Generator
from contextlib import closing
from time import monotonic, sleep

import msgspec

from quarterdeck.sdk.calls import Call, at
from quarterdeck.sdk.errors import NotUnderstood, QuarterdeckError, Refused, Unreachable
from quarterdeck.sdk.records import Delta, Event, Reset, StreamItem
from quarterdeck.sdk.rules import backoff
from quarterdeck.sdk.sse import Frame, Parser
from quarterdeck.sdk.sync.transport import Transport

LAST_KIND = "run.finished"
SILENCE = 40.0
"""Seconds without a byte after which a stream is taken for cut: a deployment sends a comment each 15 s."""
PATIENCE = 300.0
"""Seconds without a connection after which a stream gives up, unless told otherwise."""

_PASSING = frozenset({429, 502, 503, 504})


def watch(
    transport: Transport,
    run: str,
    *,
    after: int = 0,
    deltas: bool = True,
    timeout: float | None = None,
    patience: float = PATIENCE,
    on_cut: Callable[[QuarterdeckError], None] | None = None,
) -> Generator[StreamItem]:
    """The events of a run behind number `after`, up to its end; with `deltas` also what the model is just writing.

    With `timeout` the stream ends after so many seconds, whether the run has ended or not.

    A connection that is cut, or a deployment that restarts, is met with a new connection that goes on behind the last
    event; `on_cut` is told. Raises what stays refused, and Unreachable after `patience` seconds without a connection.
    """
    place = _Place(after, None if timeout is None else monotonic() + timeout)
    while not place.is_late:
        try:
            with closing(_read(transport, run, place)) as items:
                for item in items:
                    if deltas or isinstance(item, Event):
                        yield item
            if place.ended or place.is_late:
                return
            cut: QuarterdeckError = Unreachable("The stream ended before the run did.")
        except (Refused, Unreachable) as fault:
            if isinstance(fault, Refused) and fault.status not in _PASSING:
                raise
            if place.is_late:
                return
            cut = fault
        pause = place.pause_after(cut, patience)
        if on_cut is not None:
            on_cut(cut)
        sleep(pause)


class _Place:
    """How far a watcher has come, and how long it has been without a connection."""

    def __init__(self, last: int, until: float | None) -> None:
        self.last = last
        self.ended = False
        self._tries = 0
        self._alive_at = monotonic()
        self._until = until

    @property
    def left(self) -> float:
        """Seconds for which a stream may be silent."""
        return SILENCE if self._until is None else min(SILENCE, max(0.001, self._until - monotonic()))

    @property
    def is_late(self) -> bool:
        """Whether the time to watch is over."""
        return self._until is not None and monotonic() >= self._until

    def heard(self) -> None:
        self._tries, self._alive_at = 0, monotonic()

    def take(self, item: StreamItem) -> bool:
        """Whether an item is new."""
        if not isinstance(item, Event):
            return True
        if item.seq <= self.last:
            return False
        self.last, self.ended = item.seq, item.kind == LAST_KIND
        return True

    def pause_after(self, cut: QuarterdeckError, patience: float) -> float:
        """Seconds until the next try. Raises the cut when patience has run out."""
        if monotonic() - self._alive_at > patience:
            raise cut
        self._tries += 1
        wait = cut.retry_after if isinstance(cut, Refused) else None
        return min(max(backoff(self._tries), wait or 0.0), self.left)


def _read(transport: Transport, run: str, place: _Place) -> Generator[StreamItem]:
    """What one connection brings."""
    with transport.open_stream(_call(run, place.last), place.left) as response:
        if response.status_code == 204:
            place.ended = True
            return
        parser = Parser()
        for chunk in response.iter_raw():
            place.heard()
            for frame in parser.feed(chunk):
                item = read_item(frame)
                if item is not None and place.take(item):
                    yield item
                    if place.ended:
                        return
            if place.is_late:
                return


def read_item(frame: Frame) -> StreamItem | None:
    """What a frame holds; None for kinds that carry nothing a reader knows. Raises NotUnderstood."""
    try:
        match frame.event:
            case "message.delta":
                return msgspec.json.decode(frame.data, type=Delta)
            case "message.reset":
                return msgspec.json.decode(frame.data, type=Reset)
            case kind if frame.id:
                event = msgspec.json.decode(frame.data, type=Event)
                return msgspec.structs.replace(event, kind=kind)
            case _:
                return None
    except msgspec.MsgspecError as fault:
        raise NotUnderstood(f"The stream holds a {frame.event} that can't be read: {fault}.") from fault


def _call(run: str, last: int) -> Call[bytes]:
    headers = {"last-event-id": str(last)} if last else {}
    return Call(bytes, "GET", at("runs", run, "events"), headers=headers, repeatable=True)
