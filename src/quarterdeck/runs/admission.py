"""Admission: which queued runs become deliveries now. Shares are by tenant, then by user; limits hold everywhere, and
what a switch holds stays where it is.

One worker admits at a time (an advisory lock), so that counting and admitting can't interleave. What it misses by a
moment, its next look a second later finds.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from quarterdeck.core.ids import RunId, TenantId
from quarterdeck.db.records import Tx
from quarterdeck.engine import store as engine
from quarterdeck.engine.records import Delivery

LOCK = 0x71645F61
LOOK_AHEAD = 200
"""Queued runs of one tenant that one look considers, in priority order."""

_HOLDING = """lifted_at IS NULL AND (until IS NULL OR until > clock_timestamp())
      AND scope IN ('agent', 'tenant', 'everything') AND action IN ('disable', 'pause_new', 'stop_background')"""

# Only one admission at a time, everywhere; and, in the same round trip, whether any switch may hold runs back.
TRY_LOCK = f"""
SELECT pg_try_advisory_xact_lock($1) AS mine, EXISTS (SELECT FROM qd.switches WHERE {_HOLDING}) AS held
"""

# Places that living workers have, by behaviour version.
PLACES = """
WITH living AS (SELECT capacity, behaviours FROM qd.workers WHERE lease_until > clock_timestamp() AND NOT draining)
SELECT (SELECT coalesce(sum(capacity), 0)::int FROM living) AS places,
       (SELECT coalesce(array_agg(DISTINCT b), '{}') FROM living, unnest(behaviours) AS b) AS behaviours
"""

# What is being executed or on its way to a worker.
USED = """
SELECT tenant, agent, user_id, count(*)::int AS n FROM qd.runs
WHERE status IN ('running', 'cancelling') GROUP BY 1, 2, 3
UNION ALL
SELECT tenant, agent, user_id, count(*)::int FROM qd.runs
WHERE status IN ('queued', 'waiting_for_retry') AND delivered_at IS NOT NULL GROUP BY 1, 2, 3
"""

# The head of each tenant's queue: a loose scan over tenants, then a few rows of each. A run of a thread waits until
# those before it have ended, and, when it was sent back itself, until a later one that is under way has.
_CANDIDATES = """
WITH RECURSIVE waiting AS (
    (SELECT tenant FROM qd.runs WHERE status IN ('queued', 'waiting_for_retry') AND delivered_at IS NULL
     ORDER BY tenant LIMIT 1)
    UNION ALL
    SELECT (SELECT r.tenant FROM qd.runs r WHERE r.status IN ('queued', 'waiting_for_retry') AND r.delivered_at IS NULL
            AND r.tenant > w.tenant ORDER BY r.tenant LIMIT 1)
    FROM waiting w WHERE w.tenant IS NOT NULL){holding}
SELECT c.*, t.max_running FROM waiting w
JOIN qd.tenants t ON t.tenant = w.tenant AND t.disabled_at IS NULL{not_the_tenant}
CROSS JOIN LATERAL (
    SELECT r.tenant, r.id, r.agent, r.user_id, r.priority, r.behaviour FROM qd.runs r
    WHERE r.tenant = w.tenant AND r.status IN ('queued', 'waiting_for_retry') AND r.delivered_at IS NULL
      AND r.available_at <= clock_timestamp(){not_the_run}
      AND (r.thread IS NULL OR NOT EXISTS (
          SELECT 1 FROM qd.runs e WHERE e.tenant = r.tenant AND e.thread = r.thread AND e.id <> r.id
            AND e.status NOT IN ('succeeded', 'failed', 'stopped', 'cancelled')
            AND (e.thread_position < r.thread_position OR e.delivered_at IS NOT NULL
                 OR e.status NOT IN ('queued', 'waiting_for_retry'))))
    ORDER BY r.priority DESC, r.available_at, r.id LIMIT $1) c
"""
CANDIDATES = _CANDIDATES.format(holding="", not_the_tenant="", not_the_run="")

# The same while switches hold runs back: without the tenants and runs that they hold, as `switches.rules.holding` says
# it. What somebody wants to end goes on, since it only ends.
CANDIDATES_NOT_HELD = _CANDIDATES.format(
    holding=f""",
