"""Measures the detector on a tenant's own traffic: what was judged, and what it would say of what users said lately."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quarterdeck.core.ids import RunId, TenantId
from quarterdeck.db.records import Row, Tx
from quarterdeck.guardrails import store
from quarterdeck.guardrails.injection import assess
from quarterdeck.guardrails.measure import threshold_for
from quarterdeck.guardrails.store import Question, Said

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Suspect:
    """A run whose input scores high, for a person to look at. What was said stands in the run and not here."""

    run: RunId
    agent: str
    score: float
    leading: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the logs say: judgements and findings, counted, and what users said."""

    judged: Sequence[Row]
    found: Sequence[Row]
    said: Sequence[Said]


@dataclass(frozen=True, slots=True)
class Traffic:
    """A tenant's traffic and the detector. `calibrated` is the threshold that flags at most the wanted share of it, or
    None without traffic.
    """

    recorded: Recorded
    flagged: int
    classes: Mapping[str, int]
    highest: Sequence[Suspect]
    calibrated: float | None


async def gather(tx: Tx, tenant: TenantId, question: Question) -> Recorded:
    """Read what was recorded. Wants the tenant's transaction; changes nothing."""
    judged, found = await store.judged(tx, tenant, question), await store.found(tx, tenant, question)
    return Recorded(judged, found, await store.said(tx, tenant, question))


async def judge(recorded: Recorded, threshold: float, false_positives: float) -> Traffic:
    """Judge recent inputs anew, beside the event loop.

    The calibration takes all of the traffic for honest: attacks in it make the threshold higher than it need be.
    """
    suspects = await asyncio.to_thread(_judge, recorded.said)
    flagged = [one for one in suspects if one.score >= threshold]
    return Traffic(
        recorded,
        len(flagged),
        dict(Counter(one.leading for one in flagged).most_common()),
        sorted((one for one in suspects if one.score > 0), key=lambda one: -one.score)[:_SHOWN],
        threshold_for((one.score for one in suspects), false_positives) if suspects else None,
    )


def _judge(said: Sequence[Said]) -> list[Suspect]:
    judged: list[Suspect] = []
    for one in said:
        assessed = assess(one.text)
        judged.append(Suspect(one.run, one.agent, assessed.score, assessed.leading))
    return judged
