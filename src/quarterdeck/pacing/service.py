"""Asked before each question to a provider: may it be asked now? All workers share the answer through PostgreSQL.

A lane of which nothing is known costs nothing. As soon as the provider says what its limits are, or refuses, its calls
need leases. Who would have to wait for long stands in line instead, and gives its place in the worker up meanwhile.
"""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from functools import partial

from quarterdeck.core.errors import Unavailable
from quarterdeck.core.json import Json
from quarterdeck.core.log import get
from quarterdeck.db.following import Follower
from quarterdeck.db.pool import Database, retrying
from quarterdeck.db.wakes import PACE, Heard, Wakes
from quarterdeck.pacing import rules, store
from quarterdeck.pacing.measured import Measured
from quarterdeck.pacing.queue import HORIZON, Queue
from quarterdeck.pacing.records import Asker, Go, GoOrWait, Lane, LaneName, Leased, Told, Wait

PATIENCE = 2.0
"""Seconds that a call waits in place for its turn; one that would wait longer stands in line."""
LONG_PATIENCE = 10.0
"""The same for one that was called."""
REACH = 3.0
"""Seconds' worth of runs that are called at the same time: the way from a call to the question takes a moment."""
_SHORTEST, _LONGEST = 2.0, 600.0
_BLIND = 2.0

_log = get(__name__)


