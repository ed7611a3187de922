"""Wakes between processes: hints that something changed, cheap enough to send after every commit.

A NOTIFY inside a durable transaction holds one lock of the whole cluster until its flush. So wakes leave on a
connection of their own that does not wait for the disk, and those of a few milliseconds travel together. A wake may be
lost: it costs latency only, since whoever waits also looks again by the clock.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from quarterdeck.core import log
from quarterdeck.core.json import Json, decode, encode_text
from quarterdeck.db import driver
from quarterdeck.db.driver import Connection

RUNS = "qd_runs"
"""A run's log grew: items are `[run id, last seq]`."""
ADMIT = "qd_admit"
"""Something became admissible."""
CONTROL = "qd_control"
"""A run was told something: cancel, an answer, an outcome."""
DELTAS = "qd_deltas"
"""Tokens of a message that is being written."""
WATCH = "qd_watch"
"""Somebody began or stopped to watch a run's tokens."""
DELIVER = "qd_deliver"
"""Deliveries were put into the engine's queue."""
POLICIES = "qd_policies"
"""A tenant's policies changed: items are the tenant's id."""
SWITCH = "qd_switch"
"""A switch was thrown or lifted."""
AUTONOMY = "qd_autonomy"
"""What agents may do by themselves changed: items are the tenant's id."""
BUDGETS = "qd_budgets"
"""A budget was set or removed."""
PACE = "qd_pace"
"""What is known of a provider's limits changed."""
CHANNELS = (RUNS, ADMIT, CONTROL, DELTAS, WATCH, DELIVER, POLICIES, SWITCH, AUTONOMY, BUDGETS, PACE)

PAUSE = 0.010
"""Seconds between two departures: the first wake after a silence leaves at once, what follows waits for the next."""
LARGEST_PAYLOAD = 7_000
"""Bytes of one notification; PostgreSQL takes less than 8,000."""
_MOST_WAITING = 20_000
_HEARTBEAT = 5.0
_LONGEST_RETRY = 2.0

_log = log.get(__name__)

# Send a batch, over all channels, in one transaction that waits for no disk.
NOTIFY = "SELECT pg_notify(c, p) FROM unnest($1::text[], $2::text[]) AS t(c, p)"


@dataclass(frozen=True, slots=True)
class Heard:
    """What a listener is told."""

    items: tuple[Json, ...]
    """What was sent, in the sender's order. Empty after a reconnect."""
    reconnected: bool
    """The connection was away (or is new): wakes may have been missed, so look for yourself."""


Listener = Callable[[Heard], None]


