"""Runs that ask a person and park, as the loop's appender makes them, and the people who answer."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from quarterdeck.approvals import store
from quarterdeck.approvals.links import Links
from quarterdeck.approvals.records import Approval, Person, Said, Verdict
from quarterdeck.approvals.service import Approvals
from quarterdeck.core.ids import TenantId, uuid7
from quarterdeck.core.json import Json, digest
from quarterdeck.db.pool import Database
from quarterdeck.runs import events as e
from quarterdeck.runs import log
from quarterdeck.runs.fold import RunState, fold
from quarterdeck.runs.log import Departure, Hold
from quarterdeck.runs.messages import Call
from quarterdeck.runs.records import Status
from tests.db.runs.scene import Scene, Worker
from tests.db.runs.test_service import asked as turn

ARGUMENTS: Mapping[str, Json] = {"order": 1001, "amount_usd": 250}
LINKS = Links(bytes(range(32)), "https://deck.example.com")
ANN = Person("key:ann", "ann", frozenset({"reviewer"}))
BEN = Person("key:ben", "ben", frozenset({"reviewer"}))
OWNER = Person("key:owner", "owner", frozenset({"owner"}))


def question(call: str = "c1", **wanted: object) -> e.ApprovalAsked:
    """A question about a refund, for a day."""
    arguments = wanted.pop("arguments", ARGUMENTS)
    defaults: dict[str, object] = {
        "step": 1,
        "call": call,
        "approval": str(uuid7()),
        "tool": "refund",
        "arguments": arguments,
        "effect": "payment",
        "decision": e.Decision("ask", "default", "refunds ask", policies=("base:3",), effective="e1"),
        "digest": digest(arguments),  # pyright: ignore[reportArgumentType]  # a builder
        "expires_at": int((datetime.now(UTC) + timedelta(days=1)).timestamp() * 1000),
        "origins": {"order": "user", "amount_usd": "model"},
        "summary": "refund {amount_usd:usd} for order {order}",
    }
    return e.ApprovalAsked(**(defaults | wanted))  # pyright: ignore[reportArgumentType]  # a builder


@dataclass
class Asked:
    """A run and its questions."""

    worker: Worker
    hold: Hold
    questions: tuple[e.ApprovalAsked, ...]

    @property
    def id(self) -> UUID:
        """The first question."""
        return UUID(self.questions[0].approval)


class AskingScene(Scene):
    """One tenant on a real database, with reviewers."""

    def __init__(self, database: Database, tenant: TenantId) -> None:
        super().__init__(database, tenant)
        self.approvals = Approvals(database, self.heard, self.clock, LINKS)

    async def asking(self, *questions: e.ApprovalAsked, park: bool = True, **wanted: object) -> Asked:
        """A run that has asked these; parked, unless a worker is still at it."""
        put = questions or (question(),)
        worker, hold = await self.executing(**wanted)
        events = (*turn(*(Call(one.call, one.tool, one.arguments) for one in put)), *put)
        async with self.database.tenant(self.tenant) as tx:
            state = fold(await log.read(tx, self.tenant, hold.run))
            await log.append(tx, hold, events, state, step="asks", risk="money")
            for one in put:
                await store.ask(
                    tx, self.tenant, hold.run, one, agent="desk", release="ab" * 32, user="ann", links=LINKS
                )
        if park:
            await self.park(worker, hold)
        return Asked(worker, hold, put)

    async def park(self, worker: Worker, hold: Hold) -> None:
        parked = e.RunParked(status=Status.WAITING_FOR_APPROVAL, why="refund needs a person's approval")
        await self.leave(worker, hold, Departure(Status.WAITING_FOR_APPROVAL, why="asks", parked=True), parked)

    async def leave(self, worker: Worker, hold: Hold, to: Departure, event: e.Event) -> None:
        """What a worker that knows nothing of answers does when it gives a run up."""
        assert worker.id == hold.worker
        async with self.database.tenant(self.tenant) as tx:
            state = fold(await log.read(tx, self.tenant, hold.run))
            await log.leave(tx, hold, [event], state, "money", to)

    async def say(self, approval: UUID, verdict: Verdict, person: Person, **wanted: object) -> Approval:
        """An answer to what is asked about now, unless `digest` says otherwise."""
        found = await self.find(approval)
        said = Said(verdict, person, digest=found.digest, why="" if verdict is Verdict.APPROVE else "too much")
        return await self.approvals.answer(self.tenant, approval, replace(said, **wanted))

    async def approve(self, approval: UUID, person: Person = BEN, **wanted: object) -> Approval:
        return await self.say(approval, Verdict.APPROVE, person, **wanted)

    async def deny(self, approval: UUID, person: Person = BEN, **wanted: object) -> Approval:
        return await self.say(approval, Verdict.DENY, person, **wanted)

    async def find(self, approval: UUID) -> Approval:
        async with self.database.tenant(self.tenant) as tx:
            found = await store.find(tx, self.tenant, approval)
        assert found is not None
        return found

    async def consume(self, approval: UUID, digest: str, **bound: object) -> bool:
        async with self.database.tenant(self.tenant) as tx:
            return await store.consume(tx, self.tenant, approval, digest, **bound)  # pyright: ignore[reportArgumentType]  # a builder

    async def state(self, hold: Hold) -> RunState:
        return fold(await self.log(hold.run))

    async def lapse(self, approval: UUID) -> None:
        """Let its time be over by every clock."""
        async with self.database.system.transaction() as tx:
            statement = "UPDATE qd.approvals SET expires_at = now() - interval '1 hour' WHERE id = $1"
            await tx.execute(statement, approval)

    async def outbox(self) -> list[str]:
        """Kinds of what was told."""
        async with self.database.tenant(self.tenant) as tx:
            return [row["kind"] for row in await tx.fetch("SELECT kind FROM qd.outbox ORDER BY id")]