class Pacer:
    """The pace of all providers, one of these per process. `await start()` before use and `await close()` after."""

    def __init__(self, database: Database, wakes: Wakes | None) -> None:
        self._database = database
        self._wakes = wakes
        self._lanes: dict[LaneName, Lane] = {}
        self._ahead = 0.0
        self._queues: dict[LaneName, Queue] = {}
        self._measured: dict[LaneName, Measured] = {}
        self._follower = Follower("pacing", self._look, wakes, PACE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._deaf: Callable[[], None] | None = None

    async def start(self) -> None:
        """Read what is known, and follow it. Raises Unavailable."""
        if self._wakes is not None:
            self._deaf = self._wakes.listen(PACE, self._heard)
        await self._follower.start(patient=False)

    async def close(self) -> None:
        """Follow no more, and give back what was leased."""
        if self._deaf is not None:
            self._deaf()
        await self._follower.close()
        for task in self._tasks:
            task.cancel()
        for queue in self._queues.values():
            await queue.close()

    def lane(self, name: LaneName) -> Lane | None:
        """What is known of a lane, as of a second ago at most."""
        return self._lanes.get(name)

    @property
    def knows_limits(self) -> bool:
        """Whether anything is known of any provider's limits."""
        return bool(self._lanes)

    def held(self, name: LaneName) -> float:
        """Seconds for which the provider wants nobody to ask under this lane."""
        lane = self._lanes.get(name)
        return 0.0 if lane is None else max(0.0, lane.held_until - self._now())

    async def turn(
        self,
        name: LaneName,
        asker: Asker,
        tokens: Callable[[], float],
        limits: tuple[int | None, int | None] = (None, None),
    ) -> GoOrWait:
        """Leave to send one call for a run.

        `limits` are what the connection's options set, in calls and tokens a minute. `tokens` estimates how many the
        call will take, and is asked only where they count.

        `Go` comes when the call may be sent, after PATIENCE seconds at most; tell `heard` or `refused` of it. `Wait`:
        the limit is used up; the run has a place in line, is called when its turn comes, and may ask again then, or
        after these seconds in any case. What can't be found out waits too. Raises nothing.
        """
        try:
            lane = await self._known(name, limits)
            if lane is not None and not lane.is_paced and (held := self.held(name)) > 0:
                if held > PATIENCE:
                    return Wait(held * random.uniform(1.0, 1.2), self._words(lane))
                await asyncio.sleep(held)
            if lane is None or not lane.is_paced:
                self._measure(name).add(1.0, 0.0)
                return Go(name, 0.0, paced=False, sent_at=self._now())
            return await self._take(lane, asker, max(1.0, tokens()))
        except Unavailable as fault:
            _log.warning("pacing.unknown", lane=name.connection, model=name.model, error=fault.code)
            return Wait(_BLIND * random.uniform(1.0, 1.5), "How much the provider still takes is not known just now.")

    def heard(self, go: Go, told: Told | None, tokens: float | None) -> None:
        """A call has ended: what its answer says of limits, and how many tokens it took (None = nobody knows)."""
        if tokens is not None:
            if not go.paced:
                self._measure(go.name).add(0.0, tokens)
            elif (queue := self._queues.get(go.name)) is not None:
                queue.correct(tokens - go.tokens)
        if told is not None and rules.teaches(self._lanes.get(go.name), told):
            self._soon(self._change(go.name, lambda lane, _: rules.learn(lane, told)))

    async def refused(self, go: Go, told: Told) -> None:
        """The provider refused a call: everybody who has its key waits, and asks less. Raises nothing.

        Returns once the others can know of it.
        """
        measured = self._measure(go.name).a_minute()

        def cut(lane: Lane, now: float) -> Lane:
            return rules.refuse(lane, told, go.sent_at, now, measured)

        # In this process nobody asks from this moment on; the others hear of it once it is written down.
        self._lanes[go.name] = cut(self._lanes.get(go.name) or Lane(go.name), self._now())
        try:
            await self._change(go.name, cut)
        except Unavailable as fault:
            _log.warning("pacing.refusal_not_kept", lane=go.name.connection, error=fault.code)
        if (queue := self._queues.get(go.name)) is not None:
            if go.paced:
                queue.correct(-go.tokens)  # it took none
            queue.withdraw()

    def waiting(self) -> dict[LaneName, int]:
        """How many calls wait in this process, by lane."""
        return {name: queue.waiting for name, queue in self._queues.items()}

    async def _known(self, name: LaneName, limits: tuple[int | None, int | None]) -> Lane | None:
        """The lane as its options want it."""
        lane = self._lanes.get(name)
        chosen = (None, None) if lane is None else (lane.requests.chosen, lane.tokens.chosen)
        if chosen == limits:
            return lane
        await self._change(name, lambda known, _: rules.choose(known, limits[0], limits[1]))
        return self._lanes.get(name)

    async def _take(self, lane: Lane, asker: Asker, tokens: float) -> GoOrWait:
        queue = self._queue(lane.name)
        held = self.held(lane.name)
        if not queue.crowded and held < PATIENCE and await queue.start(tokens, PATIENCE):
            return Go(lane.name, tokens, paced=True, sent_at=self._now())
        called, calls, before = await self._line_up(lane, asker, tokens)
        if called and held < PATIENCE and await queue.start(tokens, LONG_PATIENCE, asker):
            return Go(lane.name, tokens, paced=True, sent_at=self._now())
        seconds = rules.turn_in(self._lanes.get(lane.name, lane), calls, before, self._now())
        # Those who are sent away together must not come back together.
        seconds = min(_LONGEST, max(_SHORTEST, seconds)) * random.uniform(1.0, 1.2)
        return Wait(seconds, self._words(lane))

    async def _line_up(self, lane: Lane, asker: Asker, tokens: float) -> tuple[bool, float, float]:
        room = rules.room(lane, REACH, self._now())

        async def work() -> tuple[bool, float, float]:
            async with self._database.system.transaction() as tx:
                return await store.line_up(tx, lane.name, asker, tokens, room)

        called, calls, before = await retrying(work)
        if not called:
            self._queue(lane.name).crowded = True
        return called, calls, before

    def _words(self, lane: Lane) -> str:
        if (held := self.held(lane.name)) > 0:
            return f"`{lane.name.connection}` wants to be left alone for {held:.0f} s more."
        rates = [
            f"{rate.now:,.0f} {unit}"
            for rate, unit in ((lane.requests, "requests"), (lane.tokens, "tokens"))
            if rate.now is not None
        ]
        return f"`{lane.name.connection}` takes {' and '.join(rates)} a minute, and they are used up."

    async def _change(self, name: LaneName, change: Callable[[Lane, float], Lane]) -> None:
        """Learn something of a lane, in one transaction, and know it from then on. Raises Unavailable."""

        async def work() -> Lane:
            async with self._database.system.transaction() as tx:
                found = await store.lock(tx, name)
                if found is None:
                    await store.open_lane(tx, name)
                    found = await store.lock(tx, name)
                assert found is not None  # it was made just now, or by somebody else
                before, now = found
                after = change(before, now)
                if after != before:
                    await store.write(tx, after)
                    tx.after_commit(partial(self._tell, before, after))
                self._set_clock(now)
                return after

        self._lanes[name] = await retrying(work)

    def _tell(self, before: Lane, after: Lane) -> None:
        if self._wakes is not None:
            name = after.name
            item: list[Json] = [name.connection, name.fingerprint, name.model, after.held_until]
            self._wakes.send(PACE, item, key=name.key)
        facts: dict[str, Json] = {"provider": after.name.connection, "model": after.name.model}
        if after.refusals > before.refusals:
            held = round(after.held_until - self._now(), 1)
            _log.info("pacing.refused", **facts, held=held, requests=after.requests.now, tokens=after.tokens.now)
        elif after.requests.most != before.requests.most or after.tokens.most != before.tokens.most:
            _log.info("pacing.learned", **facts, requests=after.requests.most, tokens=after.tokens.most)

    def _heard(self, heard: Heard) -> None:
        """Others were refused: hold back at once, before what they have learned is read."""
        for item in heard.items:
            match item:
                case [str(connection), str(fingerprint), str(model), float(until)]:
                    name = LaneName(connection, fingerprint, model)
                    lane = self._lanes.get(name)
                    if lane is not None and lane.held_until < until:
                        self._lanes[name] = replace(lane, held_until=until)
                        self._queue(name).withdraw()
                case _:
                    pass

    async def _look(self) -> None:
        async with self._database.system.transaction() as tx:
            lanes, now = await store.every(tx)
        self._set_clock(now)
        before, self._lanes = self._lanes, {lane.name: lane for lane in lanes}
        for lane, crowded in lanes.items():
            queue, known = self._queue(lane.name), before.get(lane.name)
            queue.crowded = crowded
            if known is not None and lane.held_until > known.held_until:
                queue.withdraw()

    def _queue(self, name: LaneName) -> Queue:
        queue = self._queues.get(name)
        if queue is None:
            queue = self._queues[name] = Queue(partial(self._lease, name), partial(self.held, name))
        return queue

    async def _lease(
        self, name: LaneName, tokens: Sequence[float], back: tuple[float, float], waiting: int, came: Sequence[Asker]
    ) -> Leased | None:
        async def work() -> Leased | None:
            async with self._database.system.transaction() as tx:
                return await store.lease(tx, name, tokens, HORIZON, back=back, waiting=waiting, came=came)

        return await retrying(work)

    def _measure(self, name: LaneName) -> Measured:
        return self._measured.setdefault(name, Measured())

    def _set_clock(self, now: float) -> None:
        """How far the database's clock is ahead of ours."""
        self._ahead = now - time.monotonic()

    def _now(self) -> float:
        """The database's time, as well as it is known here."""
        return time.monotonic() + self._ahead

    def _soon(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(self._survive(work), name="pacing.learn")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _survive(self, work: Coroutine[object, object, None]) -> None:
        try:
            await work
        except Unavailable as fault:
            _log.warning("pacing.not_learned", error=fault.code)
