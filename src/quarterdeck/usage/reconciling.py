"""A provider's bill beside our ledger, by day in UTC and by model: what differs, and what is likely behind it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import TypeAlias

from quarterdeck.core.money import MicroUsd, show
from quarterdeck.spec.exports import ExportDay, plain
from quarterdeck.usage.records import DaySums

_DAY = timedelta(days=1)
_DATED = re.compile(r"[-@](\d{4}-\d{2}-\d{2}|\d{8}|latest)$")
_ROUNDING = 1.0
"""Micro-USD that a call's cost may be off by: each is rounded up."""
_BATCH = 0.5
Place: TypeAlias = tuple[date, str]


class Kind(StrEnum):
    """How the two differ."""

    MISSING_HERE = "missing_here"
    MISSING_THERE = "missing_there"
    TOKENS_DIFFER = "tokens_differ"
    PRICE_DIFFERS = "price_differs"


@dataclass(frozen=True, slots=True)
class Difference:
    """One model on one day. `what` are the counts that differ, `causes` what may be behind it, the likeliest first."""

    kind: Kind
    day: date
    model: str
    ours: DaySums | None
    theirs: ExportDay | None
    what: tuple[str, ...]
    causes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What came out: lines that agree, lines that differ, and what both sides come to."""

    agreed: int
    differences: tuple[Difference, ...]
    our_cost: int
    their_cost: int | None
    first: date | None
    last: date | None


def compare(
    ours: Sequence[DaySums], theirs: Sequence[ExportDay], tolerance: float, *, whole: bool = True
) -> Reconciliation:
    """Both sides by day and model. Counts within the share `tolerance` of each other agree.

    Only days between the export's first and last are compared; ours on the days around them explain what differs.
    `whole`: our side is the whole deployment's, and not that of one tenant beside others on the same connection.
    """
    told = _together(theirs)
    first, last = min((day for day, _ in told), default=None), max((day for day, _ in told), default=None)
    around = _kept(ours)
    kept = {at: one for at, one in around.items() if first is not None and last is not None and first <= at[0] <= last}
    told = _matched(told, kept)
    found = [
        difference
        for place in sorted(kept.keys() | told.keys())
        if (difference := _differ(place, around, told, tolerance, whole=whole)) is not None
    ]
    costs = [one.cost for one in told.values() if one.cost is not None]
    return Reconciliation(
        agreed=len(kept.keys() | told.keys()) - len(found),
        differences=tuple(found),
        our_cost=sum(one.cost for one in kept.values()),
        their_cost=sum(costs) if costs else None,
        first=first,
        last=last,
    )


def _kept(days: Iterable[DaySums]) -> dict[Place, DaySums]:
    found: dict[Place, DaySums] = {}
    for one in days:
        place = (one.day, plain(one.model))
        found[place] = found[place].plus(one) if place in found else one
    return found


def _together(days: Iterable[ExportDay]) -> dict[Place, ExportDay]:
    found: dict[Place, ExportDay] = {}
    for one in days:
        place = (one.day, plain(one.model))
        found[place] = found[place].plus(one) if place in found else one
    return found


def _matched(told: Mapping[Place, ExportDay], kept: Mapping[Place, DaySums]) -> dict[Place, ExportDay]:
    """The export under the names that we have: some exports leave a model's date away, and some put it there."""
    undated: dict[Place, list[str]] = {}
    for day, model in kept:
        undated.setdefault((day, _DATED.sub("", model)), []).append(model)
    found: dict[Place, ExportDay] = {}
    for (day, model), one in told.items():
        names = undated.get((day, _DATED.sub("", model)), [])
        known = (day, model) in kept or len(names) != 1 or (day, names[0]) in told
        place = (day, model) if known else (day, names[0])
        found[place] = found[place].plus(one) if place in found else one
    return found


def _differ(
    place: Place,
    around: Mapping[Place, DaySums],
    told: Mapping[Place, ExportDay],
    tolerance: float,
    *,
    whole: bool,
) -> Difference | None:
    ours, theirs = around.get(place), told.get(place)
    if ours is None:
        assert theirs is not None
        causes = _missing_here(place, around, told, whole=whole)
        return Difference(Kind.MISSING_HERE, place[0], theirs.model, None, theirs, (), causes)
    if theirs is None:
        return Difference(Kind.MISSING_THERE, place[0], ours.model, ours, None, (), _missing_there(ours, around, told))
    tokens = tuple(name for name in ("input", "output", "cached") if _apart(name, ours, theirs, tolerance))
    if tokens:
        causes = _tokens_differ(place, around, told, tokens, whole=whole)
        return Difference(Kind.TOKENS_DIFFER, place[0], ours.model, ours, theirs, tokens, causes)
    if _apart("cost", ours, theirs, tolerance, ours.calls * _ROUNDING):
        causes = _price_differs(ours, theirs)
        return Difference(Kind.PRICE_DIFFERS, place[0], ours.model, ours, theirs, ("cost",), causes)
    return None


