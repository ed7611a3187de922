"""Streams: complete, in order, resumed exactly, ended with their run or their process."""

import asyncio
import re
import time
from collections.abc import Mapping, Sequence

import pytest

from quarterdeck.core.errors import Unavailable
from quarterdeck.core.ids import RunId, TenantId
from quarterdeck.db.wakes import DELTAS, WATCH, Wakes
from quarterdeck.http.streams import COMMENT, TooManyStreams
from quarterdeck.runs.records import StoredEvent
from quarterdeck.serve.live import Head, Live
from quarterdeck.serve.store import RunLog
from tests.api import Deployment
from tests.db.serve.conftest import Script, script, soon


class Reader:
    """Reads a stream as a client would."""

    def __init__(self, frames) -> None:
        self.frames = frames
        self.text = ""
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for chunk in self.frames:
            self.text += chunk.decode()

    @property
    def ids(self) -> list[int]:
        return [int(found) for found in re.findall(r"^id: (\d+)$", self.text, re.MULTILINE)]

    @property
    def events(self) -> list[str]:
        return re.findall(r"^event: (.+)$", self.text, re.MULTILINE)

    async def until(self, count: int, what: str = "events") -> None:
        async def enough() -> None:
            while len(getattr(self, what)) < count:
                await asyncio.sleep(0.002)

        await soon(enough())

    async def leave(self) -> None:
        self.task.cancel()
        await asyncio.wait({self.task})
        await self.frames.aclose()


@pytest.fixture
def live(deployment: Deployment) -> Live:
    return deployment.app.state.live


async def test_a_stream_begins_with_what_was_and_ends_with_the_run(live: Live, run: Script):
    await run.write("run.admitted", "run.claimed")
    reader = Reader(live.watch(run.tenant, run.run))
    await reader.until(2)
    await run.write("model.answered", step=1)
    await run.write("run.finished", end=True)
    await soon(reader.task)
    assert reader.ids == [1, 2, 3, 4]
    assert reader.events == ["run.admitted", "run.claimed", "model.answered", "run.finished"]
    assert live.streams == 0


async def test_an_event_reaches_its_watcher_in_milliseconds(live: Live, run: Script):
    reader = Reader(live.watch(run.tenant, run.run))
    await run.write("run.admitted")
    await reader.until(1)
    took = []
    for count in range(2, 12):
        began = time.perf_counter()
        await run.write("run.claimed")
        await reader.until(count)
        took.append(time.perf_counter() - began)
        await asyncio.sleep(0.03)
    await reader.leave()
    assert sorted(took)[5] < 0.2


async def test_a_lost_wake_costs_a_second_and_no_event(live: Live, run: Script):
    reader = Reader(live.watch(run.tenant, run.run))
    await asyncio.sleep(0.1)
    await run.write("run.admitted", wake=False)
    await soon(reader.until(1), 3)
    await run.write("run.finished", wake=False, end=True)
    await soon(reader.task, 3)
    assert reader.ids == [1, 2]


async def test_a_stream_resumes_after_the_position_given(live: Live, run: Script):
    await run.write(*["run.claimed"] * 5)
    reader = Reader(live.watch(run.tenant, run.run, after=3))
    await reader.until(2)
    await run.write("run.finished", end=True)
    await soon(reader.task)
    assert reader.ids == [4, 5, 6]


async def test_an_ended_run_is_told_to_its_end_and_not_waited_for(live: Live, run: Script):
    await run.write("run.admitted", "run.finished", end=True)
    for after, ids in ((0, [1, 2]), (1, [2]), (2, [])):
        reader = Reader(live.watch(run.tenant, run.run, after))
        await soon(reader.task)
        assert reader.ids == ids


@pytest.mark.parametrize("count", [200, 400, 401])
async def test_a_log_of_several_pages_is_told_whole(live: Live, run: Script, count: int):
    await run.write(*["run.claimed"] * (count - 1), "run.finished", end=True, wake=False)
    reader = Reader(live.watch(run.tenant, run.run))
    await soon(reader.task)
    assert reader.ids == list(range(1, count + 1))


