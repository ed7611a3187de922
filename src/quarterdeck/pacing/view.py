"""A lane as it is shown to the deployment's admins."""

from datetime import UTC, datetime

from quarterdeck.core.clock import moment
from quarterdeck.core.json import JsonObject
from quarterdeck.db.pool import Database
from quarterdeck.pacing import store, store_turns
from quarterdeck.pacing.records import Rate, Standing


async def standings(database: Database, connection: str | None = None) -> list[Standing]:
    """Everything that is known of the pace of one connection or all, by key and model."""
    async with database.system.transaction() as tx:
        lanes, now = await store.every(tx, connection)
        counts = await store_turns.count(tx, [lane.name for lane in lanes]) if lanes else {}
    return [Standing(lane, now, *counts.get(lane.name.key, (0, 0))) for lane in lanes]


def show(standing: Standing) -> JsonObject:
    """The public record."""
    lane, now = standing.lane, standing.now
    return {
        "key": lane.name.fingerprint,
        "model": lane.name.model or None,
        "requests": _rate(lane.requests, lane.requests_used),
        "tokens": _rate(lane.tokens, lane.tokens_used),
        "held_until": _at(lane.held_until) if lane.held_until > now else None,
        "refused_at": _at(lane.cut_at) if lane.cut_at else None,
        "refusals": lane.refusals,
        "waiting": standing.waiting,
        "called": standing.called,
    }


def _rate(rate: Rate, used: float) -> JsonObject:
    return {
        "limit": None if rate.now is None else round(rate.now, 1),
        "most": None if rate.most is None else round(rate.most, 1),
        "used": round(used, 1),
        "learned_from": None if rate.source is None else rate.source.value,
    }


def _at(seconds: float) -> str | None:
    return moment(datetime.fromtimestamp(seconds, UTC))