holding AS MATERIALIZED (
    SELECT tenant, scope, target, action FROM qd.switches
    WHERE {_HOLDING})""",
    not_the_tenant="""
    AND NOT EXISTS (SELECT FROM holding h WHERE (h.tenant IS NULL OR h.tenant = w.tenant)
        AND h.action = 'disable' AND h.scope <> 'agent')""",
    not_the_run="""
      AND (r.cancel_requested_at IS NOT NULL OR NOT EXISTS (
          SELECT FROM holding h WHERE (h.tenant IS NULL OR h.tenant = r.tenant)
            AND (h.scope <> 'agent' OR h.target = r.agent)
            AND (h.action = 'disable' OR (h.action = 'stop_background' AND r.priority < 0)
                 OR (h.action = 'pause_new' AND r.started_at IS NULL AND r.parent IS NULL))))""",
)

# Deliveries that are on their way from now on.
DELIVER = """
UPDATE qd.runs r SET delivered_at = clock_timestamp() FROM unnest($1::uuid[], $2::uuid[]) AS a (tenant, id)
WHERE r.tenant = a.tenant AND r.id = a.id AND r.delivered_at IS NULL AND r.status IN ('queued', 'waiting_for_retry')
RETURNING r.tenant, r.id
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many runs may execute at the same time; 0 = no limit of its own."""

    everywhere: int = 0
    tenant: int = 0
    user: int = 0
    agent: int = 0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A queued run, in the order in which its tenant's queue has it. `max_running` is its tenant's own limit."""

    tenant: UUID
    id: UUID
    agent: str
    user_id: str
    priority: int
    behaviour: int
    max_running: int | None = None


@dataclass(slots=True)
class Use:
    """What is executing now, counted by each kind of limit."""

    total: int = 0
    tenants: Counter[UUID] = field(default_factory=Counter[UUID])
    users: Counter[tuple[UUID, str]] = field(default_factory=Counter[tuple[UUID, str]])
    agents: Counter[tuple[UUID, str]] = field(default_factory=Counter[tuple[UUID, str]])

    def add(self, tenant: UUID, agent: str, user_id: str, count: int = 1) -> None:
        """Count some more."""
        self.total += count
        self.tenants[tenant] += count
        self.users[tenant, user_id] += count
        self.agents[tenant, agent] += count


def choose(
    candidates: Sequence[Candidate], use: Use, limits: Limits, places: int, behaviours: frozenset[int]
) -> list[Candidate]:
    """Which candidates to admit: each time the tenant with least running, in it the user with least, priority first.

    `use` is counted up as it goes, so what it chooses stays within every limit.
    """
    room = min(places, limits.everywhere or places)
    queues: dict[UUID, list[Candidate]] = {}
    for candidate in candidates:
        if candidate.behaviour in behaviours:
            queues.setdefault(candidate.tenant, []).append(candidate)
    chosen: list[Candidate] = []
    while queues and use.total < room:
        tenant = min(queues, key=lambda one: (use.tenants[one], one))
        candidate = _next_of(queues[tenant], use, limits)
        if candidate is None:
            del queues[tenant]
            continue
        queues[tenant].remove(candidate)
        use.add(candidate.tenant, candidate.agent, candidate.user_id)
        chosen.append(candidate)
    return chosen


def _next_of(queue: list[Candidate], use: Use, limits: Limits) -> Candidate | None:
    """The best candidate of one tenant within all limits, or None."""
    allowed = [candidate for candidate in queue if _within(candidate, use, limits)]
    if not allowed:
        return None
    top = allowed[0].priority
    same = [candidate for candidate in allowed if candidate.priority == top]
    return min(same, key=lambda one: use.users[one.tenant, one.user_id])


def _within(candidate: Candidate, use: Use, limits: Limits) -> bool:
    tenant = candidate.max_running or limits.tenant
    return (
        (not tenant or use.tenants[candidate.tenant] < tenant)
        and (not limits.user or use.users[candidate.tenant, candidate.user_id] < limits.user)
        and (not limits.agent or use.agents[candidate.tenant, candidate.agent] < limits.agent)
    )


@dataclass(frozen=True, slots=True)
class Admitted:
    """How many runs became deliveries, and whether some had to stay because of a limit."""

    count: int
    left: bool


async def admit(tx: Tx, limits: Limits) -> Admitted | None:
    """Turn queued runs into deliveries, in one transaction as qd_system. None: another worker is at it.

    The caller rings the engine once this is committed, if the count is above zero.
    """
    locked = await tx.fetchrow(TRY_LOCK, LOCK)
    assert locked is not None
    if not locked["mine"]:
        return None
    query = CANDIDATES_NOT_HELD if locked["held"] else CANDIDATES
    candidates = [Candidate(*row) for row in await tx.fetch(query, LOOK_AHEAD)]
    if not candidates:
        return Admitted(0, left=False)
    living = await tx.fetchrow(PLACES)
    assert living is not None
    use = Use()
    for row in await tx.fetch(USED):
        use.add(row["tenant"], row["agent"], row["user_id"], row["n"])
    chosen = choose(candidates, use, limits, living["places"], frozenset(living["behaviours"]))
    if not chosen:
        return Admitted(0, left=True)
    taken = await tx.fetch(DELIVER, [one.tenant for one in chosen], [one.id for one in chosen])
    still = {row["id"] for row in taken}
    await engine.enqueue(
        tx,
        [
            Delivery(TenantId(one.tenant), RunId(one.id), one.behaviour, one.priority)
            for one in chosen
            if one.id in still
        ],
    )
    return Admitted(len(still), left=len(still) < len(candidates))
