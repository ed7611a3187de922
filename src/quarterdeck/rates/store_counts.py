"""What was counted against limits, shared by all workers: instants of calls, and places of calls under way.

The rows are locked in the order of their keys before anything is judged, and the clock is read once they are: two that
want the same are judged one after the other, and none waits for another in a circle. What is counted is committed
without waiting for the disk: a database that crashes may forget the last half second of counting, never a run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from quarterdeck.core.ids import TenantId
from quarterdeck.db.records import Row, Tx
from quarterdeck.rates.records import Place, PlaceWant, RateWant

GROUPS = 64
"""Instants kept for one limit, about: with more calls than that, calls share an instant, the latest of theirs."""

# Count one call under every limit or under none. A limit of N admits a call at the earliest instant before which, over
# its span, fewer than N calls were counted or are booked: the N-th latest instant plus the span. The call is booked for
# the latest of these instants over all limits, if that is within the caller's patience.
_TAKE = """
WITH wanted AS (
    SELECT key, calls, span FROM unnest($2::text[], $3::int[], $4::bigint[]) AS w (key, calls, span)
), held AS MATERIALIZED (
    SELECT key, times, counts FROM qd.rate_windows WHERE tenant = $1 AND key = ANY ($2) ORDER BY key FOR UPDATE
), clock AS MATERIALIZED (
    SELECT count(*) AS found, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now,
           set_config('synchronous_commit', 'off', true) FROM held
), due AS MATERIALIZED (
    SELECT w.key, w.calls, w.span, h.times, h.counts, greatest(c.now, (
        SELECT max(e.at) + w.span FROM (
            SELECT t.at, sum(t.n) OVER (ORDER BY t.at DESC) AS since FROM unnest(h.times, h.counts) AS t (at, n)
        ) e WHERE e.since >= w.calls
    )) AS at
    FROM wanted w JOIN held h ON h.key = w.key CROSS JOIN clock c
), verdict AS MATERIALIZED (
    SELECT c.now, c.found, max(d.at) AS at,
           c.found = cardinality($2) AND max(d.at) - c.now <= $5::bigint AS taken
    FROM clock c LEFT JOIN due d ON true GROUP BY c.now, c.found
), fresh AS MATERIALIZED (
    SELECT d.key, v.at + d.span AS until, g.times, g.counts
    FROM due d CROSS JOIN verdict v CROSS JOIN LATERAL (
        SELECT array_agg(s.at ORDER BY s.at) AS times, array_agg(s.n ORDER BY s.at) AS counts FROM (
            SELECT max(e.at) AS at, sum(e.n)::int AS n FROM (
                SELECT v.at AS at, 1 AS n, 0 AS place
                UNION ALL
                SELECT t.at, t.n, row_number() OVER (ORDER BY t.at DESC)
                FROM unnest(d.times, d.counts) AS t (at, n) WHERE t.at > v.now - d.span
            ) e GROUP BY CASE WHEN e.place = 1 AND e.n < (d.calls + $6 - 1) / $6 THEN 0 ELSE e.place END
        ) s
    ) g WHERE v.taken
), written AS (
    UPDATE qd.rate_windows r SET times = f.times, counts = f.counts,
        expires_at = greatest(r.expires_at, to_timestamp(f.until / 1000000.0))
    FROM fresh f WHERE r.tenant = $1 AND r.key = f.key
)
SELECT v.taken, v.found, v.at - v.now AS wait, v.at, (SELECT key FROM due ORDER BY at DESC, key LIMIT 1) AS slowest
FROM verdict v
"""

# Make the rows of limits that were never counted against, in the order in which they are locked.
_OPEN_WINDOWS = """
INSERT INTO qd.rate_windows (tenant, key, expires_at)
SELECT $1, key, now() + interval '1 hour' FROM unnest($2::text[]) AS w (key) ORDER BY key
ON CONFLICT (tenant, key) DO NOTHING
"""

# The same for places.
_OPEN_PLACES = """
INSERT INTO qd.rate_places (tenant, key, expires_at)
SELECT $1, key, now() + interval '1 hour' FROM unnest($2::text[]) AS w (key) ORDER BY key
ON CONFLICT (tenant, key) DO NOTHING
"""

# Take a place under every limit or under none. Places whose time is over are free.
_ENTER = """
WITH wanted AS (
    SELECT key, most FROM unnest($2::text[], $3::int[]) AS w (key, most)
), held AS MATERIALIZED (
    SELECT key, holders, until FROM qd.rate_places WHERE tenant = $1 AND key = ANY ($2) ORDER BY key FOR UPDATE
), clock AS MATERIALIZED (
    SELECT count(*) AS found, clock_timestamp() AS now, set_config('synchronous_commit', 'off', true) FROM held
), living AS MATERIALIZED (
    SELECT w.key, w.most, g.holders, g.until, g.soonest, cardinality(g.holders) >= w.most AS crowded
    FROM wanted w JOIN held h ON h.key = w.key CROSS JOIN clock c CROSS JOIN LATERAL (
        SELECT coalesce(array_agg(t.holder ORDER BY t.until), '{}') AS holders,
               coalesce(array_agg(t.until ORDER BY t.until), '{}') AS until, min(t.until) AS soonest
        FROM unnest(h.holders, h.until) AS t (holder, until) WHERE t.until > c.now
    ) g
), verdict AS MATERIALIZED (
    SELECT c.now, c.found, c.found = cardinality($2) AND NOT coalesce(bool_or(l.crowded), false) AS entered
    FROM clock c LEFT JOIN living l ON true GROUP BY c.now, c.found
), fresh AS MATERIALIZED (
    SELECT l.key, l.holders || $4::uuid AS holders, l.until || v.now + $5::interval AS until, v.now + $5 AS latest
    FROM living l CROSS JOIN verdict v WHERE v.entered
), written AS (
    UPDATE qd.rate_places p SET holders = f.holders, until = f.until, expires_at = greatest(p.expires_at, f.latest)
    FROM fresh f WHERE p.tenant = $1 AND p.key = f.key
)
SELECT v.entered, v.found, (SELECT min(key) FROM living WHERE crowded) AS slowest,
       (SELECT extract(epoch FROM max(soonest) - v.now) FROM living WHERE crowded)::float8 AS soonest
