"""The usage ledger: what a report over a million calls takes, and what it costs a run to enter one.

A tenant with a month of calls: 100,000 runs of ten, 20 agents, some 5,000 users of whom few make most of the cost, two
models, tools and tags. Reports are asked over HTTP as a console asks them.
"""

import argparse
import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.stage import Stage, cpu_seconds, save, staged
from quarterdeck.core.ids import AgentName, ReleaseId, RunId, TenantId, UserId, new_run_id
from quarterdeck.db import driver
from quarterdeck.db.pool import Database
from quarterdeck.db.records import Urls
from quarterdeck.usage import store
from quarterdeck.usage.records import UsageRow

CALLS = 10
START = datetime(2026, 10, 1, tzinfo=UTC)
MONTH = {"since": "2026-10-01T00:00:00Z", "until": "2026-11-01T00:00:00Z"}
DAY = {"since": "2026-10-20T00:00:00Z", "until": "2026-10-21T00:00:00Z"}
REPORTS: dict[str, tuple[str, dict[str, str]]] = {
    "by agent, a month": ("report", {**MONTH, "by": "agent"}),
    "by agent, a day": ("report", {**DAY, "by": "agent"}),
    "top 20 users": ("report", {**MONTH, "by": "user"}),
    "top 20 runs": ("report", {**MONTH, "by": "run"}),
    "by tool": ("report", {**MONTH, "by": "tool"}),
    "by model and plan, each day": ("report", {**MONTH, "by": "model,tag:plan", "every": "day", "tz": "Europe/Berlin"}),
    "top 10 users, each hour": ("report", {**MONTH, "by": "user", "every": "hour", "top": "10"}),
    "concentration of users": ("concentration", MONTH),
    "outlier runs": ("outliers", MONTH),
    "savings": ("savings", {**MONTH, "by": "agent"}),
}

# A month of calls, spread evenly over it; every five-thousandth run costs twenty times as much.
FILL = """
INSERT INTO qd.usage (tenant, run, call, attempt, tried, step, at, agent, release, user_id, root_run, provider, model,
    served_model, route, purpose, tools, tags, input, output, cache_read, cache_write, reasoning, cost_micro_usd,
    priced, state, saved_cache, saved_route, saved_trim, trimmed_tokens, ms)
SELECT $1, md5(r::text)::uuid, 'm' || s, 1, 1, s, $2::timestamptz + r * (interval '31 days' / $3::int),
    'agent-' || r % 20, repeat(md5((r % 20)::text), 2), 'user-' || floor(5000 * power(random(), 4)),
    md5(r::text)::uuid, 'openai',
    CASE WHEN s % 4 = 0 THEN 'gpt-4.1-mini-2025-04-14' ELSE 'gpt-4.1-2025-04-14' END, '', 'main', '',
    CASE WHEN s = 1 THEN '{}' WHEN s % 3 = 0 THEN ARRAY['search', 'fetch'] ELSE ARRAY['search'] END,
    jsonb_build_object('plan', (ARRAY['free', 'pro', 'gold'])[1 + r % 3]), 800 * s, 150, 400 * s, 0, 20,
    (2000 * s * (0.5 + random()) * CASE WHEN r % 5000 = 7 THEN 20 ELSE 1 END)::bigint, true,
    CASE WHEN random() < 0.002 THEN 'presumed' ELSE 'spent' END, 700 * s, 0, 0, 0, 1200
FROM generate_series(1, $3::int) r, generate_series(1, 10) s ORDER BY r, s
"""

# What a row takes on disk, with its indexes.
SIZE = "SELECT pg_relation_size('qd.usage') AS rows, pg_indexes_size('qd.usage') AS indexes"

# WAL written so far.
WAL = "SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint"


