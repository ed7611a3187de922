"""Lanes in the database: what all workers share of a provider's limits. All of it as qd_system, by its clock.

What is leased and learned is committed without waiting for the disk: a database that crashes may forget the last half
second of it, never a run.
"""

from collections.abc import Sequence
from math import exp

from quarterdeck.db.records import Row, Tx
from quarterdeck.pacing.records import Asker, Lane, LaneName, Leased, Rate

FADING = 6.0
"""Seconds in which two thirds of what was used are forgotten."""
BURST = 1.0
"""Seconds of unused time that may be made up for."""

_COLUMNS = """connection, fingerprint, model, requests_now, requests_chosen, requests_told, requests_refused,
    tokens_now, tokens_chosen, tokens_told, tokens_refused, requests_used, tokens_used, used_at, held_until, cut_at,
    pressed_at, grown_at, refusals"""

# Every lane, and the database's time even where there is none: there are as many as models in use, and every worker
# knows them all.
_EVERY = f"""
SELECT key, {_COLUMNS}, now,
       EXISTS (SELECT FROM qd.pace_turns t WHERE t.lane = key AND t.called_at IS NULL) AS crowded
FROM (SELECT extract(epoch FROM clock_timestamp())::float8 AS now) c
LEFT JOIN qd.pace_lanes ON $1::text IS NULL OR connection = $1 ORDER BY key
"""

# Make a lane that is not known yet.
_OPEN = """
INSERT INTO qd.pace_lanes (key, connection, fingerprint, model) VALUES ($1, $2, $3, $4) ON CONFLICT (key) DO NOTHING
"""

# One lane with the database's time, held until the transaction ends.
_LOCK = f"""
SELECT {_COLUMNS}, extract(epoch FROM clock_timestamp())::float8 AS now,
       set_config('synchronous_commit', 'off', true) FROM qd.pace_lanes WHERE key = $1 FOR UPDATE
"""

# Write down what was learned. A hold keeps everybody's next call back, whatever was leased ahead.
_WRITE = """
UPDATE qd.pace_lanes SET requests_now = $2, requests_chosen = $3, requests_told = $4, requests_refused = $5,
    tokens_now = $6, tokens_chosen = $7, tokens_told = $8, tokens_refused = $9, held_until = $10, cut_at = $11,
    pressed_at = greatest(pressed_at, $12), grown_at = $13, refusals = $14
WHERE key = $1
"""

# Lease a start to each of some calls, in order, as far as they can begin within the horizon: each comes a call's and
# its predecessor's tokens' time after the one before it. What is given back moves the clocks back. Those who came to
# their turn are no longer waited for. `pressed` is noted when one of the first $6 has to wait.
_LEASE = f"""
WITH lane AS MATERIALIZED (
    SELECT *, set_config('synchronous_commit', 'off', true) FROM qd.pace_lanes WHERE key = $1 FOR UPDATE
), clock AS MATERIALIZED (
    SELECT l.*, extract(epoch FROM clock_timestamp())::float8 AS now FROM lane l
), base AS MATERIALIZED (
    SELECT c.now, greatest(c.now, c.held_until) AS earliest, 60 / c.requests_now AS a_request,
           60 / c.tokens_now AS a_token, exp(greatest(-100, (c.used_at - c.now) / {FADING})) AS fading,
           greatest(c.requests_at - $4::float8 * 60 / c.requests_now, c.now - {BURST}, c.held_until) AS requests_at,
           greatest(c.tokens_at - $5::float8 * 60 / c.tokens_now, c.now - {BURST}, c.held_until) AS tokens_at
    FROM clock c
), placed AS MATERIALIZED (
    SELECT w.n, w.tokens, greatest(b.earliest, b.requests_at + (w.n - 1) * b.a_request,
                                   b.tokens_at + (sum(w.tokens) OVER (ORDER BY w.n) - w.tokens) * b.a_token) AS at
    FROM base b, unnest($2::float8[]) WITH ORDINALITY AS w (tokens, n)
), granted AS MATERIALIZED (
    SELECT count(*) AS calls, coalesce(sum(p.tokens), 0) AS tokens,
           coalesce(array_agg(p.at - b.now ORDER BY p.n), '{{}}') AS starts
    FROM placed p, base b WHERE p.at <= b.now + $3::float8
), written AS (
    UPDATE qd.pace_lanes l SET
        requests_at = coalesce(b.requests_at + g.calls * b.a_request, 0),
        tokens_at = coalesce(b.tokens_at + g.tokens * b.a_token, 0),
        requests_used = greatest(0, l.requests_used * b.fading + g.calls - $4::float8),
        tokens_used = greatest(0, l.tokens_used * b.fading + g.tokens - $5::float8),
        used_at = b.now, pressed_at = CASE WHEN g.calls < $6::bigint THEN b.now ELSE l.pressed_at END
    FROM base b, granted g WHERE l.key = $1
), gone AS (
    DELETE FROM qd.pace_turns t USING unnest($7::uuid[], $8::uuid[]) AS s (tenant, run)
    WHERE t.lane = $1 AND t.tenant = s.tenant AND t.run = s.run
)
SELECT g.starts, (SELECT min(p.at) FROM placed p WHERE p.at > b.now + $3::float8) - b.now AS more_in,
       EXISTS (SELECT FROM qd.pace_turns t WHERE t.lane = $1 AND t.called_at IS NULL) AS crowded
FROM granted g, base b
"""