async def test_a_run_that_was_retried_goes_on_after_its_last_event(live: Live, run: Script):
    await run.write("run.admitted", "run.finished", "run.retried")
    reader = Reader(live.watch(run.tenant, run.run))
    await reader.until(3)
    assert not reader.task.done()
    await run.write("run.finished", end=True)
    await soon(reader.task)
    assert reader.ids == [1, 2, 3, 4]


async def test_a_hundred_watchers_see_a_thousand_events_each_in_order(live: Live, run: Script, worker: Wakes):
    readers = [Reader(live.watch(run.tenant, run.run)) for _ in range(100)]
    for _ in range(50):
        await run.write(*["run.claimed"] * 20)
    await run.write("run.finished", end=True)
    await soon(asyncio.gather(*(reader.task for reader in readers)), 30)
    assert all(reader.ids == list(range(1, 1_002)) for reader in readers)


async def test_another_tenants_run_is_an_empty_stream(live: Live, run: Script, deployment: Deployment):
    await deployment.tenant("umbra")
    async with deployment.parts.database.system.transaction() as tx:
        other = await tx.fetchval("SELECT tenant FROM qd.tenants WHERE slug = 'umbra'")
    await run.write("run.admitted")
    reader = Reader(live.watch(other, run.run))
    await soon(reader.task)
    assert reader.text == ""


def delta(run: Script, step: int, attempt: int, offset: int, text: str, **more: object) -> dict:
    return {
        "run": run.run.hex,
        "step": step,
        "attempt": attempt,
        "offset": offset,
        "kind": "text",
        "text": text,
        **more,
    }


async def test_tokens_pass_between_events_and_not_after_their_message(live: Live, run: Script, worker: Wakes):
    reader = Reader(live.watch(run.tenant, run.run))
    await run.write("run.claimed")
    await reader.until(1)
    worker.send(DELTAS, delta(run, 1, 1, 0, "Hel"))
    worker.send(DELTAS, delta(run, 1, 1, 3, "lo"))
    await reader.until(3)
    await run.write("model.answered", step=1)
    await reader.until(4)
    worker.send(DELTAS, delta(run, 1, 1, 5, " again"))
    worker.send(DELTAS, delta(run, 2, 1, 0, "Next"))
    await reader.until(5)
    await run.write("run.finished", end=True)
    await soon(reader.task)
    assert reader.events == [
        "run.claimed",
        "message.delta",
        "message.delta",
        "model.answered",
        "message.delta",
        "run.finished",
    ]
    assert "again" not in reader.text
    assert reader.ids == [1, 2, 3]
    assert '{"step":1,"attempt":1,"offset":3,"kind":"text","text":"lo"}' in reader.text


async def test_tokens_of_a_new_attempt_begin_with_a_reset(live: Live, run: Script, worker: Wakes):
    reader = Reader(live.watch(run.tenant, run.run))
    await run.write("run.claimed")
    await reader.until(1)
    worker.send(DELTAS, delta(run, 1, 1, 0, "Hel"))
    await reader.until(2)
    worker.send(DELTAS, delta(run, 1, 2, 0, "Good"))
    await reader.until(4)
    worker.send(DELTAS, delta(run, 1, 1, 3, "lo"))
    worker.send(DELTAS, delta(run, 1, 2, 0, "", reset=True))
    worker.send(DELTAS, delta(run, 1, 2, 0, "Fine"))
    await reader.until(6)
    await reader.leave()
    assert reader.events[1:] == ["message.delta", "message.reset", "message.delta", "message.reset", "message.delta"]
    assert '"lo"' not in reader.text


async def test_nonsense_on_the_wire_between_processes_disturbs_nobody(live: Live, run: Script, worker: Wakes):
    reader = Reader(live.watch(run.tenant, run.run))
    for nonsense in (1, None, {"run": "x"}, {"run": run.run.hex}, ["x", 1], ["x"], "x", {}):
        worker.send(DELTAS, nonsense)
        worker.send("qd_runs", nonsense)
    await run.write("run.finished", end=True)
    await soon(reader.task)
    assert reader.ids == [1]


