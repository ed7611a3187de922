"""SQL of the ledger: rows come in. What reads it stands in `store_reports` and `store_spenders`."""

from collections.abc import Sequence

from quarterdeck.core.json import encode_text
from quarterdeck.db.records import Tx
from quarterdeck.usage.records import UsageRow

_MOST = 10**15
"""More than anybody ever used: a provider that says more must not keep a run's events out of its log."""
_MOST_MS = 2**31 - 1

# Enter a try of a call. What is there already stays, except that the provider's word replaces a presumption. A plain
# list of values: it is planned once, where arrays that are unnested are planned anew each time, for twice the CPU.
ENTER = """
INSERT INTO qd.usage AS u (tenant, run, call, attempt, tried, step, at, agent, release, user_id, thread, root_run,
    provider, model, served_model, route, purpose, tools, tags, input, output, cache_read, cache_write, reasoning,
    cost_micro_usd, priced, state, saved_cache, saved_route, saved_trim, trimmed_tokens, ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24,
    $25, $26, $27, $28, $29, $30, $31, $32)
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
    Several rows travel together.
    """
    match rows:
        case []:
            pass
        case [row]:
            _ = await tx.execute(ENTER, *_parameters(row))
        case _:
            await tx.executemany(ENTER, [_parameters(row) for row in rows])


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
        list(dict.fromkeys(row.tools)),
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
