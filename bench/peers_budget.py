"""The same demand against the budgets of LiteLLM's proxy and ours: what is spent beyond them, what a call costs.

LiteLLM's proxy keeps keys in a database through Prisma, whose engine is downloaded when it is set up; where that can't
be had it runs without one: keys come from its hook for own authentication, and everything that follows is its own. That
flatters it: nothing is read from a database or written to one.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
import venv
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from bench.demand import MOST, PRICE, Books, Demand, demands, fire, judged
from bench.engine import flush_ms
from bench.litellm_proxy import ENVIRONMENT, HERE, Proxy, Way, is_installed, opened, redis_server
from bench.stage import PIN, Stage, cpu_seconds, save, staged
from quarterdeck.budgets import store_budgets
from quarterdeck.budgets.records import Budget, Scope
from quarterdeck.core.ids import TenantId
from quarterdeck.db import driver
from quarterdeck.db.pool import Database
from quarterdeck.db.records import Urls

WAYS = (
    Way("LiteLLM, 1 replica", 1),
    Way("LiteLLM, 4 replicas", 4),
    Way("LiteLLM, 4 replicas, Redis", 4, redis=True),
    Way("LiteLLM, 4 replicas, Redis, fail closed", 4, redis=True, closed=True),
    Way("LiteLLM, 1 replica, budget of a session", 1, kind="session"),
)
RESERVING, WHOLE = "ours, reserving alone, 4 workers", "ours, whole runs, 2 workers"
WARM = Demand("warm", 10**12, 1, callers=40, calls=4)
"""Not counted: a process imports much at its first calls."""
WORKERS, CONNECTIONS = 4, 8
BOOKING = 1.5
"""Seconds after the last answer in which a side may still book: their work of that time counts as well."""
STARTING = 6.0
ENDED = "SELECT count(*)::int FROM qd.runs WHERE agent = 'spender' AND status IN ('succeeded', 'failed', 'stopped')"

Figures = dict[str, dict[str, Any]]


def measure_theirs(books: Books, provider: str, way: Way, wanted: Sequence[Demand]) -> Figures:
    """All demands on one way to run the proxy."""
    found: Figures = {}
    with opened(provider, way, [demand.limit for demand in wanted]) as proxy:
        asyncio.run(fire(proxy.urls, WARM, way.kind))
        for demand in wanted:
            books.clear()
            before = _used(proxy)
            statuses, seconds = asyncio.run(fire(proxy.urls, demand, way.kind))
            time.sleep(BOOKING)
            cpu, calls = _used(proxy) - before, demand.callers * demand.calls
            more = {"cpu_ms": round(cpu * 1000 / calls, 2), "statuses": {str(key): n for key, n in statuses.items()}}
            found[demand.name] = judged(demand, books.charged, books.served.total(), seconds, **more)
    return found


def _used(proxy: Proxy) -> float:
    return sum(map(cpu_seconds, proxy.pids))


async def _budget(urls: Urls, tenant: TenantId, demand: Demand) -> None:
    """The only budget from now on: of the tenant, or of each user where there are several accounts."""
    database = await Database.open(urls, size=2, system_size=2)
    connection = await driver.connect(urls.owner)
    await connection.execute("DELETE FROM qd.budgets")
    await connection.close()
    scope = Scope.TENANT if demand.accounts == 1 else Scope.USER
    budget = Budget(demand.name, scope, max_micro_usd=demand.limit, tenant=tenant, set_by="bench", why="bench")
    async with database.system.transaction() as tx:
        await store_budgets.write(tx, budget)
    await database.close()


async def _tenant(urls: Urls) -> TenantId:
    connection = await driver.connect(urls.owner)
    try:
        return TenantId(await connection.fetchval("SELECT tenant FROM qd.tenants WHERE slug = 'bench'"))
    finally:
        await connection.close()


def measure_reserving(stage: Stage, tenant: TenantId, demand: Demand) -> dict[str, Any]:
    """Worker processes that reserve and settle; the provider is only waited for."""
    urls = stage.fleet.urls
    asyncio.run(_budget(urls, tenant, demand))
    said = {"owner": "", "app": urls.app, "system": urls.system, "listen": urls.listen, "tenant": str(tenant)}
    begins = time.time() + STARTING
    plans = [
        {**said, "connections": CONNECTIONS, "demand": asdict(demand), "number": number, "workers": WORKERS}
        | {"begins": begins}
        for number in range(WORKERS)
    ]
    processes = [
        subprocess.Popen([sys.executable, "-m", "bench.reserving", json.dumps(plan)], stdout=subprocess.PIPE, text=True)
        for plan in plans
    ]
    time.sleep(STARTING)
    before = cpu_seconds(stage.fleet.database_pid)
    told: list[dict[str, Any]] = []
    for process in processes:
        out, _ = process.communicate(timeout=300)
        if process.returncode != 0:
            raise RuntimeError(f"a worker of the bench failed with {process.returncode}")
        told.append(json.loads(out.splitlines()[-1]))
    database = cpu_seconds(stage.fleet.database_pid) - before
    charged: Counter[str] = Counter()
    for one in told:
        charged.update(one["charged"])
    calls = demand.callers * demand.calls
    more = {
        "cpu_ms": round((sum(one["cpu"] for one in told) + database) * 1000 / calls, 2),
        "database_cpu_ms": round(database * 1000 / calls, 2),
    }
    seconds = max(one["seconds"] for one in told)
    return judged(demand, charged, sum(one["served"] for one in told), seconds, **more)


def measure_whole(stage: Stage, tenant: TenantId, books: Books, demand: Demand) -> dict[str, Any]:
    """Runs over HTTP, each of one call: submitted, queued, claimed, guarded, reserved, asked over HTTP, logged."""
    asyncio.run(_budget(stage.fleet.urls, tenant, demand))
    time.sleep(2)
    books.clear()
    pids = [*(child.pid for child in stage.fleet.children.values()), stage.fleet.database_pid]
    before, began = sum(map(cpu_seconds, pids)), time.monotonic()
    asyncio.run(_submit(stage, demand))
    seconds = time.monotonic() - began
    cpu, runs = sum(map(cpu_seconds, pids)) - before, demand.callers * demand.calls
    return judged(demand, books.charged, books.served.total(), seconds, cpu_ms=round(cpu * 1000 / runs, 2))


async def _submit(stage: Stage, demand: Demand) -> None:
    connection = await driver.connect(stage.fleet.urls.system)
    done: int = await connection.fetchval(ENDED)
    headers = dict(stage.client.headers)
    limits = httpx.Limits(max_connections=64)
    async with httpx.AsyncClient(base_url=stage.fleet.url, headers=headers, timeout=120, limits=limits) as client:

        async def one(number: int) -> None:
            body = {"agent": "spender", "input": demand.said(number)}
            answer = await client.post("/v1/runs", json=body)
            assert answer.status_code == 202, answer.text

        runs = demand.callers * demand.calls
        await asyncio.gather(*(one(number) for number in range(runs)))
        while await connection.fetchval(ENDED) < done + runs:
            await asyncio.sleep(0.1)
    await connection.close()


def measure_ours(books: Books, provider: str, wanted: Sequence[Demand]) -> dict[str, Figures]:
    """Both ways of ours, each on a fresh deployment. Whole runs spend a tenant's money only."""
    found: dict[str, Figures] = {RESERVING: {}, WHOLE: {}}
    with staged(0, log_level="error") as stage:
        tenant = asyncio.run(_tenant(stage.fleet.urls))
        for demand in wanted:
            found[RESERVING][demand.name] = measure_reserving(stage, tenant, demand)
    with staged(2, worker_capacity=250, queue_limit=100_000, log_level="error") as stage:
        prices = {"*": {"input": 0, "output": PRICE}}
        made = {
            "name": "books",
            "kind": "openai",
            "base_url": provider,
            "key": "sk-bench-0123456789abcdef",
            "options": {"api": "chat", "prices": prices, "max_concurrency": 250},
        }
        answer = stage.admin.post("/v1/providers", json=made)
        assert answer.status_code == 201, answer.text
        stage.register("spender", model={"provider": "books", "id": PIN, "max_output_tokens": MOST})
        warm = stage.client.post("/v1/runs?wait=30", json={"agent": "spender", "input": "spend warm 1"})
        assert warm.json()["status"] == "succeeded", warm.text
        tenant = asyncio.run(_tenant(stage.fleet.urls))
        for demand in wanted:
            if demand.accounts == 1:
                found[WHOLE][demand.name] = measure_whole(stage, tenant, books, demand)
    return found