# Stand in line, or find out whether one is called by now. Who has nobody before them, while there is room, is called
# at once. What stands before it is counted up to some thousands: beyond that nobody needs to know exactly.
_LINE_UP = """
WITH before AS MATERIALIZED (
    SELECT count(*) AS calls, coalesce(sum(tokens), 0) AS tokens FROM (
        SELECT tokens FROM qd.pace_turns WHERE lane = $1 AND called_at IS NULL AND run < $3 LIMIT 5000) t
), called AS MATERIALIZED (
    SELECT count(*) AS calls, coalesce(sum(tokens), 0) AS tokens FROM qd.pace_turns
    WHERE lane = $1 AND called_at IS NOT NULL
), mine AS (
    INSERT INTO qd.pace_turns AS t (lane, tenant, run, tokens, called_at, calls)
    SELECT $1, $2, $3, $4::float8,
           CASE WHEN b.calls = 0 AND c.calls < $5::float8 AND c.tokens < $6::float8 THEN clock_timestamp() END, 1
    FROM before b, called c
    ON CONFLICT (lane, tenant, run) DO UPDATE SET tokens = excluded.tokens, asked_at = clock_timestamp(),
        called_at = coalesce(t.called_at, excluded.called_at)
    RETURNING t.called_at
)
SELECT m.called_at IS NOT NULL AS called, b.calls + c.calls AS calls, b.tokens + c.tokens AS tokens
FROM mine m, before b, called c
"""


async def every(tx: Tx, connection: str | None = None) -> tuple[dict[Lane, bool], float]:
    """Every lane, or those of one connection, with whether runs stand in line for it; and the database's time."""
    rows = await tx.fetch(_EVERY, connection)
    return {lane_of(row): row["crowded"] for row in rows if row["key"] is not None}, rows[0]["now"]


async def open_lane(tx: Tx, name: LaneName) -> None:
    """Make the row of a lane, if there is none."""
    await tx.execute(_OPEN, name.key, name.connection, name.fingerprint, name.model)


async def lock(tx: Tx, name: LaneName) -> tuple[Lane, float] | None:
    """A lane, held until the transaction ends, and the database's time."""
    row = await tx.fetchrow(_LOCK, name.key)
    return None if row is None else (lane_of(row), row["now"])


async def write(tx: Tx, lane: Lane) -> None:
    """Write down what was learned of a lane that is held."""
    requests, tokens = lane.requests, lane.tokens
    await tx.execute(
        _WRITE,
        *(lane.name.key, requests.now, requests.chosen, requests.told, requests.refused),
        *(tokens.now, tokens.chosen, tokens.told, tokens.refused),
        *(lane.held_until, lane.cut_at, lane.pressed_at, lane.grown_at, lane.refusals),
    )


async def lease(
    tx: Tx,
    name: LaneName,
    tokens: Sequence[float],
    horizon: float,
    *,
    back: tuple[float, float] = (0.0, 0.0),
    waiting: int = 0,
    came: Sequence[Asker] = (),
) -> Leased | None:
    """Starts for the first of these calls, as many as can begin within `horizon` seconds; None = there is no such lane.

    `back` are calls and tokens that were leased before and not used (less than nothing: more was used). The first
    `waiting` of the calls are there already, the others are expected. `came` are those who have had their turn.
    """
    row = await tx.fetchrow(
        _LEASE,
        *(name.key, list(tokens), horizon, back[0], back[1], waiting),
        *([one.tenant for one in came], [one.run for one in came]),
    )
    if row is None:
        return None
    return Leased(tuple(max(0.0, start) for start in row["starts"]), max(0.0, row["more_in"] or 0.0), row["crowded"])


async def line_up(
    tx: Tx, name: LaneName, asker: Asker, tokens: float, room: tuple[float, float]
) -> tuple[bool, float, float]:
    """Stand in line: whether it is called, and how many calls with how many tokens come before it."""
    row = await tx.fetchrow(_LINE_UP, name.key, asker.tenant, asker.run, tokens, room[0], room[1])
    assert row is not None  # an INSERT that returns
    return row["called"], row["calls"], row["tokens"]


def lane_of(row: Row) -> Lane:
    """A lane as its row has it. What was used fades until now."""
    faded = _faded(row)
    return Lane(
        LaneName(row["connection"], row["fingerprint"], row["model"]),
        Rate(row["requests_now"], row["requests_chosen"], row["requests_told"], row["requests_refused"]),
        Rate(row["tokens_now"], row["tokens_chosen"], row["tokens_told"], row["tokens_refused"]),
        requests_used=row["requests_used"] * faded,
        tokens_used=row["tokens_used"] * faded,
        held_until=row["held_until"],
        cut_at=row["cut_at"],
        pressed_at=row["pressed_at"],
        grown_at=row["grown_at"],
        refusals=row["refusals"],
    )


def _faded(row: Row) -> float:
    """From a fading sum to a rate a minute."""
    return 60 / FADING * exp(min(0.0, row["used_at"] - row["now"]) / FADING)
