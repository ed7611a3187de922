"""SQL of exports: which runs are due, who has them in hand, and that somebody exports at all. As qd_system."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from quarterdeck.core.ids import RunId, TenantId
from quarterdeck.db.records import Tx

# Say that this deployment exports: from now on, for an hour, runs that end are put down for export.
ANNOUNCE = """
INSERT INTO qd.deployment (name, value) VALUES ('traces.export', 'true'::jsonb)
ON CONFLICT (name) DO UPDATE SET set_at = now()
"""

# Take some of what is due, over all tenants; whoever dies with it in hand leaves it due again after the lease.
CLAIM = """
WITH due AS (
    SELECT tenant, run FROM qd.trace_exports WHERE next_at <= now() ORDER BY next_at LIMIT $1 FOR UPDATE SKIP LOCKED)
UPDATE qd.trace_exports x SET tries = x.tries + 1, next_at = now() + $2::interval
FROM due WHERE x.tenant = due.tenant AND x.run = due.run
RETURNING x.tenant, x.run, x.tries, x.created_at < now() - $3::interval AS given_up
"""

# Done with, unless the run has ended once more meanwhile.
FORGET = """
DELETE FROM qd.trace_exports x USING unnest($1::uuid[], $2::uuid[], $3::int[]) AS done (tenant, run, tries)
WHERE x.tenant = done.tenant AND x.run = done.run AND x.tries = done.tries
"""

# Due again later.
POSTPONE = """
UPDATE qd.trace_exports x SET next_at = now() + $4::interval
FROM unnest($1::uuid[], $2::uuid[], $3::int[]) AS late (tenant, run, tries)
WHERE x.tenant = late.tenant AND x.run = late.run AND x.tries = late.tries
"""


@dataclass(frozen=True, slots=True)
class Due:
    """A run that is to be exported, and the how-manieth try this is. `given_up`: it has been tried for long enough."""

    tenant: TenantId
    run: RunId
    tries: int
    given_up: bool


async def announce(tx: Tx) -> None:
    """Say that this deployment exports traces."""
    await tx.execute(ANNOUNCE)


async def claim(tx: Tx, limit: int, lease: timedelta, keep_trying: timedelta) -> list[Due]:
    """Take some of what is due."""
    rows = await tx.fetch(CLAIM, limit, lease, keep_trying)
    return [Due(TenantId(row[0]), RunId(row[1]), row[2], row[3]) for row in rows]


async def forget(tx: Tx, done: Sequence[Due]) -> None:
    """These need no export any more."""
    await tx.execute(FORGET, *_columns(done))


async def postpone(tx: Tx, late: Sequence[Due], wait: timedelta) -> None:
    """These are due again after `wait`."""
    await tx.execute(POSTPONE, *_columns(late), wait)


def _columns(many: Sequence[Due]) -> tuple[list[TenantId], list[RunId], list[int]]:
    return [due.tenant for due in many], [due.run for due in many], [due.tries for due in many]
