"""`/v1/guardrails`: how the guardrails do on a tenant's own traffic. A key for some agents sees theirs alone."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from quarterdeck.guardrails import service
from quarterdeck.guardrails.bodies import (
    Calibration,
    FindingCount,
    InputFigures,
    JudgementCount,
    Measurement,
    MeasureQuery,
    SuspectRecord,
)
from quarterdeck.guardrails.measure import yaml_lines
from quarterdeck.guardrails.service import Traffic
from quarterdeck.guardrails.store import Question
from quarterdeck.http.actor import READERS, Actor, ActorDep
from quarterdeck.http.answers import Answer
from quarterdeck.http.fixes import invalid
from quarterdeck.http.parts import PartsDep

router = APIRouter(prefix="/v1/guardrails", tags=["guardrails"])
_PERIOD = timedelta(days=7)
_FIRST, _LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


async def _reader(actor: ActorDep) -> Actor:
    actor.require(*READERS)
    return actor


@router.get("/measure", response_model=Measurement, summary="Measure guardrails on your own traffic")
async def measure_guardrails(
    actor: Annotated[Actor, Depends(_reader)], parts: PartsDep, query: Annotated[MeasureQuery, Query()]
) -> Answer:
    """What was judged and found lately, what the detector says of recent inputs, and the threshold for a share of false
    alarms that you choose.
    """
    tenant = actor.in_tenant()
    since = (query.since or parts.clock.now() - _PERIOD).astimezone(UTC)
    if not _FIRST <= since <= _LAST:
        raise invalid("query.since", "nothing happened then", "send a time between 2000 and 2200")
    question = Question(round(since.timestamp() * 1000), query.agent, actor.agents, query.limit)
    async with parts.database.tenant(tenant) as tx:
        recorded = await service.gather(tx, tenant, question)
    traffic = await service.judge(recorded, query.threshold, query.false_positives)
    return Answer(_show(traffic, query, since).model_dump())


def _show(traffic: Traffic, query: MeasureQuery, since: datetime) -> Measurement:
    texts = len(traffic.recorded.said)
    return Measurement(
        since=since,
        judgements=[
            JudgementCount(edge=row["edge"], verdict=row["verdict"], rule=row["rule"], times=row["times"])
            for row in traffic.recorded.judged
        ],
        findings=[
            FindingCount(edge=row["edge"], check=row["check_kind"], what=row["what"], times=row["times"])
            for row in traffic.recorded.found
        ],
        inputs=InputFigures(
            texts=texts,
            threshold=query.threshold,
            flagged=traffic.flagged,
            share=traffic.flagged / texts if texts else 0.0,
            classes=dict(traffic.classes),
            highest=[
                SuspectRecord(run_id=one.run, agent=one.agent, score=one.score, leading=one.leading)
                for one in traffic.highest
            ],
        ),
        calibration=Calibration(
            false_positives=query.false_positives,
            threshold=traffic.calibrated,
            agent_yaml="" if traffic.calibrated is None else yaml_lines(traffic.calibrated),
        ),
    )