async def fill(urls: Urls, runs: int) -> dict[str, Any]:
    """The month; then what it takes on disk."""
    owner = await driver.connect(urls.owner)
    tenant = await owner.fetchval("SELECT tenant FROM qd.tenants WHERE slug = 'bench'")
    await owner.fetch(FILL, tenant, START, runs, timeout=600)
    await owner.execute("VACUUM ANALYZE qd.usage")
    size = await owner.fetchrow(SIZE)
    await owner.close()
    assert size is not None
    return {"bytes_a_row": size["rows"] // (runs * CALLS), "index_bytes_a_row": size["indexes"] // (runs * CALLS)}


def ask(stage: Stage, rounds: int) -> dict[str, Any]:
    """Each report, the best of a few: milliseconds to the answer, and CPU milliseconds of the database."""
    found: dict[str, Any] = {}
    for name, (path, query) in REPORTS.items():
        took: list[tuple[float, float]] = []
        for _ in range(rounds):
            cpu, began = cpu_seconds(stage.fleet.database_pid), time.perf_counter()
            answer = stage.client.get(f"/v1/usage/{path}", params=query, timeout=120)
            assert answer.status_code == 200, answer.text
            took.append((time.perf_counter() - began, cpu_seconds(stage.fleet.database_pid) - cpu))
        found[name] = {
            "ms": round(min(wall for wall, _ in took) * 1000),
            "database_cpu_ms": round(min(cpu for _, cpu in took) * 1000),
        }
    return found


async def enter(urls: Urls, server: int, rows: int) -> dict[str, Any]:
    """What a row adds to the transaction that a step makes anyway, beside the month of others."""
    database = await Database.open(urls, size=1)
    owner = await driver.connect(urls.owner)
    tenant = TenantId(await owner.fetchval("SELECT tenant FROM qd.tenants WHERE slug = 'bench'"))
    async with database.tenant(tenant) as tx:
        cpu, wal = cpu_seconds(server), await owner.fetchval(WAL)
        for _ in range(rows):
            await store.enter(tx, [_row(tenant)])
        cpu, wal = cpu_seconds(server) - cpu, await owner.fetchval(WAL) - wal
    await owner.close()
    await database.close()
    return {"database_cpu_ms": round(cpu * 1000 / rows, 3), "wal_bytes": round(wal / rows)}


def _row(tenant: TenantId) -> UsageRow:
    run: RunId = new_run_id()
    return UsageRow(
        tenant=tenant,
        run=run,
        call="m1",
        attempt=1,
        step=1,
        at=START + timedelta(days=40),
        agent=AgentName("agent-1"),
        release=ReleaseId("f" * 64),
        user=UserId("user-1"),
        thread=None,
        root_run=run,
        provider="openai",
        model="gpt-4.1-2025-04-14",
        served_model="gpt-4.1-2025-04-14",
        tools=("search",),
        tags={"plan": "gold"},
        input=1000,
        output=100,
        cost=2800,
    )


def main(arguments: list[str], *, quick: bool = False) -> bool:
    """`python -m bench usage [--runs N]`."""
    parser = argparse.ArgumentParser(prog="python -m bench usage", description=__doc__)
    parser.add_argument("--runs", type=int, default=5_000 if quick else 100_000, help="of ten calls each")
    chosen = parser.parse_args(arguments)
    with staged(0, log_level="error") as stage:
        figures: dict[str, Any] = {"calls": chosen.runs * CALLS, **asyncio.run(fill(stage.fleet.urls, chosen.runs))}
        figures["reports"] = ask(stage, 1 if quick else 3)
        figures["entering"] = asyncio.run(enter(stage.fleet.urls, stage.fleet.database_pid, 500 if quick else 5000))
    save("usage", figures)
    table = Table(f"{figures['calls']:,} calls", "ms", "CPU ms of the database")
    for name, one in figures["reports"].items():
        table.add_row(name, f"{one['ms']:,}", f"{one['database_cpu_ms']:,}")
    Console().print(table)
    Console().print(
        f"{figures['bytes_a_row']} bytes a row and {figures['index_bytes_a_row']} in indexes; entering one: "
        f"{figures['entering']['database_cpu_ms']} ms of CPU, {figures['entering']['wal_bytes']:,} bytes of WAL"
    )
    return True
