"""`/v1/runs/{id}/trace`: everything that one needs to understand a run, in one answer; and its effects."""

from uuid import UUID

from fastapi import APIRouter, Response

from quarterdeck.core.ids import RunId
from quarterdeck.http.answers import Answer
from quarterdeck.runs import store
from quarterdeck.runs.desk import DeskDep
from quarterdeck.runs.turns import show, turns
from quarterdeck.traces.bodies import (
    EffectList,
    TraceRecord,
    show_blast,
    show_costs,
    show_effect,
    show_facts,
    show_span,
    show_story,
)
from quarterdeck.traces.ids import place_of
from quarterdeck.traces.service import read_trace

router = APIRouter(prefix="/v1/runs", tags=["traces"])

LONGEST_TEXT = 4_000
"""Characters of one part of a message; the event has it whole."""


@router.get("/{run_id}/trace", response_model=TraceRecord)
async def get_trace(run_id: UUID, desk: DeskDep) -> Response:
    """What happened in a run: the sentence, the figures, spans, conversation, effects and cost."""
    async with desk.transaction() as tx:
        run = await desk.visible(tx, RunId(run_id))
        release = await desk.releases.load(tx, desk.tenant, run.release)
        now = desk.parts.clock.now()
        trace = await read_trace(tx, run, release, now)
        record = await desk.shown(tx, run, trace.state)
    return Answer(
        {
            "run": record,
            "story": show_story(trace.story),
            "facts": show_facts(trace.facts),
            "blast": show_blast(trace.blast),
            "spans": [show_span(span, now) for span in trace.spans],
            "conversation": [show(turn, LONGEST_TEXT) for turn in turns(trace.entries)],
            "effects": [show_effect(entry) for entry in trace.effects],
            "cost": show_costs(trace.entries),
            "trace_id": place_of(run.id, run.traceparent).trace,
        }
    )


@router.get("/{run_id}/effects", response_model=EffectList)
async def list_effects(run_id: UUID, desk: DeskDep) -> Response:
    """What the run sent that is not a read: once, or unknown."""
    async with desk.transaction() as tx:
        run = await desk.visible(tx, RunId(run_id))
        ledger = await store.ledger(tx, desk.tenant, run.id)
    return Answer({"items": [show_effect(entry) for entry in ledger]})