async def test_a_client_slower_than_the_model_misses_tokens_but_no_event(live: Live, run: Script, worker: Wakes):
    frames = live.watch(run.tenant, run.run)
    await run.write("run.claimed")
    first = await soon(anext(frames))
    # The client takes nothing more for a while.
    for number in range(400):
        worker.send(DELTAS, delta(run, 1, 1, number * 2_000, "x" * 2_000))
        await asyncio.sleep(0.001)
    await run.write("run.claimed", "run.finished", end=True)
    await asyncio.sleep(0.3)
    rest = b"".join([chunk async for chunk in frames])
    assert first.startswith(b"id: 1\n")
    assert len(rest) < 400_000
    assert re.findall(rb"^id: (\d+)$", rest, re.MULTILINE) == [b"2", b"3"]


async def test_workers_are_told_who_is_watched_while_somebody_watches(live: Live, run: Script, worker: Wakes):
    heard: list[object] = []
    worker.listen(WATCH, lambda said: heard.extend(said.items))
    await asyncio.sleep(0.1)
    reader = Reader(live.watch(run.tenant, run.run))
    await asyncio.sleep(0.3)
    assert heard == [run.run.hex]
    await reader.leave()


async def test_streams_end_when_the_process_is_told_to_end(live: Live, run: Script, deployment: Deployment):
    readers = [Reader(live.watch(run.tenant, run.run)) for _ in range(20)]
    await asyncio.sleep(0.1)
    assert live.streams == 20
    began = time.perf_counter()
    deployment.app.state.closing.set()
    await soon(asyncio.gather(*(reader.task for reader in readers)))
    assert time.perf_counter() - began < 0.5
    assert live.streams == 0


async def test_a_process_takes_only_so_many_streams(deployment: Deployment, run: Script):
    parts = deployment.parts
    live = Live(RunLog(parts.database), parts.wakes, parts.closing, most_streams=1)
    reader = Reader(live.watch(run.tenant, run.run))
    await asyncio.sleep(0.05)
    with pytest.raises(TooManyStreams):
        live.watch(run.tenant, run.run)
    await reader.leave()
    await live.watch(run.tenant, run.run).aclose()
    assert live.streams == 0


class Flaky:
    """A log whose database goes away now and then."""

    def __init__(self, log: RunLog) -> None:
        self._log = log
        self.away = False

    async def events(self, tenant: TenantId, run: RunId, after: int, limit: int) -> Sequence[StoredEvent]:
        if self.away:
            raise Unavailable
        return await self._log.events(tenant, run, after, limit)

    async def heads(self, tenant: TenantId, runs: Sequence[RunId]) -> Mapping[RunId, Head]:
        if self.away:
            raise Unavailable
        return await self._log.heads(tenant, runs)


async def test_a_stream_outlives_a_lost_database(deployment: Deployment, run: Script):
    parts = deployment.parts
    log = Flaky(RunLog(parts.database))
    live = Live(log, parts.wakes, parts.closing, poll=0.05)
    live.start()
    reader = Reader(live.watch(run.tenant, run.run))
    await run.write("run.admitted")
    await reader.until(1)
    log.away = True
    await run.write("run.claimed")
    await asyncio.sleep(0.3)
    assert reader.ids == [1]
    assert COMMENT.decode() in reader.text
    log.away = False
    await run.write("run.finished", end=True)
    await soon(reader.task)
    assert reader.ids == [1, 2, 3]


async def test_runs_of_many_tenants_are_asked_for_together(deployment: Deployment, worker: Wakes, tenant, live: Live):
    scripts = [await script(deployment.parts.database, worker, tenant) for _ in range(10)]
    readers = [Reader(live.watch(one.tenant, one.run)) for one in scripts]
    for one in scripts:
        await one.write("run.admitted", "run.finished", end=True, wake=False)
    await soon(asyncio.gather(*(reader.task for reader in readers)))
    assert all(reader.ids == [1, 2] for reader in readers)
