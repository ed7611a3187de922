"""What workers do for webhooks: fan events out to endpoints, and deliver what is due.

Every worker runs this loop; row locks and leases keep them out of each other's way. A message is delivered at least
once: a worker that dies after the endpoint answered and before that is written down leaves it to be sent again, under
the same `webhook-id`.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from quarterdeck.core import log, signature
from quarterdeck.core.clock import Clock
from quarterdeck.core.errors import Error, Unavailable
from quarterdeck.core.ids import uuid7_floor
from quarterdeck.core.seal import SealBroken
from quarterdeck.db.pool import Database, retrying
from quarterdeck.net.client import Outbound
from quarterdeck.net.records import Limits
from quarterdeck.webhooks import rules, store_outgoing
from quarterdeck.webhooks.records import Due, EndpointId, Kind, Outcome, Verdict, new_delivery_id
from quarterdeck.webhooks.store_outgoing import Event, Listener, Message

KEPT_FOR = timedelta(days=30)

_PRUNE_EVERY = 3600.0
_FAN_OUT = 200
_PRUNE = 1000

_log = log.get("quarterdeck.webhooks")


@dataclass(frozen=True, slots=True)
class Pace:
    """How much one worker does at once. Seconds."""

    at_once: int = 32
    at_once_each: int = 8
    """To one endpoint, so that a slow one can't take all places."""
    attempt: float = 15.0
    lease: float = 60.0
    """After which another worker tries a claimed message; longer than an attempt can take."""
    poll: float = 1.0
    grace: float = 5.0
    """For attempts under way when the worker stops."""


async def deliver_loop(
    db: Database, outbound: Outbound, clock: Clock, stop: asyncio.Event, *, key: bytes, pace: Pace | None = None
) -> None:
    """Fan out and deliver until `stop` is set, then give attempts under way a moment.

    `key` is `settings.derive("webhooks")`. Goes on when the database goes away and comes back.
    """
    await Courier(db, outbound, clock, key, pace or Pace()).run(stop)


