"""What a tenant's own traffic says of its guardrails: judgements that were recorded, and what users said lately."""

from dataclasses import dataclass

from quarterdeck.core.ids import RunId, TenantId, uuid7_floor
from quarterdeck.db.records import Row, Tx
from quarterdeck.runs.events import Event, RunAdmitted, read
from quarterdeck.runs.messages import UserMessage, words

# Judgements of a tenant's newest runs since a time, counted by edge, verdict, deciding rule and what was found.
JUDGED = """
WITH r AS (
    SELECT id FROM qd.runs WHERE tenant = $1 AND id >= $2 AND ($3::text[] IS NULL OR agent = ANY($3))
        AND ($4::text IS NULL OR agent = $4)
    ORDER BY id DESC LIMIT $5)
SELECT e.data ->> 'edge' AS edge, e.data ->> 'verdict' AS verdict, coalesce(e.data ->> 'rule', '') AS rule,
    count(*) AS times
FROM r JOIN qd.run_events e ON e.tenant = $1 AND e.run = r.id
WHERE e.run >= $2 AND e.kind = 'guardrail.judged'
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""

# What the same judgements found, counted by edge, check and kind.
FOUND = """
WITH r AS (
    SELECT id FROM qd.runs WHERE tenant = $1 AND id >= $2 AND ($3::text[] IS NULL OR agent = ANY($3))
        AND ($4::text IS NULL OR agent = $4)
    ORDER BY id DESC LIMIT $5)
SELECT e.data ->> 'edge' AS edge, f ->> 'check' AS check_kind, f ->> 'what' AS what, count(*) AS times
FROM r JOIN qd.run_events e ON e.tenant = $1 AND e.run = r.id,
    jsonb_array_elements(coalesce(e.data -> 'findings', '[]'::jsonb)) AS f
WHERE e.run >= $2 AND e.kind = 'guardrail.judged'
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""

# What users said in the newest runs since a time; runs that another run started were not written by a user.
SAID = """
WITH r AS (
    SELECT id, agent FROM qd.runs WHERE tenant = $1 AND id >= $2 AND ($3::text[] IS NULL OR agent = ANY($3))
        AND ($4::text IS NULL OR agent = $4) AND parent IS NULL
    ORDER BY id DESC LIMIT $5)
SELECT r.id AS run, r.agent, e.kind, e.v, e.data
FROM r JOIN qd.run_events e ON e.tenant = $1 AND e.run = r.id
WHERE e.run >= $2 AND e.seq = 1 AND e.kind = 'run.admitted'
ORDER BY r.id DESC
"""


@dataclass(frozen=True, slots=True)
class Question:
    """Whose traffic is looked at: runs since a time (Unix milliseconds), of one agent or of those that may be seen
    (None = all), at most so many of the newest.
    """

    since_ms: int
    agent: str | None
    agents: frozenset[str] | None
    limit: int


@dataclass(frozen=True, slots=True)
class Said:
    """What a user said at the beginning of a run. Of words that are stored apart only the beginning."""

    run: RunId
    agent: str
    text: str


async def judged(tx: Tx, tenant: TenantId, question: Question) -> list[Row]:
    """Recorded judgements, counted: edge, verdict, rule, times."""
    return await tx.fetch(JUDGED, *_parameters(tenant, question))


async def found(tx: Tx, tenant: TenantId, question: Question) -> list[Row]:
    """What they found, counted: edge, check_kind, what, times."""
    return await tx.fetch(FOUND, *_parameters(tenant, question))


async def said(tx: Tx, tenant: TenantId, question: Question) -> list[Said]:
    """What users said, newest first."""
    rows = await tx.fetch(SAID, *_parameters(tenant, question))
    return [Said(RunId(row["run"]), row["agent"], _words(read(row["kind"], row["v"], row["data"]))) for row in rows]


def _words(event: Event) -> str:
    messages = event.input if isinstance(event, RunAdmitted) else ()
    parts = (part for message in messages if isinstance(message, UserMessage) for part in message.content)
    return words(parts, "\n")


def _parameters(tenant: TenantId, question: Question) -> tuple[object, ...]:
    agents = None if question.agents is None else sorted(question.agents)
    return tenant, uuid7_floor(question.since_ms), agents, question.agent, question.limit