def _apart(name: str, ours: DaySums, theirs: ExportDay, tolerance: float, slack: float = 0.0) -> bool:
    """Whether a count that the export tells is another one here."""
    told: int | None = getattr(theirs, name)
    have: int = getattr(ours, name)
    return told is not None and abs(told - have) > max(slack, tolerance * max(abs(told), abs(have)))


def _missing_here(
    place: Place, around: Mapping[Place, DaySums], told: Mapping[Place, ExportDay], *, whole: bool
) -> tuple[str, ...]:
    day, model = place
    near = next((around[day + step, model] for step in (-_DAY, _DAY) if (day + step, model) in around), None)
    causes: list[str] = []
    if near is not None and near.input == told[place].input:
        causes.append(f"The ledger has just this on {near.day}: the export counts days in another time zone.")
    if not whole:
        causes.append("Another tenant of this deployment uses the same provider connection.")
    causes.append("The key is used by something else than this deployment.")
    others = sorted({other for at, other in around if at == day and (at, other) not in told})
    if others:
        causes.append(f"It stands here under another name, such as {', '.join(others[:3])}.")
    return tuple(causes)


def _missing_there(ours: DaySums, around: Mapping[Place, DaySums], told: Mapping[Place, ExportDay]) -> tuple[str, ...]:
    causes: list[str] = []
    if ours.presumed_calls == ours.calls:
        causes.append(f"All {ours.calls} calls are only presumed: they may never have reached the provider.")
    last = max(day for day, _ in told)
    if ours.day >= last:
        causes.append("The export's last day is not complete yet: providers count with a delay.")
    others = sorted({model for day, model in told if day == ours.day and (day, model) not in around})
    if others:
        causes.append(f"The export has it under another name, such as {', '.join(others[:3])}.")
    causes.append("The export leaves out the key, project or workspace that the calls were made with.")
    return tuple(causes)


def _tokens_differ(
    place: Place,
    around: Mapping[Place, DaySums],
    told: Mapping[Place, ExportDay],
    what: Sequence[str],
    *,
    whole: bool,
) -> tuple[str, ...]:
    ours, theirs = around[place], told[place]
    causes: list[str] = []
    if theirs.input is not None and "input" in what and ours.cached and theirs.input == ours.input - ours.cached:
        causes.append("The export counts cached tokens apart from the input; here they are a part of it.")
    if _shifted(place, around, told):
        causes.append("The next or the last day differs the other way round: calls around midnight, or another zone.")
    more_there = any((getattr(theirs, name) or 0) > getattr(ours, name) for name in what)
    if more_there:
        if ours.presumed_calls:
            lost = f"{ours.presumed_calls} calls are presumed here, without tokens: what they used stands there alone."
            causes.append(lost)
        if not whole:
            causes.append("Another tenant of this deployment uses the same provider connection.")
        causes.append("The key is used by something else than this deployment.")
    else:
        causes.append("The export is not complete yet, or leaves out a project or workspace.")
    return tuple(causes)


def _shifted(place: Place, around: Mapping[Place, DaySums], told: Mapping[Place, ExportDay]) -> bool:
    """Whether what is too much on this day is missing on the one beside it, or the other way round."""

    def gap(at: Place) -> int:
        ours, theirs = around.get(at), told.get(at)
        return ((theirs.input or 0) if theirs else 0) - (ours.input if ours else 0)

    here = gap(place)
    beside = (gap((place[0] + step, place[1])) for step in (-_DAY, _DAY))
    return here != 0 and any(there and abs(here + there) <= 0.05 * abs(here) for there in beside)


def _price_differs(ours: DaySums, theirs: ExportDay) -> tuple[str, ...]:
    told = theirs.cost or 0
    causes: list[str] = []
    if ours.unpriced_calls:
        causes.append(f"{ours.unpriced_calls} calls have no price here: set the connection's `prices`.")
    if 2 * ours.presumed >= ours.cost - told > 0:
        presumed = show(MicroUsd(ours.presumed))
        causes.append(f"{presumed} of our cost is presumed; the provider may have charged less.")
    if ours.cost and abs(told / ours.cost - _BATCH) < 0.02:
        causes.append("The provider charged half: a batch or flex price.")
    elif told < ours.cost:
        causes.append("The provider gives a discount or its price fell: set the connection's `prices`.")
    else:
        causes.append("The provider's price rose, or it served a dearer tier: set the connection's `prices`.")
    if ours.cached:
        causes.append("Tokens that were written to or read from the cache are priced otherwise there.")
    return tuple(causes)
