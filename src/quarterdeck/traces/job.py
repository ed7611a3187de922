"""What workers do for traces: export the spans of runs that have ended.

Every worker runs this loop where a collector is set. A run is put down for export in the transaction that ends it and
crossed out once the collector has taken it: it goes out at least once, and more than once does no harm, since the ids
are derived from the log.
"""

import asyncio
import contextlib
import hmac
import random
from collections.abc import Sequence
from datetime import timedelta
from enum import Enum

from quarterdeck.core import log as logs
from quarterdeck.core.clock import Clock
from quarterdeck.core.errors import Unavailable
from quarterdeck.db.pool import Database
from quarterdeck.net.client import Outbound
from quarterdeck.runs import log
from quarterdeck.runs import store as runs
from quarterdeck.runs.entries import opened
from quarterdeck.runs.events import UnknownEvent
from quarterdeck.runs.view import SLUG
from quarterdeck.traces import store
from quarterdeck.traces.collector import Collector, Outcome, Verdict, send
from quarterdeck.traces.otlp import Exported, encode
from quarterdeck.traces.spans import project
from quarterdeck.traces.store import Due

AT_ONCE = 32
"""Runs in one batch."""
POLL = 1.0
ANNOUNCE_EVERY = 60.0
LEASE = timedelta(seconds=120)
KEEP_TRYING = timedelta(hours=24)
_FIRST_WAIT, _LONGEST_WAIT = 2.0, 300.0
_OFF_LOOP = 200
"""Events from which a log is projected beside the event loop."""

_log = logs.get("quarterdeck.traces")


async def export_loop(
    db: Database,
    outbound: Outbound,
    clock: Clock,
    stop: asyncio.Event,
    collector: Collector,
    *,
    key: bytes,
    poll: float = POLL,
) -> None:
    """Export what is due until `stop` is set. Goes on when the database or the collector goes away and comes back.

    `outbound` has to reach the collector (`collector.outbound`). `key` is `settings.derive("traces.users")`: users go
    out under a pseudonym that only this deployment can make.
    """
    exporter = Exporter(db, outbound, clock, collector, key)
    while not stop.is_set():
        try:
            more = await exporter.round()
        except Unavailable as away:
            _log.warning("traces.database_away", code=away.code)
            more = False
        except Exception:
            _log.exception("traces.round_failed")
            more = False
        if not more:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(poll):
                    await stop.wait()


class Skipped(Enum):
    """Why a run is not exported now."""

    GONE = "gone"
    UNREAD = "unread"


class Exporter:
    """One worker's share of the exports."""

    def __init__(self, db: Database, outbound: Outbound, clock: Clock, collector: Collector, key: bytes) -> None:
        self._db = db
        self._outbound = outbound
        self._clock = clock
        self._collector = collector
        self._key = key
        self._announced_at = -ANNOUNCE_EVERY

    async def round(self) -> bool:
        """Export one batch of what is due. True when there may be more at once."""
        await self._announce()
        async with self._db.system.transaction() as tx:
            due = await store.claim(tx, AT_ONCE, LEASE, KEEP_TRYING)
        hopeless = [one for one in due if one.given_up]
        if hopeless:
            _log.error("traces.given_up", runs=[str(one.run) for one in hopeless])
            await self._forget(hopeless)
        hopeful = [one for one in due if not one.given_up]
        taken = not hopeful or await self._export(hopeful)
        return taken and len(due) == AT_ONCE

    async def _announce(self) -> None:
        if self._clock.boot() - self._announced_at >= ANNOUNCE_EVERY:
            async with self._db.system.transaction() as tx:
                await store.announce(tx)
            self._announced_at = self._clock.boot()

    async def _export(self, due: Sequence[Due]) -> bool:
        """Send a batch. What is refused as a whole is sent run by run, so that one can't hold the others up."""
        exported = {one: await self._read(one) for one in due}
        readable = [one for one in due if exported[one] is not Skipped.UNREAD]
        outcome = await self._send([one for one in exported.values() if isinstance(one, Exported)])
        if len(readable) < len(due):
            await self._postpone(
                [one for one in due if one not in readable], Outcome(Verdict.AGAIN, "not readable here")
            )
        if outcome.verdict is Verdict.AGAIN:
            await self._postpone(readable, outcome)
            return False
        if outcome.verdict is Verdict.REFUSED and len(readable) > 1:
            for one in readable:
                await self._export([one])
            return True
        if outcome.verdict is Verdict.REFUSED:
            _log.error("traces.refused", runs=[str(one.run) for one in readable], why=outcome.why)
        await self._forget(readable)
        return True

    async def _send(self, exported: Sequence[Exported]) -> Outcome:
        requests = await asyncio.to_thread(lambda: list(encode(exported, content=self._collector.content)))
        for request in requests:
            outcome = await send(self._outbound, self._collector, request)
            if outcome.verdict is not Verdict.TAKEN:
                return outcome
        return Outcome(Verdict.TAKEN)

    async def _read(self, due: Due) -> Exported | Skipped:
        """A run that has ended. One that was sent back meanwhile is put down again at its next end."""
        async with self._db.tenant(due.tenant) as tx:
            run = await runs.read(tx, due.tenant, due.run)
            rows = await log.read(tx, due.tenant, due.run) if run and run.ended else []
            slug = str(await tx.fetchval(SLUG, due.tenant))
        if run is None or not rows:
            return Skipped.GONE
        try:
            entries = opened(rows)
        except UnknownEvent as error:
            # Written by a newer version: a newer worker can read it, and will, for as long as it is due.
            _log.warning("traces.not_read", run=str(due.run), facts=error.facts)
            return Skipped.UNREAD
        if len(entries) < _OFF_LOOP:
            spans = project(run.id, entries)
        else:
            spans = await asyncio.to_thread(project, run.id, entries)
        pseudonym = hmac.digest(self._key, due.tenant.bytes + run.user_id.encode(), "sha256").hex()[:32]
        return Exported(run, slug, pseudonym, entries, spans)

    async def _forget(self, done: Sequence[Due]) -> None:
        async with self._db.system.transaction() as tx:
            await store.forget(tx, done)

    async def _postpone(self, late: Sequence[Due], outcome: Outcome) -> None:
        tries = min(one.tries for one in late)
        wait = outcome.retry_after or min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(tries, 10)) * random.uniform(0.5, 1.0)
        _log.warning("traces.postponed", runs=len(late), why=outcome.why, seconds=round(wait, 1))
        async with self._db.system.transaction() as tx:
            await store.postpone(tx, late, timedelta(seconds=min(wait, _LONGEST_WAIT)))
