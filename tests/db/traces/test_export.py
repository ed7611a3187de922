"""Runs that have ended reach the collector: at least once, whatever is away in between."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from quarterdeck.core.clock import SystemClock
from quarterdeck.core.ids import RunId
from quarterdeck.core.settings import Settings
from quarterdeck.net.client import Outbound
from quarterdeck.net.records import Reach
from quarterdeck.runs import events as e
from quarterdeck.runs.log import Departure
from quarterdeck.runs.messages import Call, Text
from quarterdeck.runs.records import Status
from quarterdeck.traces.collector import Collector
from quarterdeck.traces.job import AT_ONCE, Exporter, export_loop
from tests.db.net.servers import Request, Server, http, serving
from tests.db.runs.scene import Scene, new_tenant
from tests.db.runs.test_service import asked, sent

KEY = bytes(32)
SUCCEEDED = Departure(Status.SUCCEEDED, ended=True)


@dataclass
class FakeCollector:
    """Takes spans as told: each answer once, the last one for ever."""

    server: Server
    answers: list[bytes] = field(default_factory=lambda: [http(200, b"")])

    @property
    def spans(self) -> list[str]:
        """The names of all spans that came, in order."""
        return [span.name for request in self.server.requests for span in _spans(request)]

    @property
    def runs(self) -> list[str]:
        """The run of each root span that came."""
        found: list[str] = []
        for request in self.server.requests:
            for span in _spans(request):
                if span.name.startswith("invoke_agent"):
                    found += [pair.value.string_value for pair in span.attributes if pair.key == "quarterdeck.run"]
        return found

    def collector(self, **settings: object) -> Collector:
        found = Collector.of(Settings.model_validate({"otlp_endpoint": self.server.origin, **settings}))
        assert found is not None
        return found


def _spans(request: Request):
    body = request.body
    if request.headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        for scope in resource.scope_spans:
            yield from scope.spans


@asynccontextmanager
async def collecting(*answers: bytes) -> AsyncIterator[FakeCollector]:
    found = FakeCollector(Server("127.0.0.1"))
    if answers:
        found.answers = list(answers)

    async def answer(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(found.answers.pop(0) if len(found.answers) > 1 else found.answers[0])

    async with serving(answer) as server:
        found.server = server
        yield found


@asynccontextmanager
async def exporting(scene: Scene, collector: Collector) -> AsyncIterator[Exporter]:
    """A worker's exporter, which has said that it exports. It reaches only what it must."""
    async with Outbound(Reach(allowed=frozenset({collector.reach}))) as outbound:
        exporter = Exporter(scene.database, outbound, SystemClock(), collector, KEY)
        await exporter.round()
        yield exporter


async def finished(scene: Scene) -> RunId:
    worker, hold = await scene.executing()
    outcome = e.ToolAnswered(call="c1", content=(Text("ok"),), ms=3)
    events = (*asked(Call("c1", "refund", {"order": 1})), sent(scene, "c1"), outcome)
    await worker.leave(hold, SUCCEEDED, *events, e.RunFinished(status="succeeded", text="Done."))
    return hold.run


async def waiting(scene: Scene) -> int:
    async with scene.database.system.transaction() as tx:
        return await tx.fetchval("SELECT count(*) FROM qd.trace_exports")


async def make_due(scene: Scene) -> None:
    async with scene.database.system.transaction() as tx:
        await tx.execute("UPDATE qd.trace_exports SET next_at = now()")


async def test_a_run_that_has_ended_is_exported_whole(scene: Scene):
    async with collecting() as fake, exporting(scene, fake.collector(otlp_headers="x-key=k")) as exporter:
        run = await finished(scene)
        assert await waiting(scene) == 1
        await exporter.round()
        assert await waiting(scene) == 0
        assert fake.runs == [str(run)]
        assert {"invoke_agent desk", "queued", "attempt 1", "chat m", "execute_tool refund", "checkpoint"} <= set(
            fake.spans
        )
        (request,) = fake.server.requests
        assert request.line.startswith("POST /v1/traces ")
        assert request.headers["x-key"] == "k"
        assert request.headers["content-type"] == "application/x-protobuf"


async def test_nothing_is_put_down_while_nobody_exports(scene: Scene):
    await finished(scene)
    assert await waiting(scene) == 0


async def test_nothing_is_put_down_once_nobody_has_exported_for_an_hour(scene: Scene):
    async with collecting() as fake, exporting(scene, fake.collector()):
        pass
    async with scene.database.system.transaction() as tx:
        await tx.execute("UPDATE qd.deployment SET set_at = now() - interval '61 minutes'")
    await finished(scene)
    assert await waiting(scene) == 0


