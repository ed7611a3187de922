"""Streams of runs as they go: what the log holds, in order and complete, and in between the tokens being written.

The log is the stream: an event's `seq` is its id, so a client resumes exactly. Wakes only say when to look; a lost one
costs at most a second, since everything watched is also asked for by the clock, with one question a tenant. Tokens
pass by unlogged and may be lost; no event is, however slow the client.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from quarterdeck.core import log as logs
from quarterdeck.core.errors import Unavailable
from quarterdeck.core.ids import RunId, TenantId
from quarterdeck.db.wakes import DELTAS, RUNS, WATCH, Heard, Wakes
from quarterdeck.http.streams import COMMENT, TooManyStreams
from quarterdeck.runs.records import StoredEvent
from quarterdeck.serve.frames import delta_of, frame_of, frame_of_delta
from quarterdeck.serve.watcher import Watcher

PAGE = 200
"""Events fetched at once."""
POLL = 1.0
ANNOUNCE = 5.0
COMMENT_AFTER = 15.0
MOST_STREAMS = 2_000

_log = logs.get("quarterdeck.serve")


@dataclass(frozen=True, slots=True)
class Head:
    """How far a run's log has come, and whether the run has ended."""

    last_seq: int
    ended: bool


class Log(Protocol):
    """Where events come from."""

    async def events(self, tenant: TenantId, run: RunId, after: int, limit: int) -> Sequence[StoredEvent]:
        """Up to `limit` events after a position, in order."""
        ...

    async def heads(self, tenant: TenantId, runs: Sequence[RunId]) -> Mapping[RunId, Head]:
        """How far these runs have come; one that does not exist is absent."""
        ...


