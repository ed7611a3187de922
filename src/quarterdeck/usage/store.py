"""SQL of the ledger: rows come in, one statement for all of them. What reads it stands in `store_reports`."""

from collections.abc import Iterable, Sequence

from quarterdeck.core.json import encode_text
from quarterdeck.db.records import Tx
from quarterdeck.usage.records import State, UsageRow

_MOST = 10**15
"""More than anybody ever used: a provider that says more must not keep a run's events out of its log."""
_MOST_MS = 2**31 - 1

# Enter tries of calls. What is there already stays, except that the provider's word replaces a presumption.
ENTER = """
INSERT INTO qd.usage AS u (tenant, run, call, attempt, tried, step, at, agent, release, user_id, thread, root_run,
    provider, model, served_model, route, purpose, tools, tags, input, output, cache_read, cache_write, reasoning,
    cost_micro_usd, priced, state, saved_cache, saved_route, saved_trim, trimmed_tokens, ms)
SELECT tenant, run, call, attempt, tried, step, at, agent, release, user_id, thread, root_run, provider,
    model, served_model, route, purpose, tools::text[], tags::jsonb, input, output, cache_read, cache_write, reasoning,
    cost, priced, state, saved_cache, saved_route, saved_trim, trimmed_tokens, ms
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[], $5::int[], $6::int[], $7::timestamptz[], $8::text[],
    $9::text[], $10::text[], $11::uuid[], $12::uuid[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[],
    $18::text[], $19::text[], $20::bigint[], $21::bigint[], $22::bigint[], $23::bigint[], $24::bigint[], $25::bigint[],
    $26::boolean[], $27::text[], $28::bigint[], $29::bigint[], $30::bigint[], $31::bigint[], $32::int[])
    AS t (tenant, run, call, attempt, tried, step, at, agent, release, user_id, thread, root_run, provider, model,
    served_model, route, purpose, tools, tags, input, output, cache_read, cache_write, reasoning, cost, priced, state,
    saved_cache, saved_route, saved_trim, trimmed_tokens, ms)
ON CONFLICT (tenant, run, call, attempt, tried) DO UPDATE SET served_model = excluded.served_model,
    input = excluded.input, output = excluded.output, cache_read = excluded.cache_read,
    cache_write = excluded.cache_write, reasoning = excluded.reasoning, cost_micro_usd = excluded.cost_micro_usd,
    priced = excluded.priced, state = excluded.state, saved_cache = excluded.saved_cache,
    saved_route = excluded.saved_route, saved_trim = excluded.saved_trim, trimmed_tokens = excluded.trimmed_tokens,
    ms = excluded.ms
WHERE u.state = 'presumed' AND excluded.state = 'spent'
"""


async def enter(tx: Tx, rows: Sequence[UsageRow]) -> None:
    """Enter tries of calls, in the transaction of the events that tell of them. The same again changes nothing.

    Where a try was presumed spent, a row that says what it really used takes its place. Wants the tenant's transaction.
    """
    if rows:
        columns = zip(*(_parameters(row) for row in _once(rows)), strict=True)
        _ = await tx.execute(ENTER, *(list(column) for column in columns))


def _once(rows: Iterable[UsageRow]) -> Iterable[UsageRow]:
    """Each key once, since one statement can't write a row twice: what was spent goes before what is presumed."""
    kept: dict[object, UsageRow] = {}
    for row in rows:
        key = (row.tenant, row.run, row.call, row.attempt, row.tried)
        known = kept.get(key)
        if known is None or (known.state is State.PRESUMED and row.state is State.SPENT):
            kept[key] = row
    return kept.values()


def _parameters(row: UsageRow) -> tuple[object, ...]:
    return (
        row.tenant,
        row.run,
        row.call,
        row.attempt,
        row.tried,
        row.step,
        row.at,
        row.agent,
        row.release,
        row.user,
        row.thread,
        row.root_run,
        row.provider,
        row.model,
        row.served_model,
        row.route,
        row.purpose,
        _array(dict.fromkeys(row.tools)),
        encode_text(row.tags),
        _count(row.input),
        _count(row.output),
        _count(row.cache_read),
        _count(row.cache_write),
        _count(row.reasoning),
        _count(row.cost or 0),
        row.cost is not None,
        row.state,
        max(-_MOST, min(row.saved_cache, _MOST)),
        max(-_MOST, min(row.saved_route, _MOST)),
        _count(row.saved_trim),
        _count(row.trimmed_tokens),
        max(0, min(row.ms, _MOST_MS)),
    )


def _count(value: int) -> int:
    return max(0, min(value, _MOST))


def _array(values: Iterable[str]) -> str:
    """PostgreSQL's way to write an array: unnest would lay out an array of arrays flat."""
    return "{" + ",".join('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values) + "}"
