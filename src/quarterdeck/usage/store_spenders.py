"""SQL of who spends how much: how cost is spread, and which runs stand out from their agent's others."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from quarterdeck.db.records import Row, Tx
from quarterdeck.usage.records import DaySums, Filters, Reader, Spender, SpentRun, Spread, Usual
from quarterdeck.usage.store_reports import Narrowing, slugs_of

SHARES = (1, 10, 100)
"""Per mille of all spenders: what they make of the cost is told. Integers, so that a tenth of 100 is 10."""
_SPENDERS = {"user": "u.user_id", "agent": "u.agent", "thread": "u.thread::text", "tenant": "''"}
SPENDERS = tuple(_SPENDERS)
"""Among whom cost can be spread."""

# Everybody with what they cost, the dearest first; of them the top and those at which a share of all ends. Gini's
# coefficient is that of the sorted costs: sum of (2 rank - n - 1) x over n sum of x, ranks from the cheapest on.
_SPREAD = """
WITH spenders AS (
    SELECT u.tenant, {name} AS name, sum(u.cost_micro_usd)::bigint AS cost, count(*) AS calls
    FROM qd.usage u WHERE {narrowed} AND {name} IS NOT NULL GROUP BY 1, 2
), placed AS (
    SELECT *, row_number() OVER dearest AS place, count(*) OVER () AS n, sum(cost) OVER ()::bigint AS total,
        sum(cost) OVER (dearest ROWS UNBOUNDED PRECEDING)::bigint AS cumulative
    FROM spenders WINDOW dearest AS (ORDER BY cost DESC, tenant, name)
), spread AS (
    SELECT *, (sum((n + 1 - 2 * place) * cost::numeric) OVER () / nullif(n::numeric * total, 0))::float8 AS gini
    FROM placed
)
SELECT * FROM spread
WHERE place <= {top} OR place IN (SELECT (n * share + 999) / 1000 FROM unnest({shares}::int[]) AS share)
ORDER BY place
"""

# Runs with what they came to; for each agent the median of everything, and how far the logs of costs lie from theirs.
_RUNS = """
WITH runs AS MATERIALIZED (
    SELECT u.tenant, u.agent, u.run, max(u.user_id) AS user_id, min(u.at) AS at, sum(u.cost_micro_usd)::bigint AS cost,
        count(*) AS calls, count(*) - count(DISTINCT u.call) AS repeated, sum(u.input)::bigint AS input,
        sum(u.output)::bigint AS output, max(u.input) AS peak
    FROM qd.usage u WHERE {narrowed} GROUP BY 1, 2, 3 HAVING sum(u.cost_micro_usd) > 0
), usual AS MATERIALIZED (
    SELECT tenant, agent, count(*) AS runs, percentile_cont(0.5) WITHIN GROUP (ORDER BY cost) AS usual_cost,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY calls) AS usual_calls,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY repeated) AS usual_repeated,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY input::float8 / calls) AS usual_input,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY output::float8 / calls) AS usual_output,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY cost::float8 / greatest(input + output, 1)) AS usual_rate,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY ln(cost::float8)) AS centre
    FROM runs GROUP BY 1, 2 HAVING count(*) >= {least}
), spread AS MATERIALIZED (
    SELECT tenant, agent, percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(ln(cost::float8) - centre)) AS mad,
        avg(abs(ln(cost::float8) - centre)) AS deviation
    FROM runs JOIN usual USING (tenant, agent) GROUP BY 1, 2
)
SELECT * FROM runs JOIN usual USING (tenant, agent) JOIN spread USING (tenant, agent)
WHERE ln(cost::float8) - centre >= greatest(
    {threshold} * CASE WHEN mad > 0 THEN mad / 0.6745 ELSE deviation * 1.2533 END, ln({times}))
ORDER BY ln(cost::float8) - centre DESC, run LIMIT {limit}
"""

# Which models some runs asked, and what each cost.
_MODELS = """
SELECT u.run, coalesce(nullif(u.served_model, ''), u.model) AS model, sum(u.cost_micro_usd)::bigint AS cost
FROM qd.usage u WHERE {narrowed} AND u.run = ANY({runs}::uuid[]) GROUP BY 1, 2 ORDER BY 3 DESC, 2
"""

# The dearest model of each agent.
_USUAL_MODELS = """
SELECT DISTINCT ON (agent) agent, model FROM (
    SELECT u.agent, coalesce(nullif(u.served_model, ''), u.model) AS model, count(*) AS calls
    FROM qd.usage u WHERE {narrowed} AND u.agent = ANY({agents}::text[]) GROUP BY 1, 2
) m ORDER BY agent, calls DESC, model
"""

# Days in UTC by model, as providers count them.
_DAYS = """
SELECT date_trunc('day', u.at, 'UTC')::date AS day, coalesce(nullif(u.served_model, ''), u.model) AS model,
    count(*) AS calls, sum(u.input)::bigint AS input, sum(u.output)::bigint AS output,
    sum(u.cache_read)::bigint AS cached,
    sum(u.cost_micro_usd)::bigint AS cost, count(*) FILTER (WHERE u.state = 'presumed') AS presumed_calls,
    coalesce(sum(u.cost_micro_usd) FILTER (WHERE u.state = 'presumed'), 0)::bigint AS presumed,
    count(*) FILTER (WHERE NOT u.priced) AS unpriced_calls
