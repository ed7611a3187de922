"""One worker process of the budget bench: many runs at once that reserve, call a model that is not there, and settle.

Started by `bench.budget` with a plan as JSON; it may be killed at any moment. What the provider would charge is written
down by the provider, so to speak: in a file, before the call, whatever becomes of the worker.
"""

import asyncio
import json
import os
import random
import sys
import time
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import uvloop

from quarterdeck.budgets import store
from quarterdeck.budgets.records import Amount, Line, Refused, Reserved, Scope, Spender, Unit, Window
from quarterdeck.budgets.rules import account_id
from quarterdeck.budgets.service import Budgets
from quarterdeck.core.clock import SystemClock
from quarterdeck.core.ids import TenantId, uuid7
from quarterdeck.core.settings import Settings
from quarterdeck.db.pool import Database, retrying
from quarterdeck.db.records import Tx, Urls
from quarterdeck.db.wakes import Wakes

AGENTS, USERS, THREADS = 3, 40, 200
LONGEST_CALL = 0.25
CALLS_A_RUN = 8

# A run, as the sweep looks for it.
BEGIN = """
INSERT INTO qd.runs (tenant, id, agent, release, behaviour, user_id, submitted_by, status, attempt)
VALUES ($1, $2, $3, 'r', 3, $4, $5, 'running', 1)
"""
END = "UPDATE qd.runs SET status = $3, finished_at = now() WHERE tenant = $1 AND id = $2"
# The runs of a worker that was killed: those that nobody finished go on here, one attempt later.
ADOPT = """
UPDATE qd.runs SET submitted_by = $2, attempt = attempt + 1
WHERE tenant = $1 AND submitted_by = $3 AND status = 'running'
RETURNING id, agent, user_id, attempt
"""
UPDATE = "UPDATE qd.bench_row SET reserved = reserved + $1 WHERE spent + reserved + $1 <= granted RETURNING granted"


@dataclass(frozen=True, slots=True)
class Limit:
    """What a release declares."""

    scope: str
    window: str = "total"
    max_micro_usd: int | None = None
    max_tokens: int | None = None