def main(arguments: list[str], *, quick: bool = False) -> bool:
    """`python -m bench peers-budget [--install] [--share N] [--only theirs|ours]`."""
    parser = argparse.ArgumentParser(prog="python -m bench peers-budget", description=__doc__)
    parser.add_argument("--install", action="store_true", help="make LiteLLM's environment first; takes minutes")
    parser.add_argument("--share", type=float, default=0.2 if quick else 1.0, help="of the calls")
    parser.add_argument("--only", choices=["theirs", "ours"])
    chosen = parser.parse_args(arguments)
    if chosen.install and not is_installed():
        _install()
    if not is_installed():
        Console().print("peers-budget: LiteLLM is not installed here; skipped. `--install` installs it, 117 packages.")
        return True
    ways = [way for way in WAYS if not way.redis or redis_server()]
    if len(ways) < len(WAYS):
        Console().print("peers-budget: no redis-server on the path; what needs it is left out.")
    wanted, books = demands(chosen.share), Books()
    provider = books.start()
    found: dict[str, Figures] = {}
    try:
        if chosen.only != "theirs":
            found |= measure_ours(books, provider, wanted)
            _save(found, wanted)
        if chosen.only != "ours":
            for way in ways:
                found[way.name] = measure_theirs(books, provider, way, wanted)
                _save(found, wanted)
    finally:
        books.close()
    return _show(found, wanted)


def _save(found: dict[str, Figures], wanted: Sequence[Demand]) -> None:
    """After each way, since all of them take long: what was measured is kept if the rest is not waited for."""
    save("peers-budget", {"flush_ms": flush_ms(), "demands": {one.name: asdict(one) for one in wanted}, **found})


def _install() -> None:
    Console().print("installing LiteLLM's proxy, once ...")
    venv.create(ENVIRONMENT, with_pip=True, clear=True)
    python = ENVIRONMENT / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "-r", HERE / "peers" / "litellm.txt"], check=True)


def _show(found: dict[str, Figures], wanted: Sequence[Demand]) -> bool:
    """The table; true if nothing of ours was spent beyond a limit."""
    table = Table(
        "", "demand", "calls", "served", "too many", "beyond, USD", "of limit", "worst", "used", "CPU ms", "/s"
    )
    for side, by_demand in found.items():
        for demand in wanted:
            if one := by_demand.get(demand.name):
                shares = (f"{one[key]:.1%}" for key in ("beyond_share", "worst_account_share", "used_share"))
                counted = (f"{one[key]:,}" for key in ("calls", "served", "calls_too_many", "beyond_usd"))
                table.add_row(side, demand.name, *counted, *shares, f"{one['cpu_ms']}", f"{one['calls_per_s']}")
    Console(width=170).print(table)
    ours = [one for side in (RESERVING, WHOLE) for one in found.get(side, {}).values()]
    return all(one["beyond_usd"] == 0 for one in ours)


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1:]) else 1)
