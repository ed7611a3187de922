"""SQL of threads and of the runs in them that have not ended."""

from collections.abc import Sequence

from quarterdeck.core.ids import AgentName, RunId, TenantId, ThreadId, UserId
from quarterdeck.core.json import decode_object, encode_text
from quarterdeck.db.records import Row, Tx
from quarterdeck.runs.records import Run, Status
from quarterdeck.runs.store import run_of
from quarterdeck.threads.records import OpenRun, Thread

_COLUMNS = "tenant, id, agent, user_id, title, tags, run_count, created_by, created_at, updated_at"

# Start a conversation.
ADD = f"""
INSERT INTO qd.threads (tenant, id, agent, user_id, title, tags, created_by) VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7)
RETURNING {_COLUMNS}
"""

# One thread.
GET = f"SELECT {_COLUMNS} FROM qd.threads WHERE tenant = $1 AND id = $2"

# One thread, locked until the transaction ends: runs enter it one after the other.
HOLD = f"{GET} FOR UPDATE"

# A run has entered at this position; a thread without a title takes the words that it began with.
ENTER = """
UPDATE qd.threads SET run_count = $3, updated_at = clock_timestamp(),
    title = CASE WHEN title = '' THEN $4 ELSE title END
WHERE tenant = $1 AND id = $2
"""

# Threads of a tenant, newest first, each filter off where NULL.
LIST = f"""
SELECT {_COLUMNS} FROM qd.threads WHERE tenant = $1 AND ($2::uuid IS NULL OR id < $2)
    AND ($3::text IS NULL OR agent = $3) AND ($4::text IS NULL OR user_id = $4)
    AND ($5::text[] IS NULL OR agent = ANY($5)) AND ($6::text IS NULL OR created_by = $6)
ORDER BY id DESC LIMIT $7
"""

# The runs of some threads that have not ended.
OPEN_RUNS = """
SELECT thread, id, thread_position, status FROM qd.runs
WHERE tenant = $1 AND thread = ANY($2::uuid[]) AND status NOT IN ('succeeded', 'failed', 'stopped', 'cancelled')
ORDER BY thread, thread_position
"""

# The runs of a thread after a position, in the order of the conversation.
RUNS = """
SELECT * FROM qd.runs WHERE tenant = $1 AND thread = $2 AND thread_position > $3 ORDER BY thread_position LIMIT $4
"""


async def add(tx: Tx, thread: Thread) -> Thread:
    """Keep a new thread; as it was kept."""
    row = await tx.fetchrow(
        ADD,
        thread.tenant,
        thread.id,
        thread.agent,
        thread.user_id,
        thread.title,
        encode_text(thread.tags),
        thread.created_by,
    )
    assert row is not None
    return _thread(row)


async def get(tx: Tx, tenant: TenantId, thread: ThreadId) -> Thread | None:
    """One thread, or None."""
    row = await tx.fetchrow(GET, tenant, thread)
    return _thread(row) if row else None


async def hold(tx: Tx, tenant: TenantId, thread: ThreadId) -> Thread | None:
    """One thread, locked until the transaction ends, or None."""
    row = await tx.fetchrow(HOLD, tenant, thread)
    return _thread(row) if row else None


async def enter(tx: Tx, tenant: TenantId, thread: ThreadId, position: int, title: str) -> None:
    """Count a run that entered a held thread."""
    await tx.execute(ENTER, tenant, thread, position, title)


async def listed(
    tx: Tx,
    tenant: TenantId,
    before: ThreadId | None,
    limit: int,
    *,
    agent: str | None,
    user_id: str | None,
    agents: Sequence[str] | None,
    created_by: str | None,
) -> list[Thread]:
    """Threads, newest first, older than `before`."""
    rows = await tx.fetch(LIST, tenant, before, agent, user_id, agents, created_by, limit)
    return [_thread(row) for row in rows]


async def open_runs(tx: Tx, tenant: TenantId, threads: Sequence[ThreadId]) -> list[OpenRun]:
    """The runs of these threads that have not ended, each thread's in order."""
    rows = await tx.fetch(OPEN_RUNS, tenant, threads)
    return [OpenRun(ThreadId(row[0]), RunId(row[1]), row[2], Status(row[3])) for row in rows]


async def runs(tx: Tx, tenant: TenantId, thread: ThreadId, after: int, limit: int) -> list[Run]:
    """The runs of a thread after a position, in order."""
    return [run_of(row) for row in await tx.fetch(RUNS, tenant, thread, after, limit)]


def _thread(row: Row) -> Thread:
    return Thread(
        tenant=TenantId(row["tenant"]),
        id=ThreadId(row["id"]),
        agent=AgentName(row["agent"]),
        user_id=UserId(row["user_id"]),
        title=row["title"],
        tags={name: str(value) for name, value in decode_object(row["tags"]).items()},
        run_count=row["run_count"],
        created_by=row["created_by"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
