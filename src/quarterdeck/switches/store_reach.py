"""SQL of previews: which releases, runs and calls there are that a switch could hit. NULL as tenant = all of them, as
qd_system.
"""

from collections.abc import Sequence

from quarterdeck.core.ids import TenantId
from quarterdeck.core.json import decode
from quarterdeck.db.records import Tx
from quarterdeck.switches.records import CallsUnderWay, Granted, LiveRuns

# Runs that have not ended, counted by what switches tell apart.
_RUNS = """
SELECT tenant, agent, release,
    CASE WHEN status IN ('running', 'cancelling') THEN 'running' WHEN status = 'queued' THEN 'queued' ELSE 'waiting' END
        AS state,
    priority < 0 AS background, started_at IS NULL AND parent IS NULL AS fresh, count(*)::int AS n
FROM qd.runs
WHERE ($1::uuid IS NULL OR tenant = $1) AND ($2::text IS NULL OR agent = $2)
    AND status IN ('queued', 'running', 'waiting_for_approval', 'waiting_for_connection', 'waiting_for_outcome',
        'waiting_for_retry', 'cancelling')
GROUP BY 1, 2, 3, 4, 5, 6
"""

# What the agents' present releases grant, and those in $3 and $4, which runs keep.
_GRANTED = """
SELECT r.tenant, t.slug, r.agent, r.id, r.manifest -> 'model' ->> 'provider' AS provider,
    r.manifest -> 'model' ->> 'id' AS model,
    coalesce((SELECT jsonb_object_agg(tool ->> 'name', tool ->> 'server')
              FROM jsonb_array_elements(r.manifest -> 'tools') AS tool), '{}') AS tools,
    coalesce((SELECT jsonb_object_agg(route ->> 'name',
                  jsonb_build_array(route -> 'pin' ->> 'provider', route -> 'pin' ->> 'id'))
              FROM jsonb_array_elements(r.manifest -> 'routes') AS route), '{}') AS routes
FROM qd.releases r JOIN qd.tenants t ON t.tenant = r.tenant
WHERE ($1::uuid IS NULL OR r.tenant = $1) AND ($2::text IS NULL OR r.agent = $2)
    AND (EXISTS (SELECT FROM qd.agents a WHERE a.tenant = r.tenant AND a.name = r.agent AND a.release = r.id)
         OR (r.tenant, r.id) IN (SELECT * FROM unnest($3::uuid[], $4::text[])))
"""

# Calls that running runs have begun and have no outcome of, among the newest events of each run.
_CALLS = """
SELECT r.tenant, r.agent, r.release, coalesce(e.data ->> 'tool', '') AS tool, count(*)::int AS n
FROM qd.runs r JOIN qd.run_events e ON e.tenant = r.tenant AND e.run = r.id AND e.seq > r.last_seq - 200
WHERE ($1::uuid IS NULL OR r.tenant = $1) AND ($2::text IS NULL OR r.agent = $2)
    AND r.status IN ('running', 'cancelling') AND e.attempt = r.attempt AND e.kind IN ('tool.called', 'model.called')
    AND NOT EXISTS (
        SELECT FROM qd.run_events o
        WHERE o.tenant = r.tenant AND o.run = r.id AND o.seq > e.seq AND o.data ->> 'call' = e.data ->> 'call'
            AND o.kind = ANY (CASE e.kind WHEN 'tool.called'
                THEN ARRAY['tool.answered', 'tool.failed', 'tool.unknown', 'tool.denied']
                ELSE ARRAY['model.answered', 'model.called', 'run.finished'] END))
GROUP BY 1, 2, 3, 4
"""


async def live_runs(tx: Tx, tenant: TenantId | None, agent: str | None) -> list[LiveRuns]:
    """Runs that have not ended, of a tenant and an agent where named."""
    return [
        LiveRuns(
            TenantId(row["tenant"]),
            row["agent"],
            row["release"],
            row["state"],
            background=row["background"],
            fresh=row["fresh"],
            count=row["n"],
        )
        for row in await tx.fetch(_RUNS, tenant, agent)
    ]


async def granted(tx: Tx, tenant: TenantId | None, agent: str | None, kept: Sequence[LiveRuns]) -> list[Granted]:
    """What the releases grant that agents have now, or that these runs keep."""
    pairs = {(some.tenant, some.release) for some in kept}
    rows = await tx.fetch(_GRANTED, tenant, agent, [one for one, _ in pairs], [one for _, one in pairs])
    return [
        Granted(
            tenant=TenantId(row["tenant"]),
            tenant_slug=row["slug"],
            agent=row["agent"],
            release=row["id"],
            provider=row["provider"] or "",
            model=row["model"] or "",
            tools=_tools(row["tools"]),
            routes=_routes(row["routes"]),
        )
        for row in rows
    ]


async def calls_under_way(tx: Tx, tenant: TenantId | None, agent: str | None) -> list[CallsUnderWay]:
    """Calls without an outcome yet."""
    return [
        CallsUnderWay(TenantId(row["tenant"]), row["agent"], row["release"], row["tool"], row["n"])
        for row in await tx.fetch(_CALLS, tenant, agent)
    ]


def _tools(text: str) -> dict[str, str]:
    found = decode(text)
    return {name: str(server) for name, server in found.items()} if isinstance(found, dict) else {}


def _routes(text: str) -> dict[str, tuple[str, str]]:
    found = decode(text)
    pins = found.items() if isinstance(found, dict) else ()
    return {name: (str(pin[0]), str(pin[1])) for name, pin in pins if isinstance(pin, list)}
