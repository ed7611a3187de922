"""The engine's own share: the same queued runs, claimed through admission and deliveries, and straight from `runs`."""

import asyncio
import os
from datetime import timedelta
from typing import Any

from bench.stage import Stage, cpu_seconds
from quarterdeck.core.clock import SystemClock
from quarterdeck.core.ids import AgentName, ReleaseId, RunId, TenantId, UserId, WorkerId, new_run_id, new_worker_id
from quarterdeck.db.pool import Database
from quarterdeck.engine import store as engine
from quarterdeck.engine.deliveries import Capacity, Deliveries
from quarterdeck.runs import admission, log
from quarterdeck.runs.events import RunClaimed
from quarterdeck.runs.messages import Text, UserMessage
from quarterdeck.runs.records import Submission
from quarterdeck.runs.service import Runs

CLAIMED = RunClaimed(worker="bench", host="bench", version="0", behaviour=1)

# The physical limit: lock the next queued run, skipping those that others have locked.
NEXT = """
SELECT tenant, id FROM qd.runs WHERE tenant = $1 AND status = 'queued' AND delivered_at IS NOT NULL
ORDER BY priority DESC, available_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
"""


class _Silent:
    """Wakes that nobody waits for."""

    def send(self, channel: str, item: object, *, key: str = "") -> None:
        """Nothing."""

    def wake_run(self, run: object, seq: int) -> None:
        """Nothing."""


async def share(stage: Stage, runs: int) -> dict[str, Any]:
    """CPU milliseconds a run, client and database, for both ways; each on `runs` fresh queued runs."""
    database = await Database.open(stage.fleet.urls, size=8)
    try:
        worker = new_worker_id()
        async with database.system.transaction() as tx:
            tenant = TenantId(await tx.fetchval("SELECT tenant FROM qd.tenants WHERE slug = 'bench'"))
            lease = timedelta(minutes=10)
            about = {"host": "bench", "pid": os.getpid(), "version": "0", "behaviours": [1], "capacity": 2 * runs}
            epoch = await engine.register(tx, worker, lease, **about)
        figures: dict[str, Any] = {}
        for name, way in (("through_the_engine", _deliver), ("straight_from_runs", _claim_straight)):
            await _queue(database, tenant, runs)
            own, its = cpu_seconds(os.getpid()), cpu_seconds(stage.fleet.database_pid)
            await way(database, tenant, worker, epoch, runs)
            own, its = cpu_seconds(os.getpid()) - own, cpu_seconds(stage.fleet.database_pid) - its
            figures[name] = {"client_ms": round(own * 1000 / runs, 3), "database_ms": round(its * 1000 / runs, 3)}
        both = [sum(one.values()) for one in figures.values()]
        return {**figures, "ratio": round(both[0] / both[1], 2)}
    finally:
        await database.close()


async def _queue(database: Database, tenant: TenantId, runs: int) -> None:
    service = Runs(database, _Silent(), SystemClock(), 10**9)

    async def one() -> None:
        submission = Submission(
            tenant=tenant,
            id=new_run_id(),
            agent=AgentName("bench"),
            release=ReleaseId("0" * 64),
            behaviour=1,
            user_id=UserId("u"),
            submitted_by="bench",
            variables={},
            thread=None,
            priority=0,
            tags={},
            available_at=None,
            dedup_key=None,
            dedup_digest=None,
            traceparent=None,
        )
        await service.submit(submission, [UserMessage((Text("go"),))])

    for _ in range(runs // 8):
        await asyncio.gather(*(one() for _ in range(8)))


async def _deliver(database: Database, tenant: TenantId, worker: WorkerId, epoch: int, runs: int) -> None:
    del tenant
    capacity, done, wanted = Capacity(2 * runs), asyncio.Event(), (runs // 8) * 8
    claimed = 0

    async def take(of: TenantId, run: RunId) -> None:
        nonlocal claimed
        async with database.tenant(of) as tx:
            assert await log.claim(tx, of, run, worker, epoch, CLAIMED) is not None
        claimed += 1
        if claimed == wanted:
            done.set()

    deliveries = Deliveries(database.system.pool, [1], capacity, take)
    task = asyncio.create_task(deliveries.run())
    while claimed < wanted:
        async with database.system.transaction() as tx:
            admitted = await admission.admit(tx, admission.Limits())
        deliveries.ring()
        if not admitted or not admitted.count:
            await asyncio.sleep(0.02)
    await done.wait()
    deliveries.stop()
    await task


async def _claim_straight(database: Database, tenant: TenantId, worker: WorkerId, epoch: int, runs: int) -> None:
    async with database.system.transaction() as tx:
        await tx.execute("UPDATE qd.runs SET delivered_at = now() WHERE tenant = $1 AND status = 'queued'", tenant)

    async def work() -> None:
        while True:
            async with database.tenant(tenant) as tx:
                row = await tx.fetchrow(NEXT, tenant)
                if row is None:
                    return
                await log.claim(tx, tenant, RunId(row["id"]), worker, epoch, CLAIMED)

    del runs
    await asyncio.gather(*(work() for _ in range(8)))
