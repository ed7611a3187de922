"""Trouble with providers: runs that wait for their turn, and routes that workers leave alone. As qd_system.

Which circuits are open is each worker's own knowledge: they say so here again and again for as long as it is so.
"""

from collections.abc import Sequence
from datetime import datetime

from quarterdeck.alerts.records import Kind, Trouble
from quarterdeck.db.records import Tx

FRESH = 20
"""Seconds after which what a worker has said no longer counts: it would have said it again."""

# Lanes to providers in which runs wait for their turn, and since when the first of them does.
_WAITING = """
SELECT l.connection, l.model, count(*)::int AS waiting, extract(epoch FROM $1 - min(t.asked_at))::float8 AS longest,
    CASE WHEN max(l.held_until) > extract(epoch FROM $1::timestamptz) THEN to_timestamp(max(l.held_until)) END AS until
FROM qd.pace_turns t JOIN qd.pace_lanes l ON l.key = t.lane
WHERE t.called_at IS NULL GROUP BY l.connection, l.model
"""

# Routes that some worker leaves alone just now.
_OPEN = """
SELECT provider, model, max(until) AS until FROM qd.alert_sightings
WHERE seen_at > $1::timestamptz - make_interval(secs => $2) GROUP BY provider, model
"""

# A route that this worker leaves alone.
_SAY = """
INSERT INTO qd.alert_sightings AS s (provider, model, until, seen_at)
SELECT provider, model, until, clock_timestamp() FROM unnest($1::text[], $2::text[], $3::timestamptz[])
    AS o (provider, model, until)
ON CONFLICT (provider, model) DO UPDATE SET until = greatest(s.until, excluded.until), seen_at = excluded.seen_at
"""

# Forget what nobody has said for a day.
_FORGET = "DELETE FROM qd.alert_sightings WHERE seen_at < clock_timestamp() - interval '1 day'"


async def troubles(tx: Tx, at: datetime) -> list[Trouble]:
    """Everything that is not well with providers at the moment."""
    waiting = [
        Trouble(Kind.THROTTLED, row["connection"], row["model"], row["waiting"], row["longest"], row["until"])
        for row in await tx.fetch(_WAITING, at)
    ]
    left_alone = [
        Trouble(Kind.OPEN, row["provider"], row["model"], until=row["until"])
        for row in await tx.fetch(_OPEN, at, FRESH)
    ]
    return waiting + left_alone


async def say_open(tx: Tx, routes: Sequence[tuple[str, str, datetime]]) -> None:
    """Write down which routes this worker leaves alone, until when: provider, model, time."""
    ordered = sorted(routes)
    await tx.execute(_SAY, *(list(column) for column in zip(*ordered, strict=True)))


async def forget(tx: Tx) -> None:
    """Forget what is long over."""
    await tx.execute(_FORGET)
