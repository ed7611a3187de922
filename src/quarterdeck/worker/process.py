"""The worker process put together: engine, loop, gates, and the jobs that every worker does."""

import asyncio
import signal
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import uvloop

from quarterdeck.approvals.links import Links
from quarterdeck.blobs.service import Blobs
from quarterdeck.budgets.estimates import Factors
from quarterdeck.core import log as logs
from quarterdeck.core.clock import SystemClock
from quarterdeck.core.errors import Unavailable
from quarterdeck.core.settings import Settings
from quarterdeck.db.checks import refuse_unmigrated, refuse_unsafe
from quarterdeck.db.pool import Database
from quarterdeck.db.records import Urls
from quarterdeck.db.urls import urls_of
from quarterdeck.db.wakes import WATCH, Wakes
from quarterdeck.gates.guards import Guards
from quarterdeck.gates.model import ModelGate
from quarterdeck.gates.recalling import Recalling
from quarterdeck.gates.secrecy import Secrecy
from quarterdeck.gates.sending import Sending
from quarterdeck.loop.attempt import Surroundings
from quarterdeck.models.service import Models
from quarterdeck.net.client import Outbound
from quarterdeck.providers.service import Providers
from quarterdeck.recall.service import Recall
from quarterdeck.releases.service import Releases
from quarterdeck.runs.service import Runs
from quarterdeck.secrets.service import Vault
from quarterdeck.tools.host.confine import stay_undumpable
from quarterdeck.tools.service import Tools
from quarterdeck.traces.collector import Collector
from quarterdeck.traces.job import export_loop
from quarterdeck.webhooks.job import deliver_loop
from quarterdeck.worker.post import Post
from quarterdeck.worker.standing import open_books
from quarterdeck.worker.stock import Stock
from quarterdeck.worker.watched import Watched

_log = logs.get(__name__)


def run(settings: Settings, urls: Urls | None = None) -> None:
    """Execute runs until SIGTERM or SIGINT, then drain. Raises what starting raises."""
    logs.configure(settings.log_level, json=settings.log_json)
    # Tool hosts may share this user: they must not read the keys in this process's memory or environment.
    if not stay_undumpable():
        _log.warning("worker.dumpable")
    uvloop.run(work(settings, urls or urls_of(settings)))


async def work(settings: Settings, urls: Urls, stop: asyncio.Event | None = None) -> None:
    """The same, in a running loop. `stop` set ends it; without one, signals do."""
    ending = stop or _stopped_by_signals()
    async with AsyncExitStack() as stack:
        database = await Database.open(urls, size=settings.pool_size)
        stack.push_async_callback(database.close)
        await refuse_unsafe(database)
        await refuse_unmigrated(database)
        wakes = Wakes(urls.listen)
        stack.push_async_callback(wakes.close)
        await wakes.start()
        outbound = await stack.enter_async_context(Outbound.of(settings))
        blobs = Blobs.of(settings)
        stock = Stock(database, Releases(blobs), blobs)
        clock = SystemClock()
        record = Path(settings.record) if settings.record else None
        books = await open_books(database, wakes, clock, settings, stack)
        vault = Vault.of(database, settings)
        connections = Providers.of(database, settings)
        models = Models(connections, stock.recordings, record=record, resolve=vault.of_deployment)
        secrecy = Secrecy(vault, models.keys_of)
        await models.start()
        stack.push_async_callback(models.close)
        tools = Tools(settings, clock, files=stock.files, keep=stock.keep, outbound=outbound)
        stack.push_async_callback(tools.close)
        recalling = Recalling(Recall.of(database, blobs, settings))
        sending = Sending(tools, stock.keep, clock, books.circuits, secrecy, recalling)
        watched = Watched()
        wakes.listen(WATCH, watched.heard)
        around = Surroundings(
            db=database,
            wakes=wakes,
            clock=clock,
            models=ModelGate(models, books.switches, secrecy, settings.derive("spotlight"), books.pacer),
            tools=books.tool_gate(sending, stock.calls_of_user),
            switches=books.switches,
            budgets=books.budgets,
            factors=Factors(),
            guards=Guards(tools, outbound, clock, secrecy),
            runs=Runs(database, wakes, clock, settings.queue_limit),
            resolve=stock.resolve,
            read_blobs=stock.texts,
            watched=watched.__contains__,
            max_attempts=settings.max_attempts,
            links=Links.of(settings),
        )
        telling = [deliver_loop(database, outbound, clock, ending, key=settings.derive("webhooks"))]
        if collector := Collector.of(settings):
            to_collector = await stack.enter_async_context(collector.outbound(settings))
            key = settings.derive("traces.users")
            telling.append(export_loop(database, to_collector, clock, ending, collector, key=key))
        tasks = [asyncio.create_task(loop) for loop in telling]
        await _stand(Post(settings, urls, around, wakes, partial(stock.ready, tools)), ending)
        await asyncio.gather(*tasks)
        _log.info("worker.ended")


async def _stand(post: Post, stop: asyncio.Event) -> None:
    """One post after the other, until told to stop; a database that is away is waited for."""
    while not stop.is_set():
        try:
            if not await post.serve(stop):
                return
        except Unavailable as error:
            _log.warning("worker.waits_for_database", error=error.code)
            await asyncio.sleep(0.5)


def _stopped_by_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop
