"""Budgets: a thousand calls at once on four workers that are killed at random, under seven scopes that run out.

At the end no limit is exceeded by one micro-USD, by our books and by what the provider has charged, and nothing is left
reserved. Then how many reservations a second one tenant-wide budget takes, beside a plain update of one row.
"""

import argparse
import asyncio
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.engine import flush_ms
from bench.stage import cpu_seconds, save, staged
from quarterdeck.budgets import job, store_budgets
from quarterdeck.budgets.records import Budget, Scope, Window
from quarterdeck.core.ids import TenantId
from quarterdeck.db import driver
from quarterdeck.db.pool import Database
from quarterdeck.db.records import Urls

WORKERS, CONCURRENCY = 4, 1000
CONNECTIONS = 8
"""Of each worker: in all as many as the rate is measured with."""
GOAL_USABLE, GOAL_RATE, GOAL_RATIO = 0.95, 2_000, 3.0
SLOW_FLUSH = 2_000
"""Microseconds that a commit waits in addition, as on a disk that does not answer from memory."""
RUN, REQUEST, THREAD, USER, AGENT = 150_000, 55_000, 400_000, 1_500_000, 25_000_000
TENANT, EVERYTHING = 4_000_000, 60_000_000
"""The tenant's is raised by as much whenever it is used up: so it runs out again and again."""
STARTING = 5.0
"""Seconds that the processes have to start before rates are measured."""
DECLARED = [
    {"scope": "request", "max_micro_usd": REQUEST},
    {"scope": "run", "max_micro_usd": RUN},
    {"scope": "agent", "window": "day", "max_micro_usd": AGENT, "max_tokens": 10**9},
]

# By how much an account exceeds its limit in this moment; limits are only ever raised here.
OVER = """
SELECT greatest(0, max(used - most))::bigint FROM (
    SELECT sum(s.spent + s.reserved) AS used,
        coalesce(CASE a.unit WHEN 'usd' THEN max(b.max_micro_usd) END, max(s.basis)) AS most
    FROM qd.budget_slots s JOIN qd.budget_accounts a USING (account) LEFT JOIN qd.budgets b ON b.id = a.budget
    GROUP BY a.account, a.unit, s.starts) t
"""

# What is held at the end, in reservations and in accounts.
LEFT = """
SELECT (SELECT count(*) FROM qd.budget_reservations WHERE state = 'reserved') AS reservations,
       (SELECT coalesce(sum(reserved), 0) FROM qd.budget_slots) AS reserved,
       (SELECT coalesce(sum(uncovered), 0) FROM qd.budget_slots) AS uncovered
"""

# What is in use of the tenant's limit.
USED = """
SELECT sum(s.spent + s.reserved)::bigint FROM qd.budget_slots s JOIN qd.budget_accounts a USING (account)
WHERE a.scope = 'tenant'
"""

# What the tenant's account says was spent.
BOOKED = """
SELECT sum(s.spent)::bigint AS spent, sum(s.presumed)::bigint AS presumed
FROM qd.budget_slots s JOIN qd.budget_accounts a USING (account) WHERE a.scope = 'tenant'
"""


@dataclass
class Crowd:
    """The worker processes."""

    urls: Urls
    tenant: TenantId
    folder: Path
    seconds: float
    ended: float = 0.0
    processes: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    least_used: float = 1.0
    killed: int = 0

    def plan(self, name: str, **more: Any) -> str:
        """What a process is told."""
        said = {"owner": "", "app": self.urls.app, "system": self.urls.system, "listen": self.urls.listen}
        own = {"name": name, "tenant": str(self.tenant), "charged": str(self.folder / f"{name}.jsonl")}
        return json.dumps({**said, **own, "connections": CONNECTIONS, "declared": DECLARED, **more})

    def start(self, name: str, **more: Any) -> None:
        """Another process."""
        self.processes[name] = subprocess.Popen(
            [sys.executable, "-m", "bench.spending", self.plan(name, **more)], stdout=subprocess.PIPE, text=True
        )

    def kill_one(self, again: int) -> None:
        """Kill a worker as a machine that fails would, and start another one, which goes on with its runs."""
        name = random.choice(list(self.processes))
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        self.killed += 1
        left = max(1.0, self.ended - time.monotonic())
        self.start(f"again-{again}", seconds=left, concurrency=CONCURRENCY // WORKERS, dead=name)

    async def finish(self) -> None:
        """Wait for all that still live, and add up what they say."""
        for process in self.processes.values():
            out, _ = await asyncio.to_thread(process.communicate, timeout=120)
            if process.returncode != 0:
                raise RuntimeError(f"a worker of the bench failed with {process.returncode}")
            counts = json.loads(out.splitlines()[-1])
            self.least_used = min(self.least_used, counts.pop("least_used", 1.0))
            self.counts.update(counts)
        self.processes.clear()


async def storm(urls: Urls, tenant: TenantId, seconds: float) -> dict[str, Any]:
    """Calls at once, workers killed, limits that run out and are raised; then the books."""
    database = await Database.open(urls, size=4, system_size=4)
    limits = await _set(database, tenant, TENANT)
    with tempfile.TemporaryDirectory() as folder:
        crowd = Crowd(urls, tenant, Path(folder), seconds, time.monotonic() + seconds)
        over: list[int] = []
        for number in range(WORKERS):
            crowd.start(f"worker-{number}", seconds=seconds, concurrency=CONCURRENCY // WORKERS)
        watching = asyncio.create_task(_watch(database, over))
        raising = asyncio.create_task(_raise(database, tenant, limits))
        kills = 0
        while time.monotonic() < crowd.ended - 2:
            await asyncio.sleep(max(4.0, seconds / 12))
            kills += 1
            crowd.kill_one(kills)
        await crowd.finish()
        watching.cancel()
        raising.cancel()
        swept = await _sweep(database)
        figures = await _books(database, limits, _charged(Path(folder)))
    await database.close()
    return {
        "calls": int(crowd.counts["calls"]),
        "killed": crowd.killed,
        "adopted_runs": int(crowd.counts["adopted"]),
        "refused": {
            key.removeprefix("refused_"): int(n) for key, n in crowd.counts.items() if key.startswith("refused")
        },
        "rebalanced": int(crowd.counts["rebalanced"]),
        "looks_at_the_books": len(over),
        "over_at_any_look_micro_usd": max(over),
        "tenant_limit_raised_to_micro_usd": limits[Scope.TENANT],
        "least_used_at_a_refusal": round(crowd.least_used, 4),
        "swept_runs": swept,
        **figures,
    }


async def _set(database: Database, tenant: TenantId, most: int) -> dict[Scope, int]:
    """Set the live budgets, the tenant's to `most`."""
    wanted = {Scope.TENANT: most, Scope.USER: USER, Scope.THREAD: THREAD, Scope.EVERYTHING: EVERYTHING}
    async with database.system.transaction() as tx:
        for scope, limit in wanted.items():
            own = None if scope is Scope.EVERYTHING else tenant
            window = Window.TOTAL if scope is Scope.THREAD else Window.MONTH
            budget = Budget(
                f"of-{scope}", scope, window=window, max_micro_usd=limit, tenant=own, why="", set_by="bench"
            )
            await store_budgets.write(tx, budget)
    return wanted


async def _raise(database: Database, tenant: TenantId, limits: dict[Scope, int]) -> None:
    """Raise the tenant's limit a moment after it was used up, so that calls are refused and then let in again."""
    while True:
        await asyncio.sleep(1.5)
        async with database.system.transaction() as tx:
            used: int = await tx.fetchval(USED) or 0
        if used >= limits[Scope.TENANT] * 0.99:
            await asyncio.sleep(0.5)
            limits |= await _set(database, tenant, limits[Scope.TENANT] + TENANT)


async def _watch(database: Database, over: list[int]) -> None:
    """Look at all books at once, again and again."""
    while True:
        async with database.system.transaction() as tx:
            over.append(await tx.fetchval(OVER))
        await asyncio.sleep(0.2)


async def _sweep(database: Database) -> int:
    """End what no worker goes on with, and let the sweep book it."""
    async with database.system.transaction() as tx:
        await tx.execute("UPDATE qd.runs SET status = 'failed', finished_at = now() WHERE status = 'running'")
    swept = 0
    while found := await job.sweep(database, job.GRACE * 0):
        swept += found
    return swept


def _charged(folder: Path) -> list[dict[str, Any]]:
    """What the provider has charged. A line that was cut off by a kill was never sent."""
    lines = [line for path in folder.glob("*.jsonl") for line in path.read_text().splitlines()]
    return [json.loads(line) for line in lines if line.endswith("}")]


async def _books(database: Database, limits: dict[Scope, int], charges: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Our books, and the provider's."""
    sums: dict[str, Counter[str]] = {key: Counter() for key in ("run", "thread", "user", "agent")}
    for charge in charges:
        for key, counter in sums.items():
            counter[charge[key]] += charge["cost"]
    total = sum(charge["cost"] for charge in charges)
    most = {"run": RUN, "thread": THREAD, "user": USER, "agent": AGENT}
    beyond = {key: max(max(counter.values(), default=0) - most[key], 0) for key, counter in sums.items()}
    beyond["tenant"] = max(0, total - limits[Scope.TENANT])
    beyond["everything"] = max(0, total - limits[Scope.EVERYTHING])
    beyond["request"] = max(0, max((charge["worst"] for charge in charges), default=0) - REQUEST)
    async with database.system.transaction() as tx:
        left, booked = await tx.fetchrow(LEFT), await tx.fetchrow(BOOKED)
        over = await tx.fetchval(OVER)
    assert left is not None
    assert booked is not None
    return {
        "over_at_the_end_micro_usd": over,
        "charged_beyond_a_limit_micro_usd": beyond,
        "charged_micro_usd": total,
        "booked_micro_usd": booked["spent"],
        "of_it_presumed_micro_usd": booked["presumed"],
        "leftover_reservations": left["reservations"],
        "leftover_micro_usd": int(left["reserved"]),
        "uncovered_micro_usd": int(left["uncovered"]),
    }


async def rates(urls: Urls, tenant: TenantId, server: int, seconds: float, rounds: int) -> dict[str, Any]:
    """Reservations a second on one tenant-wide budget, and plain updates of one row, in turns."""
    database = await Database.open(urls, size=2, system_size=2)
    wanted = Budget(
        "all", Scope.TENANT, window=Window.MONTH, max_micro_usd=10**12, tenant=tenant, why="", set_by="bench"
    )
    async with database.system.transaction() as tx:
        budget = await store_budgets.write(tx, wanted)
    found: dict[str, list[dict[str, float]]] = {"one_row": [], "budget": []}
    for _ in range(rounds):
        for way, per_second in found.items():
            with tempfile.TemporaryDirectory() as folder:
                crowd = Crowd(urls, tenant, Path(folder), seconds)
                before, begins = cpu_seconds(server), time.time() + STARTING
                for number in range(WORKERS):
                    plan = {
                        "plain": way == "one_row",
                        "slots": 16,
                        "budget": str(budget.id),
                        "seconds": seconds,
                        "begins": begins,
                    }
                    crowd.start(f"rate-{number}", **plan)
                await crowd.finish()
                done = crowd.counts["done"]
                spent = cpu_seconds(server) - before  # planning in 32 connections included
                per_second.append({"per_s": done / seconds, "database_cpu_ms": spent * 1000 / done})
    await database.close()
    medians = {
        way: {key: round(sorted(one[key] for one in each)[len(each) // 2], 3) for key in each[0]}
        for way, each in found.items()
    }
    ratio = medians["budget"]["per_s"] / medians["one_row"]["per_s"]
    return {**medians, "ratio": round(ratio, 2), "connections": WORKERS * CONNECTIONS}


async def _all(urls: Urls, server: int, seconds: float, rate_seconds: float, rounds: int) -> dict[str, Any]:
    database = await Database.open(urls, size=2, system_size=2)
    async with database.system.transaction() as tx:
        tenant = TenantId(await tx.fetchval("SELECT tenant FROM qd.tenants WHERE slug = 'bench'"))
    await database.close()
    found = await storm(urls, tenant, seconds)
    here = await rates(urls, tenant, server, rate_seconds, rounds)
    await _flush_like_a_disk(urls, SLOW_FLUSH)
    slow = await rates(urls, tenant, server, rate_seconds, rounds)
    await _flush_like_a_disk(urls, 0)
    return {"storm": found, "rate": here, "rate_at_a_slow_flush": slow}


async def _flush_like_a_disk(urls: Urls, micros: int) -> None:
    """Have every commit wait so long before its flush, as on a disk; others may join it meanwhile."""
    connection = await driver.connect(urls.owner)
    await connection.execute("ALTER SYSTEM SET commit_siblings = 0")
    await connection.execute(f"ALTER SYSTEM SET commit_delay = {micros}")
    await connection.execute("SELECT pg_reload_conf()")
    await connection.close()
    await asyncio.sleep(0.5)


def main(arguments: list[str], *, quick: bool = False) -> bool:
    """`python -m bench budget [--seconds N]`."""
    parser = argparse.ArgumentParser(prog="python -m bench budget", description=__doc__)
    parser.add_argument("--seconds", type=float, default=12.0 if quick else 45.0)
    chosen = parser.parse_args(arguments)
    with staged(0, log_level="error") as stage:
        _make_row(stage.fleet.urls)
        server = stage.fleet.database_pid
        figures = asyncio.run(_all(stage.fleet.urls, server, chosen.seconds, 3.0 if quick else 6.0, 1 if quick else 3))
    figures = {"flush_ms": flush_ms(), **figures}
    save("budget", figures)
    return _show(figures)


def _make_row(urls: Urls) -> None:
    """One row, as a budget without slots would have it."""

    async def make() -> None:
        connection = await driver.connect(urls.owner)
        await connection.execute(
            "CREATE TABLE qd.bench_row (granted bigint NOT NULL, spent bigint NOT NULL, reserved bigint NOT NULL,"
            " CHECK (spent + reserved <= granted)) WITH (fillfactor = 50);"
            "INSERT INTO qd.bench_row VALUES (1000000000000, 0, 0); GRANT SELECT, UPDATE ON qd.bench_row TO qd_app"
        )
        await connection.close()

    asyncio.run(make())


def _show(figures: dict[str, Any]) -> bool:
    seen, rate, slow = figures["storm"], figures["rate"], figures["rate_at_a_slow_flush"]
    beyond = max(seen["charged_beyond_a_limit_micro_usd"].values())
    over = max(seen["over_at_any_look_micro_usd"], seen["over_at_the_end_micro_usd"])
    goals = [
        ("beyond any limit, by our books", over, "0 micro-USD", over == 0),
        ("beyond any limit, by what was charged", beyond, "0 micro-USD", beyond == 0),
        ("reservations left after recovery", seen["leftover_reservations"], "0", seen["leftover_micro_usd"] == 0),
        (
            "of a hot limit used at a refusal, at least",
            seen["least_used_at_a_refusal"],
            "≥ 0.95",
            seen["least_used_at_a_refusal"] >= GOAL_USABLE,
        ),
        (
            "reservations/s on one budget",
            rate["budget"]["per_s"],
            f"≥ {GOAL_RATE:,}",
            rate["budget"]["per_s"] >= GOAL_RATE,
        ),
        ("as a multiple of one row's updates/s", rate["ratio"], f"≥ {GOAL_RATIO}", rate["ratio"] >= GOAL_RATIO),
        (
            f"the same where a flush takes {SLOW_FLUSH / 1000:g} ms more",
            slow["ratio"],
            f"≥ {GOAL_RATIO}",
            slow["ratio"] >= GOAL_RATIO,
        ),
    ]
    table = Table("", "measured", "goal", "")
    for name, value, goal, met in goals:
        table.add_row(name, f"{value:,}", goal, "met" if met else "MISSED")
    Console().print(table)
    charged, booked = seen["charged_micro_usd"] / 1e6, seen["booked_micro_usd"] / 1e6
    Console().print(
        f"{seen['calls']:,} calls, {seen['killed']} workers killed, {seen['rebalanced']} times rebalanced, refused "
        f"{seen['refused']}; charged ${charged:.2f}, booked ${booked:.2f}; "
        f"one row {rate['one_row']['per_s']:,.0f}/s at a flush of {figures['flush_ms']} ms, and where it takes "
        f"{SLOW_FLUSH / 1000:g} ms more {slow['one_row']['per_s']:,.0f}/s; reservations there "
        f"{slow['budget']['per_s']:,.0f}/s"
    )
    return all(met for *_, met in goals)