async def test_a_collector_that_is_away_gets_it_later(scene: Scene):
    away, back = http(503, b"", Retry_After="1"), http(200, b"")
    async with collecting(away, back) as fake, exporting(scene, fake.collector()) as exporter:
        run = await finished(scene)
        await exporter.round()
        assert await waiting(scene) == 1
        await exporter.round()
        assert len(fake.runs) == 1
        await make_due(scene)
        await exporter.round()
        assert fake.runs == [str(run), str(run)]
        assert await waiting(scene) == 0


async def test_a_worker_that_died_with_an_export_in_hand_leaves_it_to_others(scene: Scene):
    async with collecting() as fake, exporting(scene, fake.collector()) as exporter:
        run = await finished(scene)
        async with scene.database.system.transaction() as tx:
            await tx.execute("UPDATE qd.trace_exports SET tries = 1, next_at = now() + interval '120 s'")
        await exporter.round()
        assert fake.runs == []
        await make_due(scene)
        await exporter.round()
        assert fake.runs == [str(run)]


async def test_a_run_that_ends_once_more_is_exported_once_more(scene: Scene):
    async with collecting() as fake, exporting(scene, fake.collector()) as exporter:
        run = await scene.submit()
        await scene.runs.cancel(scene.tenant, run.id, "key:k", "")
        await exporter.round()
        await scene.runs.retry(scene.tenant, run.id, "key:k", "")
        await scene.runs.cancel(scene.tenant, run.id, "key:k", "")
        await exporter.round()
        assert fake.runs == [str(run.id), str(run.id)]
        first, second = ({span.span_id for span in _spans(request)} for request in fake.server.requests)
        assert first < second


async def test_what_a_collector_refuses_does_not_hold_up_the_others(scene: Scene):
    refuse, take = http(400, b"", connection="close"), http(200, b"")
    async with collecting(refuse, refuse, take, take) as fake, exporting(scene, fake.collector()) as exporter:
        runs = {str(await finished(scene)) for _ in range(3)}
        await exporter.round()
        assert await waiting(scene) == 0
        assert set(fake.runs) == runs
        assert len(fake.server.requests) == 4


async def test_what_could_not_be_sent_for_a_day_is_given_up(scene: Scene):
    async with collecting() as fake, exporting(scene, fake.collector()) as exporter:
        await finished(scene)
        async with scene.database.system.transaction() as tx:
            await tx.execute("UPDATE qd.trace_exports SET created_at = now() - interval '25 hours'")
        await exporter.round()
        assert (await waiting(scene), fake.runs) == (0, [])


async def test_a_log_of_a_newer_version_waits_for_a_newer_worker(scene: Scene):
    async with collecting() as fake, exporting(scene, fake.collector()) as exporter:
        newer, plain = await finished(scene), await finished(scene)
        async with scene.database.system.transaction() as tx:
            await tx.execute("UPDATE qd.run_events SET v = 99 WHERE run = $1 AND seq = 1", newer)
        await exporter.round()
        assert fake.runs == [str(plain)]
        assert await waiting(scene) == 1


async def test_many_runs_of_many_tenants_are_exported_by_several_workers_each_once(scene: Scene):
    other = Scene(scene.database, await new_tenant(scene.database))
    async with collecting() as fake:
        collector = fake.collector()
        async with exporting(scene, collector), Outbound(Reach(allowed=frozenset({collector.reach}))) as outbound:
            runs: set[str] = set()
            for number in range(AT_ONCE + 8):
                run = await (other if number % 2 else scene).submit()
                await (other if number % 2 else scene).runs.cancel(run.tenant, run.id, "key:k", "")
                runs.add(str(run.id))
            stop = asyncio.Event()
            tasks = [
                asyncio.create_task(
                    export_loop(scene.database, outbound, SystemClock(), stop, collector, key=KEY, poll=0.02)
                )
                for _ in range(3)
            ]
            async with asyncio.timeout(20):
                while await waiting(scene):
                    await asyncio.sleep(0.02)
            stop.set()
            await asyncio.gather(*tasks)
        assert sorted(fake.runs) == sorted(runs)


async def test_a_users_name_does_not_leave(scene: Scene):
    async with collecting() as fake, exporting(scene, fake.collector()) as exporter:
        await finished(scene)
        await exporter.round()
        body = gzip.decompress(fake.server.requests[0].body)
        assert b"ann" not in body
        assert b"enduser.pseudo.id" in body
