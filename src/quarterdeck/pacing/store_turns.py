"""Whose turn it is, over all tenants: as qd_system."""

from collections.abc import Sequence

from quarterdeck.core.ids import RunId, TenantId
from quarterdeck.db.records import Tx
from quarterdeck.pacing.records import Asker, LaneName

LOCK = 0x71645063

# One caller at a time is enough.
_TRY_LOCK = "SELECT pg_try_advisory_xact_lock($1)"

# Runs that were called and did not come within a minute: once more, then they are forgotten. They ask anew if they are
# still there.
_FORGET = """
DELETE FROM qd.pace_turns WHERE called_at < clock_timestamp() - interval '60 seconds' AND calls > 2
"""
_RECALL = """
UPDATE qd.pace_turns SET called_at = NULL WHERE called_at < clock_timestamp() - interval '60 seconds'
"""

# How many wait and how many are called, by lane.
_COUNT = """
SELECT lane, count(*) FILTER (WHERE called_at IS NULL) AS waiting, count(called_at) AS called
FROM qd.pace_turns WHERE $1::text[] IS NULL OR lane = ANY ($1) GROUP BY lane
"""

# Call the next ones, as far as there is room: tenants in turns, the oldest run of each first. Between tenants that had
# as many chance decides, since one with many old runs would always be the oldest.
_CALL = """
WITH called AS MATERIALIZED (
    SELECT count(*) AS calls, coalesce(sum(tokens), 0) AS tokens FROM qd.pace_turns
    WHERE lane = $1 AND called_at IS NOT NULL
), line AS MATERIALIZED (
    SELECT tenant, run, tokens, row_number() OVER (PARTITION BY tenant ORDER BY run) + (
        SELECT count(*) FROM qd.pace_turns c WHERE c.lane = $1 AND c.tenant = t.tenant AND c.called_at IS NOT NULL
    ) AS place, random() AS chance
    FROM qd.pace_turns t WHERE lane = $1 AND called_at IS NULL
), ordered AS (
    SELECT tenant, run, row_number() OVER w AS n, sum(tokens) OVER w - tokens AS before
    FROM line WINDOW w AS (ORDER BY place, chance)
)
UPDATE qd.pace_turns t SET called_at = clock_timestamp(), calls = t.calls + 1
FROM ordered o, called c
WHERE t.lane = $1 AND t.tenant = o.tenant AND t.run = o.run
  AND c.calls + o.n <= greatest($2::float8, 1) AND c.tokens + o.before < $3::float8
RETURNING t.tenant, t.run
"""

# Forget lanes that nobody has used for a week: keys and models that are gone.
_TIDY = """
DELETE FROM qd.pace_lanes WHERE made_at < now() - interval '7 days'
  AND used_at < extract(epoch FROM now() - interval '7 days') AND held_until < extract(epoch FROM now())
"""


async def may_call(tx: Tx) -> bool:
    """Whether this transaction is the one that calls."""
    return bool(await tx.fetchval(_TRY_LOCK, LOCK))


async def forget(tx: Tx) -> None:
    """Call again, or give up, those who did not come."""
    await tx.execute(_FORGET)
    await tx.execute(_RECALL)


async def count(tx: Tx, names: Sequence[LaneName] | None = None) -> dict[str, tuple[int, int]]:
    """How many wait and how many are called, by the key of their lane; lanes without any are left out."""
    keys = None if names is None else [name.key for name in names]
    return {row["lane"]: (row["waiting"], row["called"]) for row in await tx.fetch(_COUNT, keys)}


async def call(tx: Tx, name: LaneName, room: tuple[float, float]) -> list[Asker]:
    """Call the next runs of a lane, as many as it has room for beside those that are called already."""
    rows = await tx.fetch(_CALL, name.key, *room)
    return [Asker(TenantId(row["tenant"]), RunId(row["run"])) for row in rows]


async def tidy(tx: Tx) -> None:
    """Forget lanes that are not used any more."""
    await tx.execute(_TIDY)
