"""The inbox of approvals over HTTP, with many questions of which most are answered."""

import asyncio
import time
from typing import Any

from bench.stage import Stage, percentile, staged
from quarterdeck.core.ids import uuid7
from quarterdeck.db import driver

LOOKS = 100
_BEGAN_MS = 1_780_000_000_000

# So many questions of one tenant, each with a run of its own that waits for it or has ended.
FILL_RUNS = """
INSERT INTO qd.runs (tenant, id, agent, release, behaviour, user_id, submitted_by, status)
SELECT $1, id, 'agent' || n % 20, repeat('ab', 32), 2, 'user' || n % 500, 'key:bench',
    CASE WHEN n / 20 % 5 = 0 THEN 'waiting_for_approval' ELSE 'succeeded' END
FROM unnest($2::uuid[]) WITH ORDINALITY AS t (id, n)
"""
FILL = """
INSERT INTO qd.approvals (tenant, id, run, call, step, tool, agent, release, user_id, effect, risk, arguments, digest,
    decision, summary, state, expires_at, answered_at, answered_by)
SELECT $1, id, id, 'c1', 1, 'tool' || row_number() OVER (ORDER BY id) % 30, agent, release, user_id,
    'payment', 'payment',
    '{"to": "ann@example.com", "amount": 120}'::jsonb, 'd', '{"verdict": "ask", "rule": "permission"}'::jsonb,
    'Pay 120 dollars to ann@example.com',
    CASE WHEN status = 'waiting_for_approval' THEN 'pending' ELSE 'approved' END,
    now() + interval '1 day', CASE WHEN status = 'succeeded' THEN now() END,
    CASE WHEN status = 'succeeded' THEN ARRAY['key:bench'] ELSE '{}' END
FROM qd.runs WHERE tenant = $1 AND submitted_by = 'key:bench'
"""


def inbox(count: int) -> list[dict[str, Any]]:
    """Pages of the inbox, in milliseconds as a caller sees them."""
    with staged(workers=0) as stage:
        asyncio.run(_fill(stage, count))
        return [_look(stage, name, query, count) for name, query in _QUERIES.items()]


_QUERIES: dict[str, dict[str, str]] = {
    "pending, newest": {"state": "pending", "limit": "50"},
    "pending, one agent": {"state": "pending", "agent": "agent7", "limit": "50"},
    "pending, one tool": {"state": "pending", "tool": "tool11", "limit": "50"},
    "all, newest": {"limit": "50"},
    "facets": {},
}


async def _fill(stage: Stage, count: int) -> None:
    connection = await driver.connect(stage.fleet.urls.owner)
    try:
        tenant = await connection.fetchval("SELECT tenant FROM qd.tenants WHERE slug = 'bench'")
        ids = [uuid7(_BEGAN_MS + at) for at in range(count)]
        await connection.execute(FILL_RUNS, tenant, ids, timeout=300)
        await connection.execute(FILL, tenant, timeout=300)
        await connection.execute("ANALYZE qd.runs", timeout=300)
        await connection.execute("ANALYZE qd.approvals", timeout=300)
    finally:
        await connection.close()


def _look(stage: Stage, name: str, query: dict[str, str], count: int) -> dict[str, Any]:
    path = "/v1/approvals/facets" if name == "facets" else "/v1/approvals"
    times: list[float] = []
    found = 0
    for _ in range(LOOKS):
        began = time.perf_counter()
        answer = stage.client.get(path, params=query)
        times.append((time.perf_counter() - began) * 1000)
        assert answer.status_code == 200, answer.text
        found = len(answer.json().get("items", []))
    return {
        "page": name,
        "questions": count,
        "items": found,
        "p50_ms": round(percentile(times, 0.5), 1),
        "p99_ms": round(percentile(times, 0.99), 1),
    }