FROM qd.usage u WHERE {narrowed} GROUP BY 1, 2 ORDER BY 1, 2
"""


async def spread(tx: Tx, reader: Reader, filters: Filters, among: str, top: int) -> Spread:
    """How cost is spread over users, agents, threads or tenants; users of two tenants are two, whatever their names."""
    narrowing = Narrowing(reader, filters)
    statement = _SPREAD.format(
        name=_SPENDERS[among],
        narrowed=narrowing.words,
        top=narrowing.put(top),
        shares=narrowing.put(list(SHARES)),
    )
    rows = await tx.fetch(statement, *narrowing.arguments)
    if not rows:
        return Spread(0, 0, 0.0, (), {})
    slugs = await slugs_of(tx, list({row["tenant"] for row in rows}))
    found = [_spender(row, slugs) for row in rows]
    n, total = rows[0]["n"], rows[0]["total"]
    reached = {share / 1000: next(one for one in found if one.place * 1000 >= n * share) for share in SHARES}
    return Spread(n, total, rows[0]["gini"] or 0.0, tuple(one for one in found if one.place <= top), reached)


async def outliers(
    tx: Tx, reader: Reader, filters: Filters, threshold: float, times: float, least: int, limit: int
) -> list[tuple[SpentRun, Usual]]:
    """Runs that cost far more than their agent's usually do, the farthest first, each with what is usual."""
    narrowing = Narrowing(reader, filters)
    statement = _RUNS.format(
        narrowed=narrowing.words,
        least=narrowing.put(least),
        threshold=f"{narrowing.put(threshold)}::float8",
        times=f"{narrowing.put(times)}::float8",
        limit=narrowing.put(limit),
    )
    rows = await tx.fetch(statement, *narrowing.arguments)
    slugs = await slugs_of(tx, list({row["tenant"] for row in rows}))
    models = await _models(tx, reader, filters, [row["run"] for row in rows])
    return [(_spent(row, slugs, models), _usual(row)) for row in rows]


async def usual_models(tx: Tx, reader: Reader, filters: Filters, agents: Iterable[str]) -> dict[str, str]:
    """The model that each of these agents asks most."""
    narrowing = Narrowing(reader, filters)
    statement = _USUAL_MODELS.format(narrowed=narrowing.words, agents=narrowing.put(sorted(set(agents))))
    return {row["agent"]: row["model"] for row in await tx.fetch(statement, *narrowing.arguments)}


async def days(tx: Tx, reader: Reader, filters: Filters) -> list[DaySums]:
    """What each model used on each day in UTC."""
    narrowing = Narrowing(reader, filters)
    rows = await tx.fetch(_DAYS.format(narrowed=narrowing.words), *narrowing.arguments)
    return [DaySums(**{name: row[name] for name in DaySums.__slots__}) for row in rows]


async def _models(
    tx: Tx, reader: Reader, filters: Filters, runs: Sequence[UUID]
) -> dict[UUID, tuple[tuple[str, int], ...]]:
    narrowing = Narrowing(reader, filters)
    rows = await tx.fetch(
        _MODELS.format(narrowed=narrowing.words, runs=narrowing.put(list(runs))), *narrowing.arguments
    )
    found: dict[UUID, tuple[tuple[str, int], ...]] = {}
    for row in rows:
        found[row["run"]] = (*found.get(row["run"], ()), (row["model"], row["cost"]))
    return found


def _spender(row: Row, slugs: dict[str, str]) -> Spender:
    tenant = slugs.get(str(row["tenant"]), str(row["tenant"]))
    return Spender(tenant, row["name"] or tenant, row["place"], row["cost"], row["calls"], row["cumulative"])


def _spent(row: Row, slugs: dict[str, str], models: dict[UUID, tuple[tuple[str, int], ...]]) -> SpentRun:
    return SpentRun(
        tenant=slugs.get(str(row["tenant"]), str(row["tenant"])),
        run=row["run"],
        agent=row["agent"],
        user=row["user_id"],
        at=row["at"],
        cost=row["cost"],
        calls=row["calls"],
        repeated=row["repeated"],
        input=row["input"],
        output=row["output"],
        peak=row["peak"],
        models=models.get(row["run"], ()),
    )


def _usual(row: Row) -> Usual:
    return Usual(
        agent=row["agent"],
        runs=row["runs"],
        cost=row["usual_cost"],
        calls=row["usual_calls"],
        repeated=row["usual_repeated"],
        input=row["usual_input"],
        output=row["usual_output"],
        rate=row["usual_rate"],
        centre=row["centre"],
        mad=row["mad"],
        deviation=row["deviation"],
    )
