"""A tenant with runs, and workers that hold them as real ones do, step by step, as a test says."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from quarterdeck.core.clock import FakeClock
from quarterdeck.core.ids import (
    AgentName,
    ReleaseId,
    RunId,
    TenantId,
    ThreadId,
    UserId,
    WorkerId,
    new_run_id,
    new_worker_id,
    uuid7,
)
from quarterdeck.core.json import Json
from quarterdeck.db.pool import Database
from quarterdeck.engine import store as engine
from quarterdeck.loop.accounts import Accounts
from quarterdeck.loop.ledger import Ledger
from quarterdeck.loop.recorder import Recorder
from quarterdeck.releases.records import BEHAVIOUR_VERSION
from quarterdeck.runs import admission, log, store
from quarterdeck.runs.admission import Admitted, Limits
from quarterdeck.runs.events import Event, RunAdmitted, RunClaimed
from quarterdeck.runs.fold import fold
from quarterdeck.runs.log import Departure, Hold
from quarterdeck.runs.messages import Text, UserMessage
from quarterdeck.runs.records import Run, StoredEvent, Submission
from quarterdeck.runs.service import Runs

RELEASE = ReleaseId("ab" * 32)
CLAIMED = RunClaimed(worker="w", host="h", version="1", behaviour=1)


@dataclass
class Heard:
    """Wakes that were sent, instead of sending them."""

    sent: list[tuple[str, Json]] = field(default_factory=list)

    def send(self, channel: str, item: Json, *, key: str = "") -> None:
        self.sent.append((channel, item))

    def wake_run(self, run: object, seq: int) -> None:
        self.sent.append(("run", seq))


@dataclass
class Worker:
    """A worker's identity and what it holds."""

    scene: "Scene"
    id: WorkerId
    epoch: int

    async def claim(self, run: RunId) -> Hold | None:
        async with self.scene.database.tenant(self.scene.tenant) as tx:
            row = await log.claim(tx, self.scene.tenant, run, self.id, self.epoch, CLAIMED)
        return log.hold_of(row, self.id) if row is not None else None

    async def append(self, hold: Hold, *events: Event, step: str = "at it", risk: str = "read") -> int:
        async with self.scene.database.tenant(hold.tenant) as tx:
            state = fold(await log.read(tx, hold.tenant, hold.run))
            return await log.append(tx, hold, events, state, step=step, risk=risk)

    async def recorder(self, hold: Hold) -> Recorder:
        """The real appender on this hold."""
        state = fold(await self.scene.log(hold.run))
        run = await self.scene.read(hold.run)
        clock, ledger = self.scene.clock, Ledger(run, self.scene.runs, None)
        accounts = Accounts(run, clock, run.id)
        return Recorder(self.scene.database, self.scene.heard, clock, hold, state, run, lambda: True, ledger, accounts)

    async def leave(self, hold: Hold, to: Departure, *events: Event) -> None:
        await (await self.recorder(hold)).leave(to, *events)

    async def die(self) -> None:
        """Its lease is over."""
        async with self.scene.database.system.transaction() as tx:
            await tx.execute("UPDATE qd.workers SET lease_until = now() - interval '1 s' WHERE id = $1", self.id)


class Scene:
    """One tenant on a real database."""

    def __init__(self, database: Database, tenant: TenantId) -> None:
        self.database = database
        self.tenant = tenant
        self.heard = Heard()
        self.clock = FakeClock(datetime.now(UTC))
        self.runs = Runs(database, self.heard, self.clock, queue_limit=1_000)

    def submission(self, **wanted: object) -> Submission:
        defaults: dict[str, object] = {
            "tenant": self.tenant,
            "id": new_run_id(),
            "agent": AgentName("desk"),
            "release": RELEASE,
            "behaviour": 1,
            "user_id": UserId("ann"),
            "submitted_by": "key:k",
            "variables": {},
            "thread": None,
            "priority": 0,
            "tags": {},
            "available_at": None,
            "dedup_key": None,
            "dedup_digest": None,
            "traceparent": None,
        }
        return Submission(**(defaults | wanted))  # pyright: ignore[reportArgumentType]  # a builder

    async def submit(self, words: str = "hello", **wanted: object) -> Run:
        run, _ = await self.runs.submit(self.submission(**wanted), [UserMessage((Text(words),))])
        return run

    async def enter(self, thread: ThreadId, position: int) -> Run:
        """A run at a position of a thread, put there by hand."""
        submission = self.submission(thread=thread)
        run, _ = await self.runs.submit(submission, [UserMessage((Text("hello"),))], position=position)
        return run

    async def worker(
        self, *, capacity: int = 100, behaviours: Sequence[int] = (1, BEHAVIOUR_VERSION), lease: float = 60.0
    ) -> Worker:
        worker = new_worker_id()
        async with self.database.system.transaction() as tx:
            epoch = await engine.register(
                tx,
                worker,
                timedelta(seconds=lease),
                host="h",
                pid=1,
                version="1",
                behaviours=behaviours,
                capacity=capacity,
            )
        return Worker(self, worker, epoch)

    async def admit(self, limits: Limits | None = None) -> Admitted | None:
        async with self.database.system.transaction() as tx:
            return await admission.admit(tx, limits or Limits())

    async def delivered(self) -> set[RunId]:
        """Runs with a delivery on its way."""
        async with self.database.tenant(self.tenant) as tx:
            rows = await tx.fetch("SELECT id FROM qd.runs WHERE delivered_at IS NOT NULL AND worker IS NULL")
        return {RunId(row["id"]) for row in rows}

    async def executing(self, **wanted: object) -> tuple[Worker, Hold]:
        """A run in a worker's hands."""
        run, worker = await self.submit(**wanted), await self.worker()  # pyright: ignore[reportArgumentType]
        await self.admit()
        hold = await worker.claim(run.id)
        assert hold is not None
        return worker, hold

    async def read(self, run: RunId) -> Run:
        return await self.runs.get(self.tenant, run)

    async def log(self, run: RunId) -> list[StoredEvent]:
        async with self.database.tenant(self.tenant) as tx:
            return await log.read(tx, self.tenant, run)

    async def kinds(self, run: RunId) -> list[str]:
        return [event.kind for event in await self.log(run)]

    async def ledger(self, run: RunId) -> dict[str, str]:
        """The state of each entry of a run's ledger."""
        async with self.database.tenant(self.tenant) as tx:
            return {entry.call: entry.state for entry in await store.ledger(tx, self.tenant, run)}


async def new_tenant(database: Database, **limits: int) -> TenantId:
    tenant = TenantId(uuid7())
    async with database.system.transaction() as tx:
        await tx.execute(
            "INSERT INTO qd.tenants (tenant, slug, name, blob_key, max_running, queue_limit)"
            " VALUES ($1, $2, $2, '', $3, $4)",
            *(tenant, f"t-{tenant}", limits.get("max_running"), limits.get("queue_limit")),
        )
    return tenant


def admitted(run: Run) -> RunAdmitted:
    """The first event of a run, for logs written by hand."""
    return RunAdmitted(agent=run.agent, release=run.release, user=run.user_id, input=())
