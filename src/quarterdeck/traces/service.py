"""A run's trace: its log read once, everything else projected from it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from quarterdeck.core.ids import ReleaseId, RunId, uuid7_floor
from quarterdeck.db.records import Tx
from quarterdeck.releases import store as releases
from quarterdeck.releases.records import Release
from quarterdeck.runs import log, store
from quarterdeck.runs.entries import Entry, opened, state_of
from quarterdeck.runs.fold import RunState
from quarterdeck.runs.records import LedgerEntry, Run
from quarterdeck.traces import rules
from quarterdeck.traces.records import Blast, Facts, Span, Story
from quarterdeck.traces.spans import project
from quarterdeck.traces.story import tell

RECENT = timedelta(days=7)
"""How far back one looks for runs that ended for the same cause."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Everything that a run's log and its neighbours tell."""

    entries: list[Entry]
    state: RunState
    spans: list[Span]
    story: Story
    facts: Facts
    blast: Blast | None
    effects: list[LedgerEntry]


async def read_trace(tx: Tx, run: Run, release: Release, now: datetime) -> Trace:
    """The trace of a run, in a transaction of its tenant."""
    entries = opened(await log.read(tx, run.tenant, run.id))
    state = state_of(entries)
    blast = await _blast(tx, run, release, now)
    spans = project(run.id, entries)
    return Trace(
        entries=entries,
        state=state,
        spans=spans,
        story=tell(run, state, entries, blast, now),
        facts=rules.facts(run, state, entries, spans, now),
        blast=blast,
        effects=await store.ledger(tx, run.tenant, run.id),
    )


async def _blast(tx: Tx, run: Run, release: Release, now: datetime) -> Blast | None:
    cause = rules.cause_of(run)
    if cause is None:
        return None
    since = RunId(uuid7_floor(int((now - RECENT).timestamp() * 1000)))
    counts = await store.same_cause(tx, run, cause, since)
    return rules.blast(run, cause, counts, await _previous(tx, release) if counts else None)


async def _previous(tx: Tx, release: Release) -> ReleaseId | None:
    """The release of the agent that was registered before this one."""
    position = (release.registered_at, release.id)
    before = await releases.list_releases(tx, release.tenant, release.agent, position, 1)
    return before[0].id if before else None
