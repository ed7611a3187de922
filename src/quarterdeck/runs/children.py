"""What passes between a run and those that it has called as tools: their outcomes upwards, its end downwards.

Locks are taken from the parent to the child, one pair a transaction. Whoever tells a parent marks the child in the same
transaction, so a parent hears of each child once, whatever dies meanwhile.
"""

from collections.abc import Sequence
from typing import cast

from quarterdeck.core.errors import Error
from quarterdeck.core.ids import RunId, TenantId
from quarterdeck.core.json import encode_text
from quarterdeck.core.log import get
from quarterdeck.core.text import shorten
from quarterdeck.db.pool import Database
from quarterdeck.db.records import Tx
from quarterdeck.db.wakes import ADMIT
from quarterdeck.runs import log, store
from quarterdeck.runs.events import Event, RunFinished, RunResumed, ToolAnswered
from quarterdeck.runs.fold import RunState, fold
from quarterdeck.runs.messages import Label, Text, Trust
from quarterdeck.runs.records import CHILD, Run, Status
from quarterdeck.runs.service import Runs, Wakes

MOST = 200
_LONGEST_ANSWER = 16_000

_log = get(__name__)

# Children that have ended and whose parents have not heard of it.
ENDED_CHILDREN = """
SELECT tenant, id, parent FROM qd.runs WHERE parent IS NOT NULL AND told_parent_at IS NULL
    AND status IN ('succeeded', 'failed', 'stopped', 'cancelled') ORDER BY id LIMIT $1
"""

# Mark a child whose parent is told; nothing where somebody else has done so.
MARK = """
UPDATE qd.runs SET told_parent_at = clock_timestamp()
WHERE tenant = $1 AND id = $2 AND told_parent_at IS NULL RETURNING id
"""

# Children that go on although nobody waits for them any more.
ORPHANS = """
SELECT c.tenant, c.id, c.parent FROM qd.runs c JOIN qd.runs p ON p.tenant = c.tenant AND p.id = c.parent
WHERE c.parent IS NOT NULL AND c.told_parent_at IS NULL AND c.cancel_requested_at IS NULL
    AND c.status NOT IN ('succeeded', 'failed', 'stopped', 'cancelled')
    AND p.status IN ('cancelling', 'succeeded', 'failed', 'stopped', 'cancelled') ORDER BY c.id LIMIT $1
"""


async def round(database: Database, runs: Runs, wakes: Wakes) -> int:
    """Tell parents of children that have ended, and end children whose parents have; how many there were."""
    async with database.system.transaction() as tx:
        ended = await tx.fetch(ENDED_CHILDREN, MOST)
        orphans = await tx.fetch(ORPHANS, MOST)
    for row in ended:
        tenant, child, parent = TenantId(row["tenant"]), RunId(row["id"]), RunId(row["parent"])
        async with database.tenant(tenant) as tx:
            await _tell(tx, wakes, tenant, child, parent)
    for row in orphans:
        try:
            await runs.cancel(TenantId(row["tenant"]), RunId(row["id"]), f"run:{row['parent']}", "its caller has ended")
        except Error as error:
            _log.info("child.not_cancelled", run=str(row["id"]), error=error.code)
    return len(ended) + len(orphans)


async def _tell(tx: Tx, wakes: Wakes, tenant: TenantId, child_id: RunId, parent_id: RunId) -> None:
    parent = await store.lock(tx, tenant, parent_id)
    child = await store.lock(tx, tenant, child_id)
    if child is None or not child.ended or await tx.fetchval(MARK, tenant, child_id) is None:
        return
    if parent is None or parent.ended:
        return
    call = next(
        (
            one.call.id
            for one in fold(await log.read(tx, tenant, parent_id)).children
            if one.intent is not None and one.intent.child == str(child_id)
        ),
        None,
    )
    if call is None:
        return
    said = fold(await log.read(tx, tenant, child_id))
    events: list[Event] = [_outcome(call, child, said)]
    if parent.status is Status.WAITING_FOR_RETRY and parent.reason == CHILD:
        await store.move(tx, parent, Status.QUEUED)
        events.append(RunResumed(why=f"{child.agent} has ended", by=f"run:{child_id}"))
        tx.after_commit(lambda: wakes.send(ADMIT, 1, key="admit"))
    last = await log.append_locked(tx, tenant, parent_id, events)
    tx.after_commit(lambda: wakes.wake_run(parent_id, last))


def _outcome(call: str, child: Run, state: RunState) -> ToolAnswered:
    """What the parent's model reads. Words of another model may hold what outsiders wrote: they are never trusted."""
    finished = cast("RunFinished", state.finished)
    well = child.status is Status.SUCCEEDED
    answer = encode_text(finished.output) if finished.output is not None else finished.text
    words = answer if well else _in_words(child, finished)
    return ToolAnswered(
        call=call,
        content=(Text(shorten(words, _LONGEST_ANSWER)),),
        is_error=not well,
        label=Label(f"agent:{child.agent}", Trust.UNTRUSTED),
        ms=int((child.last_event_at - child.created_at).total_seconds() * 1000),
        size=len(words.encode()),
        truncated=len(words) > _LONGEST_ANSWER,
    )


def _in_words(child: Run, finished: RunFinished) -> str:
    """What a run that did not succeed leaves its caller with."""
    parts: list[str] = [f"{child.agent} did not finish its task: {child.status.value}."]
    handoff = finished.handoff
    if handoff is not None:
        parts += [_listed("Why", [handoff.why]), _listed("Done", handoff.done), _listed("Left", handoff.left)]
        parts += [_listed("Its last words", [handoff.last_words])]
    return " ".join(part for part in parts if part)


def _listed(name: str, items: Sequence[str]) -> str:
    said = [item for item in items if item]
    return f"{name}: {'; '.join(said)}." if said else ""