@dataclass
class Worker:
    """A worker's half of the bench."""

    name: str
    tenant: TenantId
    database: Database
    budgets: Budgets
    declared: list[Limit]
    charged: int
    """The file in which the provider writes."""
    counts: dict[str, float] = field(default_factory=dict)

    def count(self, what: str) -> None:
        """One more."""
        self.counts[what] = self.counts.get(what, 0) + 1

    def least_used(self, said: Refused) -> None:
        """Of hot limits: how much of one was in use when a call was refused because of it, at the least."""
        if said.line.slots > 1:
            used = (said.spent + said.reserved) / said.limit
            self.counts["least_used"] = min(self.counts.get("least_used", 1.0), used)

    async def spend(self, seconds: float) -> None:
        """Run after run until the time is over."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            run, agent, user = uuid7(), f"agent-{random.randrange(AGENTS)}", f"user-{random.randrange(USERS)}"
            async with self.database.tenant(self.tenant) as tx:
                await tx.execute(BEGIN, self.tenant, run, agent, user, self.name)
            await self.go(run, agent, user, 1, end)

    async def go(self, run: UUID, agent: str, user: str, attempt: int, end: float) -> None:
        """One run: calls, one after another, until it has had enough or may not go on."""
        thread = f"thread-{run.int % THREADS}"
        spender = Spender(self.tenant, agent, "r", user, thread, str(run))
        for call in range(random.randrange(1, CALLS_A_RUN)):
            if time.monotonic() > end or not await self.call(spender, run, str(call), attempt):
                break

        async def over() -> None:
            async with self.database.tenant(self.tenant) as tx:
                await store.settle_run(tx, self.tenant, run)
                await tx.execute(END, self.tenant, run, "succeeded")

        await retrying(over)

    async def call(self, spender: Spender, run: UUID, call: str, attempt: int) -> bool:
        """Reserve, call, settle; whether the run may go on."""
        output = random.randrange(100, 2000)
        want = Amount(output * 30, output)
        lines = self.budgets.lines(spender, self.declared)
        said = await self.reserve(run, call, attempt, lines, want)
        if isinstance(said, Refused):
            self.count(f"refused_{said.line.scope}{'_short' if said.short else ''}")
            self.least_used(said)
            if said.line.scope in {Scope.TENANT, Scope.EVERYTHING, Scope.AGENT}:
                await asyncio.sleep(random.uniform(0.05, 0.2))
            return False
        used = Amount(random.randrange(want.micro_usd + 1), random.randrange(want.tokens + 1))
        charge = {"run": str(run), "thread": spender.thread, "user": spender.user, "agent": spender.agent}
        os.write(
            self.charged, (json.dumps({**charge, "cost": used.micro_usd, "worst": want.micro_usd}) + "\n").encode()
        )
        self.count("calls")
        await asyncio.sleep(random.uniform(0, LONGEST_CALL))
        fate = random.random()
        if fate < 0.02:
            return True  # its outcome is lost: the run's end, or a later attempt, finds it
        if fate < 0.04:
            await self.settle(run, call, None)  # cut off: nobody knows what it used
        else:
            await self.settle(run, call, used)
            if fate < 0.06:
                await self.settle(run, call, used)  # told twice
        return True

    async def reserve(
        self, run: UUID, call: str, attempt: int, lines: tuple[Line, ...], want: Amount
    ) -> Reserved | Refused:
        """As the loop does it."""

        async def work() -> Reserved | Refused:
            async with self.database.tenant(self.tenant) as tx:
                return await store.reserve(tx, self.tenant, run, call, attempt, lines, want)

        said = await retrying(work)
        for _ in range(8):
            if not isinstance(said, Refused) or not said.short:
                break
            self.count("rebalanced")
            await self.budgets.rebalance(self.tenant, said)
            said = await retrying(work)
        return said

    async def settle(self, run: UUID, call: str, used: Amount | None) -> None:
        """In a transaction of its own."""

        async def work() -> None:
            async with self.database.tenant(self.tenant) as tx:
                await store.settle(tx, self.tenant, run, call, used)

        await retrying(work)

    async def adopt(self, dead: str, seconds: float) -> None:
        """Go on with the runs of a worker that was killed, but for some that just end: then the sweep finds them."""
        async with self.database.tenant(self.tenant) as tx:
            rows = await tx.fetch(ADOPT, self.tenant, self.name, dead)
            lost = [row for row in rows if random.random() < 0.2]
            for row in lost:
                await tx.execute(END, self.tenant, row["id"], "failed")
        end = time.monotonic() + seconds
        going = [row for row in rows if row not in lost]
        self.counts["adopted"] = len(going)
        await asyncio.gather(*[self.go(row["id"], row["agent"], row["user_id"], row["attempt"], end) for row in going])


async def storm(worker: Worker, plan: dict[str, object]) -> None:
    """So many at once, for so long."""
    seconds = float(str(plan["seconds"]))
    adopting = [worker.adopt(str(plan["dead"]), seconds)] if plan.get("dead") else []
    await asyncio.gather(*adopting, *[worker.spend(seconds) for _ in range(int(str(plan["concurrency"])))])


async def rate(worker: Worker, plan: dict[str, object]) -> int:
    """Reservations, or plain updates of one row, one transaction each, as fast as it goes; how many there were."""
    slots = int(str(plan["slots"]))
    budget = UUID(str(plan["budget"]))
    account = account_id(str(worker.tenant), str(budget), Scope.TENANT, str(worker.tenant), Window.MONTH, Unit.USD)
    line = Line(*(str(account), Scope.TENANT, Window.MONTH, Unit.USD, 10**12, slots, "all"), whose="t", budget=budget)
    want, done = Amount(100, 10), 0

    async def plain(tx: Tx) -> None:
        assert await tx.fetchval(UPDATE, 100) is not None

    async def reserved(tx: Tx) -> None:
        said = await store.reserve(tx, worker.tenant, uuid4(), "1", 1, [line], want)
        assert isinstance(said, Reserved), said

    work = plain if plan["plain"] else reserved

    async def one(end: float, least: int) -> None:
        nonlocal done
        own = 0
        while own < least or time.monotonic() < end:
            async with worker.database.tenant(worker.tenant) as tx:
                await work(tx)
            own += 1
        done += own

    callers = range(int(str(plan["connections"])))
    # Every connection has planned the statement before it counts, and all processes begin together.
    await asyncio.gather(*[one(0.0, 8) for _ in callers])
    await asyncio.sleep(max(0.0, float(str(plan["begins"])) - time.time()))
    done = 0
    await asyncio.gather(*[one(time.monotonic() + float(str(plan["seconds"])), 0) for _ in callers])
    return done


async def work(plan: dict[str, object]) -> None:
    """Carry out a plan and print what was counted."""
    urls = Urls(*(str(plan[name]) for name in ("owner", "app", "system", "listen")))
    database = await Database.open(urls, size=int(str(plan["connections"])), system_size=2)
    wakes = Wakes(urls.listen)
    await wakes.start()
    budgets = Budgets(database, wakes, SystemClock(), Settings())
    await budgets.start()
    charged = os.open(str(plan["charged"]), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    declared = plan["declared"]
    assert isinstance(declared, list)
    limits = [Limit(**limit) for limit in declared]
    worker = Worker(str(plan["name"]), TenantId(UUID(str(plan["tenant"]))), database, budgets, limits, charged)
    if "slots" in plan:
        worker.counts["done"] = await rate(worker, plan)
    else:
        await storm(worker, plan)
    print(json.dumps(worker.counts), flush=True)
    await budgets.close()
    await wakes.close()
    await database.close()


if __name__ == "__main__":
    uvloop.run(work(json.loads(sys.argv[1])))