FROM verdict v
"""

# Give a place up under every limit. Nothing happens when its time was over and it is gone.
_LEAVE = """
WITH held AS MATERIALIZED (
    SELECT key, set_config('synchronous_commit', 'off', true) FROM qd.rate_places
    WHERE tenant = $1 AND key = ANY ($2) AND $3 = ANY (holders) ORDER BY key FOR UPDATE
)
UPDATE qd.rate_places p SET
    holders = ARRAY(SELECT t.holder FROM unnest(p.holders, p.until) AS t (holder, until) WHERE t.holder <> $3),
    until = ARRAY(SELECT t.until FROM unnest(p.holders, p.until) AS t (holder, until) WHERE t.holder <> $3)
FROM held h WHERE p.tenant = $1 AND p.key = h.key
"""

# Forget, over all tenants, what no longer counts against any limit; what somebody is counting on is left for next time.
_SWEEP = """
WITH over AS MATERIALIZED (
    SELECT tenant, key FROM {table} WHERE expires_at < now() LIMIT 10000 FOR UPDATE SKIP LOCKED
)
DELETE FROM {table} t USING over o WHERE t.tenant = o.tenant AND t.key = o.key
"""
_SWEEP_WINDOWS = _SWEEP.format(table="qd.rate_windows")
_SWEEP_PLACES = _SWEEP.format(table="qd.rate_places")


@dataclass(frozen=True, slots=True)
class Counted:
    """How a take went. `found` is short of what was wanted where rows are missing: open them and take again.

    `wait` is in seconds, from now to the instant at which the call may begin or could be booked; `at` is that instant,
    in seconds since 1970. `slowest` is the limit that says so.
    """

    taken: bool
    found: int
    wait: float
    at: float
    slowest: str


@dataclass(frozen=True, slots=True)
class Seated:
    """How an entry went. `soonest` is in seconds, to when the first of the places in the way is free at the latest."""

    entered: bool
    found: int
    slowest: str
    soonest: float


async def take(tx: Tx, tenant: TenantId, wants: Sequence[RateWant], patience: float) -> Counted:
    """Count one call under all of these limits, or under none when it could not begin within `patience` seconds."""
    row = await tx.fetchrow(
        _TAKE,
        tenant,
        [want.key for want in wants],
        [want.calls for want in wants],
        [round(want.seconds * 1_000_000) for want in wants],
        round(patience * 1_000_000),
        GROUPS,
    )
    assert row is not None  # the verdict has one row whatever was found
    wait, at = (row["wait"] or 0) / 1_000_000, (row["at"] or 0) / 1_000_000
    return Counted(bool(row["taken"]), row["found"], wait, at, row["slowest"] or "")


async def enter(tx: Tx, place: Place, wants: Sequence[PlaceWant], time: timedelta) -> Seated:
    """Take a place under all of these limits, or under none, until it is left or `time` is over."""
    row: Row | None = await tx.fetchrow(
        _ENTER, place.tenant, [want.key for want in wants], [want.most for want in wants], place.id, time
    )
    assert row is not None  # the verdict has one row whatever was found
    return Seated(bool(row["entered"]), row["found"], row["slowest"] or "", max(0.0, row["soonest"] or 0.0))


async def leave(tx: Tx, tenant: TenantId, keys: Sequence[str], holder: UUID) -> None:
    """Give a place up."""
    await tx.execute(_LEAVE, tenant, list(keys), holder)


async def open_windows(tx: Tx, tenant: TenantId, keys: Sequence[str]) -> None:
    """Make the rows that are missing, in a transaction that holds no other locks."""
    await tx.execute(_OPEN_WINDOWS, tenant, list(keys))


async def open_places(tx: Tx, tenant: TenantId, keys: Sequence[str]) -> None:
    """Make the rows that are missing, in a transaction that holds no other locks."""
    await tx.execute(_OPEN_PLACES, tenant, list(keys))


async def sweep(tx: Tx) -> None:
    """Forget what no longer counts, in qd_system's transaction."""
    await tx.execute(_SWEEP_WINDOWS)
    await tx.execute(_SWEEP_PLACES)