class Courier:
    """One worker's share of the deliveries."""

    def __init__(self, db: Database, outbound: Outbound, clock: Clock, key: bytes, pace: Pace) -> None:
        self._db = db
        self._outbound = outbound
        self._clock = clock
        self._key = key
        self._pace = pace
        self._under_way: dict[asyncio.Task[None], EndpointId] = {}
        self._freed = asyncio.Event()
        self._pruned_at = -_PRUNE_EVERY

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop."""
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                self._freed.clear()
                if not await self._round():
                    freed = asyncio.create_task(self._freed.wait())
                    await asyncio.wait({stopping, freed}, timeout=self._pace.poll, return_when=asyncio.FIRST_COMPLETED)
                    freed.cancel()
            if self._under_way:
                await asyncio.wait(self._under_way, timeout=self._pace.grace)
        finally:
            stopping.cancel()
            for task in self._under_way:
                task.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _round(self) -> bool:
        """One look at the outbox and at what is due. True when there may be more at once."""
        try:
            told = await self.fan_out()
            claimed = await self._claim()
            await self._prune()
        except Unavailable as away:
            _log.warning("webhook.database_away", code=away.code)
            return False
        for due in claimed:
            task = asyncio.create_task(self._attempt(due))
            self._under_way[task] = due.endpoint
            task.add_done_callback(self._free)
        return told == _FAN_OUT or bool(claimed)

    async def fan_out(self) -> int:
        """Turn events of the outbox into messages for the endpoints that want them; the number of events taken."""
        async with self._db.system.transaction() as tx:
            events = await store_outgoing.take(tx, _FAN_OUT)
            if events:
                listeners = await store_outgoing.listeners(tx, list({event.tenant for event in events}))
                messages = [message for event in events for message in _messages(event, listeners)]
                if messages:
                    await store_outgoing.queue(tx, messages)
        return len(events)

    async def _claim(self) -> list[Due]:
        places = self._pace.at_once - len(self._under_way)
        if places <= 0:
            return []
        # An endpoint gets its next few when those under way here are done: so `at_once_each` holds without counting.
        busy = list(set(self._under_way.values()))
        lease = timedelta(seconds=self._pace.lease)
        async with self._db.system.transaction() as tx:
            return await store_outgoing.claim(tx, places, self._pace.at_once_each, busy, lease)

    async def _attempt(self, due: Due) -> None:
        try:
            outcome = await self._send(due) if due.tries <= rules.MOST_TRIES else Outcome(error=_NO_ATTEMPT_ENDED)
            verdict = rules.judge(outcome, due.tries, due.failing_for, random.random())
            disabled = await retrying(lambda: self._finish(due, verdict, outcome))
        except Unavailable as away:
            # The lease runs out and the message is sent again.
            _log.warning("webhook.outcome_lost", delivery=str(due.id), tenant=str(due.tenant), code=away.code)
            return
        _log.info(
            "webhook.attempted",
            state=verdict.state.value,
            tenant=str(due.tenant),
            endpoint=str(due.endpoint),
            delivery=str(due.id),
            kind=due.kind,
            tries=due.tries,
            status=outcome.status,
            error=verdict.error,
        )
        if disabled:
            _log.warning(
                "webhook.endpoint_disabled",
                tenant=str(due.tenant),
                endpoint=str(due.endpoint),
                reason=verdict.disable,
            )

    async def _finish(self, due: Due, verdict: Verdict, outcome: Outcome) -> bool:
        async with self._db.system.transaction() as tx:
            return await store_outgoing.finish(tx, due, verdict, outcome.status)

    async def _send(self, due: Due) -> Outcome:
        """One attempt. The answer's body is not read: its status says all, and what it holds is not ours to keep."""
        now = self._clock.now()
        try:
            opened = [rules.reopen(self._key, due.tenant, due.endpoint, sealed) for sealed in due.sealed_secrets]
        except SealBroken as broken:
            _log.error("webhook.secret_broken", tenant=str(due.tenant), endpoint=str(due.endpoint))
            return Outcome(error=broken.detail)
        signed = signature.sign([secret.text for secret in opened if secret.lives(now)], str(due.id), now, due.body)
        headers = {"content-type": "application/json", **signed}
        limits = Limits(total=self._pace.attempt, max_bytes=_ANY_SIZE)
        try:
            async with self._outbound.stream("POST", due.url, headers, due.body, limits=limits) as answer:
                return Outcome(answer.status, retry_after=rules.retry_after(answer.header("retry-after"), now))
        except Error as error:
            return Outcome(error=f"{error.detail} ({error.code})")
        except Exception:
            # Our own fault counts as an attempt all the same: a message that breaks us must not do so for ever.
            _log.exception("webhook.attempt_broke", tenant=str(due.tenant), delivery=str(due.id))
            return Outcome(error="The attempt broke on our side.")

    async def _prune(self) -> None:
        if self._clock.boot() - self._pruned_at < _PRUNE_EVERY:
            return
        before = uuid7_floor(int((self._clock.now() - KEPT_FOR).timestamp() * 1000))
        async with self._db.system.transaction() as tx:
            forgotten = await store_outgoing.prune(tx, before, _PRUNE)
        if forgotten < _PRUNE:
            self._pruned_at = self._clock.boot()

    def _free(self, task: asyncio.Task[None]) -> None:
        self._under_way.pop(task, None)
        self._freed.set()
        if not task.cancelled() and (fault := task.exception()) is not None:
            _log.error("webhook.outcome_lost", exc_info=fault)


def _messages(event: Event, listeners: Sequence[Listener]) -> list[Message]:
    wanted = [
        listener
        for listener in listeners
        if listener.tenant == event.tenant and (event.kind in listener.kinds or Kind.EVERYTHING in listener.kinds)
    ]
    body = rules.envelope(event.kind, event.at, event.data) if wanted else b""
    return [Message(event.tenant, new_delivery_id(), each.id, event.kind, event.run, body) for each in wanted]


_ANY_SIZE = 1 << 40
_NO_ATTEMPT_ENDED = "No attempt came to an end: the worker died each time."