class Live:
    """All streams of a process. Streams end when their run does, or within a second after `closing` is set."""

    def __init__(
        self, log: Log, wakes: Wakes, closing: asyncio.Event, *, most_streams: int = MOST_STREAMS, poll: float = POLL
    ) -> None:
        self._log = log
        self._wakes = wakes
        self._closing = closing
        self._most_streams = most_streams
        self._poll = poll
        self._watchers: dict[RunId, set[Watcher]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._stops: list[Callable[[], None]] = []
        self.streams = 0

    def start(self) -> None:
        """Listen to wakes and begin to ask by the clock."""
        self._stops = [self._wakes.listen(RUNS, self._run_grew), self._wakes.listen(DELTAS, self._delta_came)]
        self._tasks = [
            asyncio.create_task(self._ask_by_the_clock(), name="live poll"),
            asyncio.create_task(self._announce_by_the_clock(), name="live watch"),
            asyncio.create_task(self._end_with_the_process(), name="live closing"),
        ]

    async def close(self) -> None:
        """End all streams and stop listening."""
        self._closing.set()
        self._stir_all()
        for stop in self._stops:
            stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def watch(self, tenant: TenantId, run: RunId, after: int = 0) -> AsyncGenerator[bytes, None]:
        """The frames of a run's stream after a position. The caller has checked that the client may see the run.

        Raises TooManyStreams at once, before an answer has begun.
        """
        if self.streams >= self._most_streams:
            raise TooManyStreams(limit=self._most_streams, retry_after=5)
        return self._stream(Watcher(tenant, run, after))

    async def _stream(self, watcher: Watcher) -> AsyncGenerator[bytes, None]:
        self._enter(watcher)
        try:
            while not self._closing.is_set():
                watcher.stirred.clear()
                try:
                    frames, ended = await self._look(watcher)
                except Unavailable:
                    # The stream waits for the database rather than send its client away to come back at once.
                    watcher.suspect()
                    await asyncio.sleep(self._poll)
                    yield COMMENT
                    continue
                if frames:
                    yield frames
                if ended:
                    return
                if not frames and not await self._stirred(watcher):
                    yield COMMENT
        finally:
            self._leave(watcher)

    async def _look(self, watcher: Watcher) -> tuple[bytes, bool]:
        """What is new, as frames in order, and whether that was the end."""
        # Tokens that came before this look belong before the events that it finds.
        frames = watcher.take_deltas()
        if watcher.behind:
            promised = watcher.begin_look()
            events = await self._log.events(watcher.tenant, watcher.run, watcher.seq, PAGE)
            for event in events:
                frames.append(frame_of(event))
                watcher.passed(event)
            watcher.end_look(promised, full_page=len(events) == PAGE)
        ended = watcher.at_end and not watcher.behind and await self._has_ended(watcher)
        return b"".join(frames), ended

    async def _has_ended(self, watcher: Watcher) -> bool:
        """Whether nothing more will come. A run may go on after its last event when somebody retries it."""
        head = (await self._log.heads(watcher.tenant, [watcher.run])).get(watcher.run)
        if head is None:
            return True
        watcher.grew(head.last_seq)
        watcher.at_end = False
        return head.ended and not watcher.behind

    async def _stirred(self, watcher: Watcher) -> bool:
        """Wait for something new; false when it is time for a sign of life."""
        try:
            async with asyncio.timeout(COMMENT_AFTER):
                await watcher.stirred.wait()
        except TimeoutError:
            return False
        return True

    def _enter(self, watcher: Watcher) -> None:
        self.streams += 1
        watchers = self._watchers.setdefault(watcher.run, set())
        watchers.add(watcher)
        self._wakes.send(WATCH, watcher.run.hex, key=watcher.run.hex)

    def _leave(self, watcher: Watcher) -> None:
        self.streams -= 1
        watchers = self._watchers.get(watcher.run, set())
        watchers.discard(watcher)
        if not watchers:
            self._watchers.pop(watcher.run, None)

    def _run_grew(self, heard: Heard) -> None:
        if heard.reconnected:
            # Whatever was missed meanwhile: everybody looks.
            for watchers in self._watchers.values():
                for watcher in watchers:
                    watcher.suspect()
        for item in heard.items:
            match item:
                case [str(run), int(seq)]:
                    for watcher in self._watchers.get(RunId(UUID(run)), ()):
                        watcher.grew(seq)
                case _:
                    _log.warning("live.unknown_wake", item=str(item))

    def _delta_came(self, heard: Heard) -> None:
        for item in heard.items:
            delta = delta_of(item)
            watchers = self._watchers.get(RunId(delta.run), ()) if delta is not None else ()
            if delta is not None and watchers:
                frame = frame_of_delta(delta)
                for watcher in watchers:
                    watcher.add(delta, frame)

    async def _ask_by_the_clock(self) -> None:
        while True:
            await asyncio.sleep(self._poll)
            by_tenant: dict[TenantId, list[RunId]] = {}
            for run, watchers in self._watchers.items():
                tenant = next(iter(watchers)).tenant
                by_tenant.setdefault(tenant, []).append(run)
            for tenant, runs in by_tenant.items():
                await self._ask(tenant, runs)

    async def _ask(self, tenant: TenantId, runs: Sequence[RunId]) -> None:
        try:
            heads = await self._log.heads(tenant, runs)
        except Exception as fault:  # the database is away: streams stay open and go on when it is back
            _log.warning("live.not_asked", fault=repr(fault))
            return
        for run, head in heads.items():
            for watcher in self._watchers.get(run, ()):
                watcher.grew(head.last_seq)
                if head.ended and head.last_seq <= watcher.seq:
                    watcher.may_be_over()

    async def _announce_by_the_clock(self) -> None:
        while True:
            await asyncio.sleep(ANNOUNCE)
            for run in self._watchers:
                self._wakes.send(WATCH, run.hex, key=run.hex)

    async def _end_with_the_process(self) -> None:
        await self._closing.wait()
        self._stir_all()

    def _stir_all(self) -> None:
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.stirred.set()


@contextlib.asynccontextmanager
async def live_streams(log: Log, wakes: Wakes, closing: asyncio.Event) -> AsyncGenerator[Live, None]:
    """The streams of a process, for as long as the block lasts."""
    live = Live(log, wakes, closing)
    live.start()
    try:
        yield live
    finally:
        await live.close()