class Wakes:
    """Sends and hears wakes over one direct connection, which it makes again whenever it is lost.

    Nothing here raises into a caller or waits for the database. `url` must not lead through PgBouncer.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._waiting: dict[tuple[str, str], str] = {}
        self._unique = 0
        self._dropped = 0
        self._listeners: dict[str, list[Listener]] = {}
        self._listening: set[str] = set()
        self._stir = asyncio.Event()
        self._connected = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    async def start(self, *, patience: float = 5.0) -> None:
        """Begin; waits up to `patience` for the first connection, and goes on trying without it afterwards."""
        self._task = asyncio.create_task(self._keep_going(), name="wakes")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._connected.wait(), patience)

    async def close(self) -> None:
        """Send what is still waiting, if that goes quickly, and end."""
        task, self._task = self._task, None
        if task is None:
            return
        self._closing = True
        self._stir.set()
        await asyncio.wait({task}, timeout=0.5 if self._connected.is_set() else 0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    def send(self, channel: str, item: Json, *, key: str = "") -> None:
        """Send `item` to who listens to `channel`; of items with one `key` that would travel together the last goes."""
        if not key:
            self._unique += 1
            key = f"\x00{self._unique}"
        try:
            text = encode_text(item)
        except (TypeError, ValueError):
            _log.exception("wakes.item_refused", channel=channel)
            return
        if len(text.encode()) > LARGEST_PAYLOAD - 2 or len(self._waiting) >= _MOST_WAITING:
            if self._dropped == 0:
                _log.warning("wakes.dropping", channel=channel, size=len(text), waiting=len(self._waiting))
            self._dropped += 1
            return
        self._waiting[(channel, key)] = text
        self._stir.set()

    def wake_run(self, run: UUID, seq: int) -> None:
        """Say that a run's log has grown to `seq`."""
        self.send(RUNS, [run.hex, seq], key=run.hex)

    def listen(self, channel: str, listener: Listener) -> Callable[[], None]:
        """Call `listener` with what is heard on a channel, and after each reconnect; answers a function that ends it.

        A listener runs in the event loop and must not block; one that raises is logged.
        """
        self._listeners.setdefault(channel, []).append(listener)
        self._stir.set()

        def stop() -> None:
            with contextlib.suppress(ValueError):
                self._listeners[channel].remove(listener)
            self._stir.set()

        return stop

    async def _keep_going(self) -> None:
        """Connect, serve until the connection is lost, connect again."""
        pause = 0.05
        while not self._closing:
            try:
                connection = await driver.connect(self._url, settings={"application_name": "quarterdeck wakes"})
            except Exception as fault:  # whatever it is, only time can help
                _log.warning("wakes.not_connected", reason=str(fault) or type(fault).__name__)
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))
                pause = min(pause * 2, _LONGEST_RETRY)
                continue
            try:
                pause = 0.05
                await self._serve(connection)
            except Exception as fault:  # the same: connect again
                _log.warning("wakes.connection_lost", reason=str(fault) or type(fault).__name__)
            finally:
                self._connected.clear()
                connection.terminate()

    async def _serve(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        self._listening = set()
        connection.add_termination_listener(lambda _: self._stir.set())
        await connection.execute("SET synchronous_commit = off", timeout=_HEARTBEAT)
        await self._follow_channels(connection)
        self._connected.set()
        while not (self._closing and not self._waiting):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_HEARTBEAT):
                    await self._stir.wait()
            if not self._stir.is_set():
                # A peer that vanished without a word is found by asking.
                await connection.execute("SELECT 1", timeout=_HEARTBEAT)
                continue
            self._stir.clear()
            if connection.is_closed():
                raise ConnectionError("closed by the server")
            await self._follow_channels(connection)
            if self._waiting:
                left_at = loop.time()
                await self._depart(connection)
                await asyncio.sleep(max(0.0, left_at + PAUSE - loop.time()))

    async def _follow_channels(self, connection: Connection) -> None:
        """LISTEN to what has listeners by now, telling them that they may have missed something; to nothing else."""
        wanted = {channel for channel, listeners in self._listeners.items() if listeners}
        for channel in wanted - self._listening:
            await connection.add_listener(channel, self._heard)
            self._listening.add(channel)
            self._tell(channel, Heard((), reconnected=True))
        for channel in self._listening - wanted:
            await connection.remove_listener(channel, self._heard)
            self._listening.discard(channel)

    async def _depart(self, connection: Connection) -> None:
        if self._dropped > 1:
            _log.warning("wakes.dropped", count=self._dropped)
        batch, self._waiting, self._dropped = self._waiting, {}, 0
        channels: list[str] = []
        payloads: list[str] = []
        for channel in dict.fromkeys(channel for channel, _ in batch):
            texts = [text for (name, _), text in batch.items() if name == channel]
            for payload in packed(texts):
                channels.append(channel)
                payloads.append(payload)
        await connection.execute(NOTIFY, channels, payloads, timeout=_HEARTBEAT)

    def _heard(self, _: Connection, pid: int, channel: str, payload: str) -> None:  # noqa: ARG002  # the driver's order
        try:
            items = decode(payload)
        except ValueError:
            _log.warning("wakes.not_json", channel=channel)
            return
        self._tell(channel, Heard(tuple(items) if isinstance(items, list) else (items,), reconnected=False))

    def _tell(self, channel: str, heard: Heard) -> None:
        for listener in tuple(self._listeners.get(channel, ())):
            try:
                listener(heard)
            except Exception:
                _log.exception("wakes.listener_failed", channel=channel)


def packed(texts: list[str], limit: int = LARGEST_PAYLOAD) -> list[str]:
    """JSON lists of these JSON texts, in order, of at most `limit` bytes each; no text may be longer by itself."""
    payloads: list[str] = []
    current: list[str] = []
    size = 1  # two brackets, and one comma fewer than there are texts
    for text in texts:
        length = len(text.encode()) + 1
        if current and size + length > limit:
            payloads.append(f"[{','.join(current)}]")
            current, size = [], 1
        current.append(text)
        size += length
    if current:
        payloads.append(f"[{','.join(current)}]")
    return payloads
